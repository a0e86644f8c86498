#include "vfs_posix/share.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vfs_posix/acl.h"
#include "vfs_posix/errno_map.h"
#include "vfs_posix/file.h"
#include "vfs_posix/host_monitor.h"
#include "vfs_posix/job.h"

namespace smb3d::vfs_posix {
namespace {

// [statfs(2)] File systems whose metadata is not in this machine, or in another process of it.
bool is_remote(std::int64_t type) {
    constexpr std::int64_t magics[] = {NFS_SUPER_MAGIC,
                                       0x65735546 /* FUSE */,
                                       0xFF534D42 /* CIFS */,
                                       0xFE534D42 /* SMB2 */,
                                       0x00C36400 /* CEPH */,
                                       V9FS_MAGIC,
                                       AFS_SUPER_MAGIC,
                                       CODA_SUPER_MAGIC,
                                       OCFS2_SUPER_MAGIC,
                                       0x01161970 /* GFS2 */,
                                       0x0BD00BD0 /* LUSTRE */};
    return std::ranges::find(magics, type) != std::end(magics);
}

// Whether files of this file system can share blocks: tried out on two files without names, and
// only where it is known to be possible at all.
bool has_reflinks(int root, std::int64_t type) {
    constexpr std::int64_t magics[] = {XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC,
                                       0xCA451A4E /* bcachefs */, 0x2FC12FC1 /* ZFS */};
    if (std::ranges::find(magics, type) == std::end(magics)) return false;
    const UniqueFd from(::openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    const UniqueFd to(::openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!from || !to) return false;
    constexpr std::array<char, 4096> block{'x'};
    return ::pwrite(from.get(), block.data(), block.size(), 0) ==
               static_cast<ssize_t>(block.size()) &&
           ::ioctl(to.get(), FICLONE, from.get()) == 0;
}

// [Documentation/filesystems/multigrain-ts.rst] From Linux 6.13 these give a change that follows a
// stat another ctime than the stat showed.
bool has_distinct_stamps(std::int64_t type) {
    constexpr std::int64_t magics[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                       TMPFS_MAGIC};
    if (std::ranges::find(magics, type) == std::end(magics)) return false;
    ::utsname kernel{};
    unsigned major = 0;
    unsigned minor = 0;
    if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%u.%u", &major, &minor) != 2) {
        return false;
    }
    return major > 6 || (major == 6 && minor >= 13);
}

FileSystemTraits probe(int root) {
    FileSystemTraits traits;
    struct ::statfs fs {};
    if (::fstatfs(root, &fs) == 0) {
        traits.remote = is_remote(static_cast<std::int64_t>(fs.f_type));
        traits.distinct_stamps = has_distinct_stamps(static_cast<std::int64_t>(fs.f_type));
    }
    struct ::statvfs vfs_info {};
    if (::fstatvfs(root, &vfs_info) == 0) traits.read_only = (vfs_info.f_flag & ST_RDONLY) != 0;
    if (!traits.read_only)
        traits.reflinks = has_reflinks(root, static_cast<std::int64_t>(fs.f_type));
    char value[dos_attrib_max_size];
    traits.user_xattrs =
        get_xattr(root, true, dos_attrib_name, value, sizeof(value)) >= 0 || errno != EOPNOTSUPP;
    struct ::statx st {};
    if (::statx(root, "", AT_EMPTY_PATH, stat_mask, &st) == 0) {
        traits.birth_time = (st.stx_mask & STATX_BTIME) != 0;
    }
    return traits;
}

// All shares of this machine's files are in one store, with names from "/" on.  A directory that is
// mounted twice has two names there; its files are recognised all the same, by their FileIds.
std::shared_ptr<const vfs::Location> location_of(const Resolver& resolver) {
    std::string path(PATH_MAX, '\0');
    const std::string link = fmt::format("/proc/self/fd/{}", resolver.root());
    const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
    // Without /proc, or out of reach: by itself.
    if (size <= 0 || path[0] != '/' || static_cast<std::size_t>(size) == path.size())
        return nullptr;
    path.resize(static_cast<std::size_t>(size));
    return std::make_shared<const vfs::Location>("posix", resolver.client_path(path.substr(1)));
}

std::optional<DosAttrib> parsed(const char* value, ssize_t size) {
    if (size < 0) return std::nullopt;
    return parse_dos_attrib(
        Bytes(reinterpret_cast<const std::byte*>(value), static_cast<std::size_t>(size)));
}

vfs::FileKind kind_of(std::uint32_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG:
            return vfs::FileKind::file;
        case S_IFDIR:
            return vfs::FileKind::directory;
        case S_IFLNK:
            return vfs::FileKind::symlink;
        default:
            return vfs::FileKind::other;
    }
}

}  // namespace

