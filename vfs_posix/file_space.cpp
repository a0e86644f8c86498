// PosixFile: the size of a file, the space it takes, and its holes.
#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "vfs_posix/errno_map.h"
#include "vfs_posix/file.h"
#include "vfs_posix/job.h"

namespace smb3d::vfs_posix {
namespace {

constexpr std::uint64_t largest_size = INT64_MAX;

// Whether the file system has room for `bytes` more, for one that cannot reserve them.
bool has_room(int fd, std::uint64_t bytes) {
    struct ::statvfs fs {};
    if (::fstatvfs(fd, &fs) != 0 || fs.f_frsize == 0) return true;
    return bytes / fs.f_frsize < fs.f_bavail;
}

}  // namespace

void PosixFile::set_size(const vfs::OpContext& context, std::uint64_t end_of_file,
                         vfs::Done<void> done) {
    if (traits_.kind != vfs::FileKind::file) return done(fail(NtStatus::INVALID_DEVICE_REQUEST));
    if (end_of_file > largest_size) return done(fail(NtStatus::INVALID_PARAMETER));
    run_blocking(context, done, [this, &context, end_of_file]() -> Result<void> {
        SMB3D_TRY(share_->wear(context));
        return set_size_blocking(end_of_file);
    });
}

void PosixFile::allocate(const vfs::OpContext& context, std::uint64_t allocation_size,
                         vfs::Done<void> done) {
    if (traits_.kind != vfs::FileKind::file) return done(fail(NtStatus::INVALID_DEVICE_REQUEST));
    if (allocation_size > largest_size) return done(fail(NtStatus::INVALID_PARAMETER));
    run_blocking(context, done, [this, &context, allocation_size]() -> Result<void> {
        SMB3D_TRY(share_->wear(context));
        return allocate_blocking(allocation_size);
    });
}

void PosixFile::allocated_ranges(const vfs::OpContext& context, vfs::Range within,
                                 std::size_t max_ranges, vfs::Done<std::vector<vfs::Range>> done) {
    if (traits_.kind != vfs::FileKind::file) return done(fail(NtStatus::INVALID_DEVICE_REQUEST));
    if (traits_.path_only) return done(fail(NtStatus::ACCESS_DENIED));
    run_blocking(context, done,
                 [this, within, max_ranges] { return ranges_blocking(within, max_ranges); });
}

void PosixFile::zero_range(const vfs::OpContext& context, vfs::Range range, vfs::Done<void> done) {
    if (traits_.kind != vfs::FileKind::file) return done(fail(NtStatus::INVALID_DEVICE_REQUEST));
    if (!traits_.writable) return done(fail(NtStatus::ACCESS_DENIED));
    run_blocking(context, done, [this, &context, range]() -> Result<void> {
        SMB3D_TRY(share_->wear(context));
        return zero_blocking(range);
    });
}

// Overwriting dispositions need a size of 0 whatever access the client asked for; the kernel checks
// the caller's right.
Result<int> PosixFile::writable_fd(UniqueFd& extra) const {
    if (traits_.writable) return fd();
    if (share_->options().read_only) return fail(NtStatus::MEDIA_WRITE_PROTECTED);
    OpenFiles& files = share_->open_files();
    if (files.any_pinned() && may_access(fd(), W_OK)) {
        extra = files.borrow(traits_.key, fd(), {false, true});
        if (extra) return extra.get();
    }
    extra.reset(::open(ProcPath(fd()).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!extra) return fail_errno();
    return extra.get();
}

Result<void> PosixFile::set_size_blocking(std::uint64_t end_of_file) {
    touch();
    UniqueFd extra;
    const Result<int> file = writable_fd(extra);
    if (!file) return fail(file.error());
    while (::ftruncate(*file, static_cast<off_t>(end_of_file)) != 0) {
        if (errno != EINTR) return fail_errno();
    }
    return {};
}

// [MS-FSA] 2.1.5.15.1 FileAllocationInformation: below the end of file it truncates; above it only
// reserves.
Result<void> PosixFile::allocate_blocking(std::uint64_t allocation_size) {
    touch();
    UniqueFd extra;
    const Result<int> file = writable_fd(extra);
    if (!file) return fail(file.error());
    struct ::stat st {};
    if (::fstat(*file, &st) != 0) return fail_errno();
    const auto size = static_cast<std::uint64_t>(st.st_size);
    const std::uint64_t taken = static_cast<std::uint64_t>(st.st_blocks) * 512;
    if (allocation_size < size) return set_size_blocking(allocation_size);
    if (allocation_size <= taken) return {};
    if (::fallocate(*file, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(allocation_size)) == 0) {
        return {};
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) return fail_errno();
    // Deviation: where the file system cannot reserve, room that is there now has to do (as Samba
    // answers).
    if (!has_room(*file, allocation_size - taken)) return fail(NtStatus::DISK_FULL);
    return {};
}

Result<std::vector<vfs::Range>> PosixFile::ranges_blocking(vfs::Range within,
                                                           std::size_t max_ranges) {
    std::vector<vfs::Range> out;
    if (within.offset > largest_size) return out;
    const std::uint64_t end = within.offset + std::min(within.length, largest_size - within.offset);
    std::uint64_t at = within.offset;
    while (at < end && out.size() < max_ranges) {
        const off_t data = ::lseek(fd(), static_cast<off_t>(at), SEEK_DATA);
        if (data < 0 && errno == ENXIO) break;  // only a hole up to the end of the file
        if (data < 0) return fail_errno();
        if (static_cast<std::uint64_t>(data) >= end) break;
        const off_t hole = ::lseek(fd(), data, SEEK_HOLE);
        if (hole < 0) return fail_errno();
        const std::uint64_t stop = std::min(static_cast<std::uint64_t>(hole), end);
        out.push_back({static_cast<std::uint64_t>(data), stop - static_cast<std::uint64_t>(data)});
        at = stop;
    }
    return out;
}

// [MS-FSA] 2.1.5.10.36 FSCTL_SET_ZERO_DATA: never beyond the end of file; a hole if the file is
// sparse.
Result<void> PosixFile::zero_blocking(vfs::Range range) {
    touch();
    struct ::statx st {};
    if (::statx(fd(), "", AT_EMPTY_PATH, stat_mask, &st) != 0) return fail_errno();
    const std::uint64_t size = st.stx_size;
    if (range.offset >= size) return {};
    range.length = std::min(range.length, size - range.offset);
    if (range.length == 0) return {};
    const std::optional<DosAttrib> dos = share_->dos_attrib(fd(), traits_.path_only, st);
    const bool sparse = dos && dos->attributes && (*dos->attributes & attribute_sparse) != 0;
    const int mode = FALLOC_FL_KEEP_SIZE | (sparse ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
    if (::fallocate(fd(), mode, static_cast<off_t>(range.offset),
                    static_cast<off_t>(range.length)) == 0) {
        return {};
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) return fail_errno();
    return write_zeros(range);
}

Result<void> PosixFile::write_zeros(vfs::Range range) {
    static constexpr std::array<std::byte, 64 * 1024> zeros{};
    while (range.length > 0) {
        const std::size_t part = std::min<std::size_t>(range.length, zeros.size());
        const ssize_t put = ::pwrite(fd(), zeros.data(), part, static_cast<off_t>(range.offset));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return fail_errno();
        if (put == 0) return fail(NtStatus::UNEXPECTED_IO_ERROR);
        range.offset += static_cast<std::uint64_t>(put);
        range.length -= static_cast<std::uint64_t>(put);
    }
    return {};
}

}  // namespace smb3d::vfs_posix
