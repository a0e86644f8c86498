// FileTable: every file that is open, by (share, file id).
//
// Purpose: the one place where opens of the same file meet, whatever session, connection or name
//   they come from.
// Spec: [MS-FSA] 2.1.1.1 Volume.OpenFileList in effect; 2.1.4.2 (open files below a directory).
// Thread: any; 256 shards (Rank::file_table), held for a few instructions, never across I/O or a
//   waker.
// Lifetime: the server's; all opens are closed before it goes.  A File is in it while it has opens
//   or a removal under way.
// Errors: see File.
//
// How the engine uses it:
//   CREATE  if the disposition may create: name_pending(share, parent) -> DELETE_PENDING;
//           epoch = rename_epoch(); vfs open; open(key, args, waker); if it is not granted: vfs
//           close, and after break_pending wait and begin anew; if it overwrites: truncate.
//   CLOSE   d = close(open); if d.kind is remove_name: vfs remove(d.path, d.id), then
//           removal_done(d, result); then vfs close.
//   RENAME  check_target_directory(...); if the target exists and is another file:
//           check_target(...); t = prepare_rename(open); vfs rename(t.from, t.id, ...);
//           finish_rename(open, result).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "fsa/file.h"

namespace smb3d::fsa {

// What the table knows by name: the names that go away, and whether anything below a directory may
// be open, so that the usual question costs a load or two.
// Thread: any; leaf lock, or none.
class NameIndex {
  public:
    // Names that are about to be removed: few at any time.
    void add_pending(ShareId share, std::string_view path);
    void remove_pending(ShareId share, std::string_view path);
    bool is_pending(ShareId share, std::string_view path) const;
    bool any_pending() const { return pending_count_.load(std::memory_order_acquire) != 0; }

    // Counts an open link at each of its ancestors.  may_have_below is exact when false; two
    // directories that share a counter may make it true for nothing.
    // `root` as in OpenArgs: neither that directory nor those above it are counted, or all opens of
    // a share would meet at one counter; add_root tells of them.
    void add_open(ShareId share, std::string_view path, std::size_t root = 0) {
        count_open(share, path, root, 1);
    }
    void remove_open(ShareId share, std::string_view path, std::size_t root = 0) {
        count_open(share, path, root, ~0U);
    }
    bool may_have_below(ShareId share, std::string_view directory) const;
    // A share has its root there; as many as there are shares.
    void add_root(ShareId share, std::string_view root);

    // Directories that have leases, by name: whatever changes below them asks.
    void add_leased(ShareId share, std::string_view path, std::weak_ptr<File> file);
    void remove_leased(ShareId share, std::string_view path);
    bool any_leased() const { return leased_count_.load(std::memory_order_acquire) != 0; }
    std::size_t leased_count() const { return leased_count_.load(std::memory_order_acquire); }
    std::shared_ptr<File> leased(ShareId share, std::string_view path) const;
    // `directory` itself and all below.
    std::vector<std::shared_ptr<File>> leased_below(ShareId share,
                                                    std::string_view directory) const;

    // Are they the same name to a share that does not tell case apart?
    static bool same_name(std::string_view a, std::string_view b);

  private:
    static std::string name_key(ShareId share, std::string_view path);
    static constexpr std::size_t counters = std::size_t{1} << 16;
    void count_open(ShareId share, std::string_view path, std::size_t root,
                    std::uint32_t difference);
    bool has_root_within(ShareId share, std::string_view directory) const;

    std::atomic<std::size_t> pending_count_{0};
    Guarded<std::unordered_multiset<std::string>, Rank::leaf> pending_;  // share id + folded path
    std::atomic<std::size_t> leased_count_{0};
    Guarded<std::unordered_map<std::string, std::weak_ptr<File>>, Rank::leaf> leased_;
    Guarded<std::vector<std::pair<ShareId, std::string>>, Rank::leaf> roots_;
    std::unique_ptr<std::atomic<std::uint32_t>[]> open_below_ {
        std::make_unique<std::atomic<std::uint32_t>[]>(counters)
    };
};

// Tells the holders; no lock of fsa may be held.
void tell(const BreakList& notices);

class FileTable {
  public:
    FileTable() = default;
    FileTable(const FileTable&) = delete;
    FileTable& operator=(const FileTable&) = delete;

