// PosixShare: the Share of this back end, and what its files need of it.
//
// Spec: smb3d/vfs.h; [MS-FSA] 2.1.5.1 (open), 2.1.5.15.11 (rename), 2.1.5.15.6 (link).
// Thread: any loop; the state is immutable or behind Locked.  Lifetime: shared with its files.
// Errors: NtStatus, by errno_map.h.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "smb3d/vfs.h"
#include "vfs_posix/attrib_cache.h"
#include "vfs_posix/copy_ways.h"
#include "vfs_posix/dos_attrib.h"
#include "vfs_posix/identity.h"
#include "vfs_posix/open_files.h"
#include "vfs_posix/pace.h"
#include "vfs_posix/posix_share.h"
#include "vfs_posix/resolve.h"

namespace smb3d::vfs_posix {

class HostMonitor;
class PosixFile;

// What a probe at the start found out about the file system below the share's root.
struct FileSystemTraits {
    bool user_xattrs{false};
    bool read_only{false};
    bool remote{false};  // stat and close may wait for a network: nothing of them runs on a loop
    bool birth_time{false};
    bool reflinks{false};         // files can share blocks (FICLONERANGE)
    bool distinct_stamps{false};  // see AttribCache
};

// How an existing file got opened.
struct Opened {
    UniqueFd fd;
    bool path_only{false};
    bool writable{false};
    bool shared{false};  // OpenFiles has it already, as of this file
    DirKey key{};
};

class PosixShare final : public vfs::Share, public std::enable_shared_from_this<PosixShare> {
  public:
    PosixShare(UniqueFd root, PosixOptions options, FileSystemTraits traits);

    vfs::Capabilities capabilities() const override;
    void open(const vfs::OpContext&, const vfs::OpenRequest&, vfs::Done<vfs::OpenReply>) override;
    void remove(const vfs::OpContext&, const std::string& path, vfs::FileId,
                vfs::Done<void>) override;
    void rename(const vfs::OpContext&, const vfs::RenameRequest&, vfs::Done<std::string>) override;
    void link(const vfs::OpContext&, vfs::File&, const vfs::RenameRequest&,
              vfs::Done<void>) override;
    void volume_info(const vfs::OpContext&, vfs::Done<vfs::VolumeInfo>) override;
    void watch(const vfs::OpContext&, const vfs::WatchRequest&,
               vfs::Done<std::shared_ptr<vfs::Watch>>) override;
    void guard_settled(vfs::FileId file, vfs::GuardState state) override;
    void detach(Loop& loop) override;

    OpenFiles& open_files() { return *open_files_; }
    const PosixOptions& options() const { return options_; }
    const FileSystemTraits& traits() const { return traits_; }
    Resolver& resolver() { return resolver_; }

    // Whether the file system knows writes that refuse to wait (RWF_NOWAIT); learnt from the first
    // refusal.
    bool nowait_writes() const { return nowait_writes_.load(std::memory_order_relaxed); }
    void no_nowait_writes() { nowait_writes_.store(false, std::memory_order_relaxed); }

    // Whether short operations of this request may run on its loop's thread; see Pace.
    bool runs_inline(const vfs::OpContext& context) const {
        return context.loop != nullptr && !traits_.remote && pace_.quick();
    }
    Pace& pace() { return pace_; }
    CopyWays& copy_ways() { return copy_ways_; }

    // Puts the calling thread into the identity of the request.
    [[nodiscard]] Result<void> wear(const vfs::OpContext& context) const;

    // The attribute xattr, from the cache if it has what the stat `st` of the same file allows;
    // read as root if the caller may not, since who can name a file may see its attributes.
    std::optional<DosAttrib> dos_attrib(int fd, bool path_only, const struct ::statx& st);
    std::optional<DosAttrib> dos_attrib_at(int directory, const char* name,
                                           const struct ::statx& st);

    // `name`: the last component as on disk.
    vfs::FileStat make_stat(const struct ::statx&, const std::optional<DosAttrib>&,
                            std::string_view name) const;
    // `rights`: with FileStat::rights, of whom the thread wears.
    Result<vfs::FileStat> stat_fd(int fd, bool path_only, std::string_view name,
                                  bool rights = false);
    AttribCache& lists() { return lists_; }