std::expected<std::shared_ptr<vfs::Share>, std::string> make_posix_share(const std::string& path,
                                                                         PosixOptions options) {
    UniqueFd root(openat2(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY, 0, 0));
    if (!root && errno == ENOSYS) {
        return std::unexpected(
            "the kernel has no openat2 (Linux 5.12 or newer is needed), or a seccomp filter "
            "forbids it");
    }
    if (!root) {
        return std::unexpected(fmt::format("cannot open '{}': {}", path, std::strerror(errno)));
    }
    // [openat2(2)] EINVAL: a RESOLVE flag that this kernel does not know.
    UniqueFd probe_fd(openat2(root.get(), ".", O_PATH | O_DIRECTORY, 0,
                              RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED));
    if (!probe_fd && errno == EINVAL) {
        return std::unexpected(
            "the kernel's openat2 lacks RESOLVE_CACHED (Linux 5.12 or newer is needed)");
    }
    const FileSystemTraits traits = probe(root.get());
    return std::make_shared<PosixShare>(std::move(root), std::move(options), traits);
}

PosixShare::PosixShare(UniqueFd root, PosixOptions options, FileSystemTraits traits)
    : options_(std::move(options)),
      traits_(traits),
      resolver_(std::move(root), options_),
      location_(location_of(resolver_)),
      attribs_(traits_.distinct_stamps),
      lists_(traits_.distinct_stamps) {}

vfs::Capabilities PosixShare::capabilities() const {
    vfs::Capabilities out;
    out.case_insensitive = !options_.case_sensitive;
    out.read_only = options_.read_only || traits_.read_only;
    out.dos_attributes = options_.store_dos_attributes && traits_.user_xattrs;
    out.block_cloning = traits_.reflinks && !traits_.read_only && !options_.read_only;
    out.location = location_;
    if (options_.force_user) {
        auto forced = std::make_shared<Caller>();
        forced->uid = options_.force_user->uid;
        forced->gid = options_.force_user->gid;
        forced->groups.assign(options_.force_user->groups.begin(),
                              options_.force_user->groups.end());
        out.acts_as = std::move(forced);
    }
    return out;
}

Result<void> PosixShare::wear(const vfs::OpContext& context) const {
    if (!can_switch_identity()) return {};
    if (options_.force_user) {
        const ForcedIdentity& forced = *options_.force_user;
        return vfs_posix::wear({forced.uid, forced.gid, forced.groups});
    }
    if (context.caller == nullptr) return fail(NtStatus::ACCESS_DENIED);
    return vfs_posix::wear({context.caller->uid, context.caller->gid, context.caller->groups});
}

// `get(value, size)` reads the xattr of the file that `st` is of; `sure()`: it was this file's.
template <class Get, class Sure>
std::optional<DosAttrib> PosixShare::attrib_by(const struct ::statx& st, Get get, Sure sure) {
    if (!options_.store_dos_attributes || !traits_.user_xattrs) return std::nullopt;
    if (!S_ISREG(st.stx_mode) && !S_ISDIR(st.stx_mode)) return std::nullopt;
    const std::int64_t ctime_ns = stamp_of(st).ctime_ns;
    if (const auto known = attribs_.find(key_of(st), ctime_ns)) return *known;
    char value[dos_attrib_max_size];
    ssize_t size = get(value, sizeof(value));
    if (size < 0 && errno == EACCES) {
        const AsRoot root;
        if (root.ok()) size = get(value, sizeof(value));
    }
    const std::optional<DosAttrib> read = parsed(value, size);
    if ((size >= 0 || errno == ENODATA) && sure()) attribs_.store(key_of(st), ctime_ns, read);
    return read;
}

std::optional<DosAttrib> PosixShare::dos_attrib(int fd, bool path_only, const struct ::statx& st) {
    const auto get = [fd, path_only](char* into, std::size_t size) {
        return get_xattr(fd, path_only, dos_attrib_name, into, size);
    };
    return attrib_by(st, get, [] { return true; });
}

std::optional<DosAttrib> PosixShare::dos_attrib_at(int directory, const char* name,
                                                   const struct ::statx& st) {
    const auto get = [directory, name](char* into, std::size_t size) {
        return get_xattr_at(directory, name, dos_attrib_name, into, size);
    };
    // The name may be another file's by now: what was read is then not to be kept as this one's.
    const auto sure = [directory, name, &st] {
        struct ::statx again {};
        return ::statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_CTIME, &again) ==
                   0 &&
               key_of(again) == key_of(st) && stamp_of(again).ctime_ns == stamp_of(st).ctime_ns;
    };
    return attrib_by(st, get, sure);
}