    // `waker`: run when it is worth trying again after break_pending (CANCELLED: given up by
    // File::cancel_break_wait); without one nothing is waited for.
    OpenResult open(const FileKey& key, const OpenArgs& args, const Waker* waker = nullptr);
    // Releases the open's locks and share modes; once (a second close is nothing).
    CloseDecision close(Open& open);
    // After CloseDecision::remove_name: what vfs::Share::remove said.
    void removal_done(const CloseDecision& decision, const Result<void>& removed);

    // [MS-FSA] 2.1.5.1.1: is this very name (a parent directory) going away?  Then nothing is
    // created in it.
    bool name_pending(ShareId share, std::string_view path) const {
        return names_.is_pending(share, path);
    }
    bool any_name_pending() const { return names_.any_pending(); }
    // Before the first open through a share whose root is not its store's.
    void add_root(ShareId share, std::string_view root) { names_.add_root(share, root); }
    // Counts finished renames; see OpenArgs::rename_epoch.
    std::uint64_t rename_epoch() const { return rename_epoch_.load(std::memory_order_acquire); }

    // File::prepare_rename and, for a directory, ACCESS_DENIED if something below it is open.
    Result<RenameTicket> prepare_rename(Open& open);
    void finish_rename(Open& open, const Result<std::string>& new_path);
    // [MS-FSA] 2.1.5.15.11: may an existing target be replaced?  ACCESS_DENIED if it is open or a
    // directory or READONLY; POSIX semantics (FILE_RENAME_POSIX_SEMANTICS) allow an open target.
    Result<void> check_target(const FileKey& target, std::uint32_t attributes, bool directory,
                              bool posix, bool ignore_readonly = false) const;
    // [MS-FSA] 2.1.5.15.11: the target's directory is opened for FILE_ADD_FILE sharing read and
    // write: SHARING_VIOLATION if that conflicts; DELETE_PENDING if it is going away.
    // A hard link (2.1.5.15.6) shares delete as well.
    Result<void> check_target_directory(const FileKey& directory, bool source_is_directory,
                                        bool for_link = false) const;

    // [MS-FSA] 2.1.4.12 with PARENT_OBJECT: the name `path` came, went, or what a listing tells of
    // it changed; leases of its directory are broken but that of `except`.
    void entries_changed(ShareId share, std::string_view path, const OplockKey& except);
    bool any_leased() const { return names_.any_leased(); }
    std::size_t leased_count() const { return names_.leased_count(); }
    // Anything in `directory` or below may have changed, unknown to us.
    void tree_changed(ShareId share, std::string_view directory);
    // Before a directory is renamed: cached handles below it must be closed.
    BreakWait break_handles_below(ShareId share, std::string_view directory,
                                  const OplockKey& except, Waker waker);

    std::shared_ptr<File> find(const FileKey& key) const;
    // [MS-FSA] 2.1.4.2; looks at every open file unless NameIndex knows that there is none.
    bool has_opens_below(ShareId share, std::string_view directory) const;

    std::size_t open_count() const { return opens_.load(std::memory_order_relaxed); }
    std::size_t file_count() const;
    // All files that are open now; those of one shard at one time.
    std::vector<std::shared_ptr<File>> all() const;

  private:
    struct KeyHash {
        std::size_t operator()(const FileKey& key) const noexcept;
    };
    using Map = std::unordered_map<FileKey, std::shared_ptr<File>, KeyHash>;
    using Shard = Guarded<Map, Rank::file_table>;
    static constexpr std::size_t shard_count = 256;

    Shard& shard_of(const FileKey& key) const;

    NameIndex names_;
    std::atomic<std::uint64_t> rename_epoch_{1};
    std::atomic<std::size_t> opens_{0};
    mutable std::array<Shard, shard_count> shards_;
};

}  // namespace smb3d::fsa