  private:
    template <class Get, class Sure>
    std::optional<DosAttrib> attrib_by(const struct ::statx& st, Get get, Sure sure);
    // open.cpp
    friend class PatientOpen;
    std::optional<Result<vfs::OpenReply>> open_cached(const vfs::OpContext&,
                                                      const vfs::OpenRequest&);
    bool missing_for_sure(const vfs::OpenRequest&);
    bool proves_missing(const vfs::OpenRequest&);
    Result<vfs::OpenReply> open_blocking(const vfs::OpContext&, const vfs::OpenRequest&,
                                         bool missing);
    std::optional<Result<vfs::OpenReply>> open_attempt(const vfs::OpenRequest&, bool missing);
    Opened open_existing(const std::string& path, const vfs::OpenRequest&, Blocking);
    std::optional<Opened> open_shared(const std::string& path, const vfs::OpenRequest&, Blocking,
                                      std::uint64_t follow);
    bool tracks(const Opened&, const vfs::FileStat&) const;
    std::optional<Result<vfs::OpenReply>> create_inline(const vfs::OpContext&,
                                                        const vfs::OpenRequest&);
    std::optional<Result<vfs::OpenReply>> open_found(Parent&, const std::string& name,
                                                     const vfs::OpenRequest&);
    Result<vfs::OpenReply> open_failed(int error, const std::string& path,
                                       const vfs::OpenRequest&) const;
    std::optional<Result<vfs::OpenReply>> create_new(Parent&, std::string_view leaf,
                                                     const vfs::OpenRequest&);
    Opened make_file(const Parent&, const std::string& name, const vfs::OpenRequest&) const;
    Opened make_directory(const Parent&, const std::string& name, const vfs::OpenRequest&) const;
    Result<vfs::FileStat> dress_created(const Opened&, const vfs::OpenRequest&,
                                        std::string_view name);
    std::optional<DosAttrib> store_created(const Opened&, const vfs::OpenRequest&,
                                           const struct ::statx&) const;
    Result<vfs::OpenReply> finish_open(Opened&&, std::string path_on_disk, const vfs::OpenRequest&);
    vfs::OpenReply make_reply(Opened&&, std::string path_on_disk, const vfs::OpenRequest&,
                              const vfs::FileStat&);

    // names.cpp
    struct Named;
    Result<Named> find_named(const std::string& path, vfs::FileId id);
    std::optional<Named> find_named_cached(const std::string& path, vfs::FileId id);
    std::optional<Result<void>> remove_inline(const vfs::OpContext&, const std::string& path,
                                              vfs::FileId);
    Result<void> remove_blocking(const vfs::OpContext&, const std::string& path, vfs::FileId);
    Result<void> remove_entry(const Named& named);
    std::optional<Result<std::string>> rename_inline(const vfs::OpContext&,
                                                     const vfs::RenameRequest&);
    Result<std::string> rename_blocking(const vfs::OpContext&, const vfs::RenameRequest&);
    Result<void> move_entry(Named& from, Parent& to, const std::string& name,
                            const std::optional<std::string>& existing, bool replace);
    Result<void> replace_entry(Named& from, Parent& to, const std::string& name,
                               const std::string& existing);
    Result<void> link_blocking(const vfs::OpContext&, PosixFile&, const vfs::RenameRequest&);
    Result<vfs::VolumeInfo> volume_blocking() const;

    const PosixOptions options_;
    const FileSystemTraits traits_;
    Resolver resolver_;
    const std::shared_ptr<const vfs::Location> location_;
    AttribCache attribs_;
    AttribCache lists_;
    const std::shared_ptr<OpenFiles> open_files_{OpenFiles::of_process()};
    Pace pace_;
    CopyWays copy_ways_;
    std::atomic<bool> nowait_writes_{true};
    std::atomic<bool> writes_inline_{true};
    Locked<std::shared_ptr<HostMonitor>> monitor_;  // once something is watched
};

// Attributes that are kept in the xattr, of those in [MS-FSCC] 2.6.
inline constexpr std::uint32_t attribute_readonly = 0x0001;
inline constexpr std::uint32_t attribute_hidden = 0x0002;
inline constexpr std::uint32_t attribute_system = 0x0004;
inline constexpr std::uint32_t attribute_directory = 0x0010;
inline constexpr std::uint32_t attribute_archive = 0x0020;
inline constexpr std::uint32_t attribute_normal = 0x0080;
inline constexpr std::uint32_t attribute_temporary = 0x0100;
inline constexpr std::uint32_t attribute_sparse = 0x0200;
inline constexpr std::uint32_t attribute_reparse_point = 0x0400;
inline constexpr std::uint32_t attribute_offline = 0x1000;
inline constexpr std::uint32_t attribute_not_indexed = 0x2000;
inline constexpr std::uint32_t kept_of_directories = attribute_readonly | attribute_hidden |
                                                     attribute_system | attribute_archive |
                                                     attribute_offline | attribute_not_indexed;
inline constexpr std::uint32_t kept_of_files =
    kept_of_directories | attribute_temporary | attribute_sparse;
inline constexpr std::uint32_t reparse_tag_symlink = 0xA000000C;  // [MS-FSCC] 2.1.2.1

inline std::uint32_t kept_attributes(bool directory) {
    return directory ? kept_of_directories : kept_of_files;
}

}  // namespace smb3d::vfs_posix