vfs::FileStat PosixShare::make_stat(const struct ::statx& st, const std::optional<DosAttrib>& dos,
                                    std::string_view name) const {
    vfs::FileStat out;
    out.id = id_of(st);
    out.kind = kind_of(st.stx_mode);
    const bool directory = out.kind == vfs::FileKind::directory;
    if (dos && dos->attributes) out.attributes = *dos->attributes & kept_attributes(directory);
    if (directory) out.attributes |= attribute_directory;
    if (out.kind == vfs::FileKind::symlink) {
        out.attributes |= attribute_reparse_point;
        out.reparse_tag = reparse_tag_symlink;
    }
    if (options_.hide_dot_files && name.size() > 1 && name[0] == '.' && name != "..") {
        out.attributes |= attribute_hidden;
    }
    if (out.attributes == 0) out.attributes = attribute_normal;

    out.last_access_time = to_file_time(st.stx_atime);
    out.last_write_time = to_file_time(st.stx_mtime);
    // Deviation: Windows' ChangeTime can be set, which st_ctime cannot; the write time serves, as
    // smbd has it (smbtorture smb2.timestamps.time_t_*, freeze-thaw).
    out.change_time = out.last_write_time;
    if (dos && dos->creation_time) {
        out.creation_time = *dos->creation_time;
    } else if ((st.stx_mask & STATX_BTIME) != 0) {
        out.creation_time = to_file_time(st.stx_btime);
    } else {
        out.creation_time = std::min(out.last_write_time, to_file_time(st.stx_ctime));
    }
    if (out.kind == vfs::FileKind::file) {
        out.end_of_file = st.stx_size;
        out.allocation_size = st.stx_blocks * 512;
    }
    out.links = st.stx_nlink;
    out.uid = st.stx_uid;
    out.gid = st.stx_gid;
    out.mode = st.stx_mode;
    return out;
}

Result<vfs::FileStat> PosixShare::stat_fd(int fd, bool path_only, std::string_view name,
                                          bool rights) {
    struct ::statx st {};
    if (::statx(fd, "", AT_EMPTY_PATH, stat_mask, &st) != 0) return fail_errno();
    vfs::FileStat stat = make_stat(st, dos_attrib(fd, path_only, st), name);
    if (rights) stat.rights = rights_by_list(lists_, st, fd, path_only);
    return stat;
}

void PosixShare::volume_info(const vfs::OpContext& context, vfs::Done<vfs::VolumeInfo> done) {
    if (!traits_.remote) return done(volume_blocking());
    run_blocking(context, done, [this] { return volume_blocking(); });
}

void PosixShare::watch(const vfs::OpContext& context, const vfs::WatchRequest& request,
                       vfs::Done<std::shared_ptr<vfs::Watch>> done) {
    const auto* file = dynamic_cast<const PosixFile*>(request.directory);
    if (file == nullptr || context.loop == nullptr) return done(fail(NtStatus::NOT_SUPPORTED));
    if (file->traits().kind != vfs::FileKind::directory) {
        return done(fail(NtStatus::NOT_A_DIRECTORY));
    }
    UniqueFd directory(::fcntl(file->fd(), F_DUPFD_CLOEXEC, 0));
    if (!directory) return done(fail_errno());
    std::shared_ptr<HostMonitor> monitor;
    {
        const auto held = monitor_.lock();
        if (!*held) *held = std::make_shared<HostMonitor>(weak_from_this(), *context.loop);
        monitor = *held;
    }
    monitor->add(std::move(directory), request.tree, request.listener, done);
}

void PosixShare::guard_settled(vfs::FileId file, vfs::GuardState state) {
    open_files_->settle({file.volume, file.inode}, state);
}

void PosixShare::detach(Loop& loop) {
    std::shared_ptr<HostMonitor> monitor = *monitor_.lock();
    if (monitor && &monitor->loop() == &loop) monitor->loop_ends();
}

Result<vfs::VolumeInfo> PosixShare::volume_blocking() const {
    struct ::statvfs fs {};
    if (::fstatvfs(resolver_.root(), &fs) != 0) return fail_errno();
    struct ::statx st {};
    if (::statx(resolver_.root(), "", AT_EMPTY_PATH, stat_mask, &st) != 0) return fail_errno();
    constexpr std::uint32_t sector = 512;
    vfs::VolumeInfo out;
    const std::uint64_t unit = fs.f_frsize >= sector ? fs.f_frsize : sector;
    out.bytes_per_sector = sector;
    out.sectors_per_unit = static_cast<std::uint32_t>(unit / sector);
    out.total_units = fs.f_blocks;
    out.free_units = fs.f_bfree;
    out.caller_free_units = fs.f_bavail;
    out.serial = fs.f_fsid;
    out.creation_time =
        to_file_time((st.stx_mask & STATX_BTIME) != 0 ? st.stx_btime : st.stx_ctime);
    out.file_system_name = options_.file_system_name;
    out.label = options_.volume_label;
    return out;
}

}  // namespace smb3d::vfs_posix
