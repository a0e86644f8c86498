// Resolver: paths as clients write them -> descriptors below the share's root, and the real case of
// names.
//
// Purpose: the only place that gives a path to the kernel.  Every path is resolved from the share's
// directory with
//   RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS; nothing that was checked is looked up again by another
//   road.
// Thread: any, under the identity that the thread wears.  What is named `cached` never blocks; the
// rest may. Lifetime: the Share's. Errors: open_below gives errno; the others NtStatus:
// OBJECT_PATH_NOT_FOUND for a missing or non-directory parent, also
//   where a link leads out of the share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "smb3d/status.h"
#include "vfs_posix/dir_cache.h"
#include "vfs_posix/own_changes.h"
#include "vfs_posix/posix_share.h"
#include "vfs_posix/sys.h"
#include "vfs_posix/unique_fd.h"

namespace smb3d::vfs_posix {

enum class Blocking : std::uint8_t { never, may };

struct SplitPath {
    std::string_view parent;
    std::string_view leaf;
};
SplitPath split_path(std::string_view path);
std::string join_path(std::string_view parent, std::string_view leaf);

// The answers that say "there is nothing": a link out of the share is among them.
inline bool is_missing(int error) {
    return error == ENOENT || error == ENOTDIR || error == EXDEV || error == ELOOP;
}

// An open directory (O_PATH) that a name is looked up or changed in.
struct Parent {
    UniqueFd fd;
    std::string path;  // on disk, real case
    DirKey key;
    DirStamp stamp;
};

class Resolver {
  public:
    Resolver(UniqueFd root, const PosixOptions& options);

    int root() const { return root_.get(); }
    DirCache& cache() { return cache_; }
    OwnChanges& own() { return *own_; }

    // `path` on disk; "" is the root.  Follows links as the options say.
    UniqueFd open_below(const std::string& path, std::uint64_t flags, Blocking blocking) const;

    // The directory `path` (client's form), component by component if its case differs.
    Result<Parent> open_parent(std::string_view path, bool exact_case);
    std::optional<Parent> open_parent_cached(std::string_view path) const;

    // What `name` (client's form) is called in the directory: nullopt if nothing is.
    std::optional<std::string> real_name(Parent& parent, std::string_view name);
    // False if the cache does not know: then real_name must be asked.
    bool known_absent(const Parent& parent, std::string_view name);

    // Whether a name that is not there as written may be there in another form.
    bool worth_searching(std::string_view client_path, bool exact_case) const;

    // The form on disk; OBJECT_NAME_INVALID if there is none.
    Result<std::string> disk_name(std::string_view component) const;
    Result<std::string> disk_path(std::string_view path) const;
    std::string client_name(std::string_view name_on_disk) const;
    std::string client_path(std::string_view path_on_disk) const;

  private:
    Result<Parent> walk(std::string_view path);
    std::optional<std::string> scan(Parent& parent, std::string_view name);

    UniqueFd root_;
    std::uint64_t resolve_flags_;
    bool case_sensitive_;
    bool map_names_;
    DirCache cache_;
    const std::shared_ptr<OwnChanges> own_{OwnChanges::of_process()};
};

// Brackets an own change of a directory for the cache: construct before the change, call one of the
// functions after it.  Without any, the change failed.
class DirectoryChange {
  public:
    DirectoryChange(DirCache& cache, const Parent& parent);
    DirectoryChange(const DirectoryChange&) = delete;
    DirectoryChange& operator=(const DirectoryChange&) = delete;
    ~DirectoryChange();
    void added(std::string_view name) { note({true, name}); }
    void removed(std::string_view name) { note({false, name}); }

  private:
    void note(DirCache::Change change);

    DirCache& cache_;
    const Parent& parent_;
    bool begun_;
    bool own_begun_;
    DirCache::Change changes_[4];
    std::size_t count_{0};
};

}  // namespace smb3d::vfs_posix
