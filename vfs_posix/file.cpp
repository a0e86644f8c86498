// PosixFile: close, stat and set_stat.
#include "vfs_posix/file.h"

#include <cerrno>

#include <sys/fsuid.h>
#include <sys/stat.h>

#include "vfs_posix/errno_map.h"
#include "vfs_posix/job.h"

namespace smb3d::vfs_posix {
namespace {

constexpr std::uint64_t small_blocks = 2048;  // of 512 bytes: what is freed on a loop's thread

::timespec time_or_omit(const std::optional<vfs::FileTime>& time) {
    if (time) return to_timespec(*time);
    ::timespec omit{};
    omit.tv_nsec = UTIME_OMIT;
    return omit;
}

}  // namespace

PosixFile::PosixFile(std::shared_ptr<PosixShare> share, UniqueFd fd, const FileTraits& traits,
                     std::string path_on_disk)
    : share_(std::move(share)),
      fd_(std::move(fd)),
      traits_(traits),
      path_(std::move(path_on_disk)),
      tracked_(traits.tracked) {}

PosixFile::~PosixFile() { leave_open_files(); }

void PosixFile::leave_open_files() {
    if (!tracked_.exchange(false, std::memory_order_relaxed)) return;
    share_->open_files().remove(traits_.key, fd());
}

void PosixFile::close(const vfs::OpContext& context, vfs::Done<void> done) {
    if (!fd_) return done({});
    leave_open_files();
    // Closing writes back on a network file system, and frees the blocks of a file that has no name
    // any more: of a small one that is as quick as the removal of the name was.
    bool may_block = share_->traits().remote;
    bool frees = false;
    struct ::statx st {};
    if (!may_block && traits_.kind == vfs::FileKind::file &&
        ::statx(fd(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK | STATX_BLOCKS, &st) ==
            0) {
        frees = st.stx_nlink == 0;
        may_block = frees && (st.stx_blocks > small_blocks || !share_->runs_inline(context));
    }
    const auto body = [file = fd_.release()]() -> Result<void> {
        // [close(2)] EINTR: the descriptor is closed all the same.
        if (::close(file) != 0 && errno != EINTR) return fail_errno();
        return {};
    };
    if (may_block) {
        return run_blocking(context, done, body, WhenCancelled::run_all_the_same);
    }
    std::optional<Pace::Watch> watch;
    if (frees) watch.emplace(share_->pace());
    Result<void> closed = body();
    watch.reset();
    done(std::move(closed));
}

void PosixFile::stat(const vfs::OpContext& context, vfs::Done<vfs::FileStat> done) {
    if (!share_->traits().remote) return done(stat_blocking());
    run_blocking(context, done, [this] { return stat_blocking(); });
}

Result<vfs::FileStat> PosixFile::stat_blocking() const {
    Result<vfs::FileStat> stat = share_->stat_fd(fd(), traits_.path_only, split_path(path_).leaf);
    if (stat) stat->rights = traits_.rights;
    return stat;
}

void PosixFile::set_stat(const vfs::OpContext& context, const vfs::StatChange& change,
                         vfs::Done<void> done) {
    run_blocking(context, done,
                 [this, &context, &change] { return set_stat_blocking(context, change); });
}

Result<void> PosixFile::set_stat_blocking(const vfs::OpContext& context,
                                          const vfs::StatChange& change) {
    SMB3D_TRY(share_->wear(context));
    if (share_->options().read_only) return fail(NtStatus::MEDIA_WRITE_PROTECTED);
    touch();
    // The kernel keeps the change time itself; a client's wish for it is accepted and has no
    // effect.
    if (change.attributes || change.creation_time) SMB3D_TRY(store_attributes(change));
    if (change.last_access_time || change.last_write_time) SMB3D_TRY(store_times(change));
    return {};
}

// Who may write to a file may also set its times and attributes, which POSIX reserves to the owner
// ("dos filetimes" in Samba); and the owner may although the mode forbids writing.
bool PosixFile::may_change_as_root(std::uint32_t owner) const {
    if (!can_switch_identity()) return false;
    if (static_cast<std::uint32_t>(::setfsuid(static_cast<uid_t>(-1))) == owner) return true;
    return may_access(fd(), W_OK);
}

Result<void> PosixFile::store_attributes(const vfs::StatChange& change) {
    if (!share_->options().store_dos_attributes || !share_->traits().user_xattrs) return {};
    struct ::statx st {};
    if (::statx(fd(), "", AT_EMPTY_PATH, stat_mask, &st) != 0) return fail_errno();
    const bool directory = S_ISDIR(st.stx_mode);
    if (!directory && !S_ISREG(st.stx_mode)) return {};  // user xattrs are for these two only
    const std::optional<DosAttrib> now = share_->dos_attrib(fd(), traits_.path_only, st);
    const vfs::FileStat shown = share_->make_stat(st, now, {});
    const std::uint32_t kept = kept_attributes(directory);
    DosAttrib wanted;
    wanted.attributes = change.attributes.value_or(shown.attributes) & kept;
    wanted.creation_time = change.creation_time.value_or(shown.creation_time);
    if (*wanted.attributes == (shown.attributes & kept) &&
        *wanted.creation_time == shown.creation_time) {
        return {};
    }
    if (directory) *wanted.attributes |= attribute_directory;
    const auto value = build_dos_attrib(wanted);
    const auto store = [&] {
        return set_xattr(fd(), traits_.path_only, dos_attrib_name, value.data(), value.size());
    };
    if (store() == 0 || errno == EOPNOTSUPP) return {};
    if (errno != EACCES && errno != EPERM) return fail_errno();
    if (!may_change_as_root(st.stx_uid)) return fail(NtStatus::ACCESS_DENIED);
    const AsRoot root;
    if (!root.ok() || store() != 0) return fail(NtStatus::ACCESS_DENIED);
    return {};
}

Result<void> PosixFile::store_times(const vfs::StatChange& change) {
    const ::timespec times[2] = {time_or_omit(change.last_access_time),
                                 time_or_omit(change.last_write_time)};
    if (set_times(fd(), traits_.path_only, times) == 0) return {};
    if (errno != EACCES && errno != EPERM) return fail_errno();
    struct ::statx st {};
    if (::statx(fd(), "", AT_EMPTY_PATH, STATX_UID, &st) != 0) return fail_errno();
    if (!may_change_as_root(st.stx_uid)) return fail(NtStatus::ACCESS_DENIED);
    const AsRoot root;
    if (!root.ok() || set_times(fd(), traits_.path_only, times) != 0) {
        return fail(NtStatus::ACCESS_DENIED);
    }
    return {};
}

}  // namespace smb3d::vfs_posix
