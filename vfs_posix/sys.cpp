#include "vfs_posix/sys.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <string>

#include <sys/xattr.h>

namespace smb3d::vfs_posix {
namespace {

constexpr std::int64_t epoch_seconds = 11'644'473'600;  // 1601-01-01 to 1970-01-01
constexpr std::int64_t units_per_second = 10'000'000;

#ifdef SYS_getxattrat
constexpr long getxattrat_number = SYS_getxattrat;
#else
constexpr long getxattrat_number = 464;  // the same on every architecture
#endif

// [linux/xattr.h] struct xattr_args, which Debian 12's headers do not have.
struct XattrArguments {
    std::uint64_t value;
    std::uint32_t size;
    std::uint32_t flags;
};

// Set once it proves missing; a probe, not state.
std::atomic<bool> getxattrat_missing{false};

}  // namespace

// [faccessat2(2)] AT_EACCESS: by the effective (and file-system) ids, as an open would be judged.
bool may_access(int fd, int mode) {
    return ::syscall(SYS_faccessat2, fd, "", mode, AT_EACCESS | AT_EMPTY_PATH) == 0;
}

bool may_access_at(int directory, const char* name, int mode) {
    return ::syscall(SYS_faccessat2, directory, name, mode, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

ProcPath::ProcPath(int fd) { std::snprintf(text_, sizeof(text_), "/proc/self/fd/%d", fd); }

ssize_t get_xattr_at(int directory, const char* name, const char* attribute, void* into,
                     std::size_t size) {
    if (!getxattrat_missing.load(std::memory_order_relaxed)) {
        XattrArguments arguments{reinterpret_cast<std::uintptr_t>(into),
                                 static_cast<std::uint32_t>(size), 0};
        const long got = ::syscall(getxattrat_number, directory, name, AT_SYMLINK_NOFOLLOW,
                                   attribute, &arguments, sizeof(arguments));
        if (got >= 0 || errno != ENOSYS) return got;
        getxattrat_missing.store(true, std::memory_order_relaxed);
    }
    std::string path = ProcPath(directory).c_str();
    path.append("/").append(name);
    return ::lgetxattr(path.c_str(), attribute, into, size);
}

ssize_t get_xattr(int fd, bool path_only, const char* attribute, void* into, std::size_t size) {
    if (!path_only) return ::fgetxattr(fd, attribute, into, size);
    return ::getxattr(ProcPath(fd).c_str(), attribute, into, size);
}

int set_xattr(int fd, bool path_only, const char* attribute, const void* value, std::size_t size) {
    if (!path_only) return ::fsetxattr(fd, attribute, value, size, 0);
    return ::setxattr(ProcPath(fd).c_str(), attribute, value, size, 0);
}

int set_times(int fd, bool path_only, const ::timespec times[2]) {
    if (!path_only) return ::futimens(fd, times);
    return ::utimensat(AT_FDCWD, ProcPath(fd).c_str(), times, 0);
}

vfs::FileTime to_file_time(std::int64_t seconds, std::uint32_t nanosecond_part) {
    if (seconds < -epoch_seconds) return 0;
    constexpr std::int64_t last = INT64_MAX / units_per_second - epoch_seconds - 1;
    if (seconds > last) return INT64_MAX;
    return static_cast<vfs::FileTime>((seconds + epoch_seconds) * units_per_second) +
           nanosecond_part / 100;
}

::timespec to_timespec(vfs::FileTime time) {
    ::timespec out{};
    out.tv_sec = static_cast<std::time_t>(time / units_per_second) - epoch_seconds;
    out.tv_nsec = static_cast<long>(time % units_per_second) * 100;
    return out;
}

// A client may set any time that the file system can keep, beyond what nanoseconds can count.
std::int64_t nanoseconds(const ::statx_timestamp& time) {
    constexpr std::int64_t per_second = 1'000'000'000;
    // Half of it, so that the difference of two can be told as well.
    constexpr std::int64_t far = INT64_MAX / 2 / per_second;
    return std::clamp<std::int64_t>(time.tv_sec, -far, far) * per_second + time.tv_nsec;
}

DirStamp stamp_of(const struct ::statx& st) {
    return {nanoseconds(st.stx_ctime), nanoseconds(st.stx_mtime)};
}

}  // namespace smb3d::vfs_posix
