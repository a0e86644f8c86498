// System calls that glibc does not wrap, and conversions of what they give.
//
// Thread: any.  Errors: -1 and errno, as the calls themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "smb3d/vfs.h"
#include "vfs_posix/dir_cache.h"

namespace smb3d::vfs_posix {

inline int openat2(int directory, const char* path, std::uint64_t flags, std::uint64_t mode,
                   std::uint64_t resolve) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve;
    return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof(how)));
}

// "/proc/self/fd/N", for what an O_PATH descriptor refuses.
class ProcPath {
  public:
    explicit ProcPath(int fd);
    const char* c_str() const { return text_; }

  private:
    char text_[32];
};

// Extended attributes by name below a directory, without opening the entry: getxattrat
// (Linux 6.13), else by way of /proc.  A name that is a symbolic link is not followed.
ssize_t get_xattr_at(int directory, const char* name, const char* attribute, void* into,
                     std::size_t size);
// By descriptor, O_PATH ones as well.
ssize_t get_xattr(int fd, bool path_only, const char* attribute, void* into, std::size_t size);
int set_xattr(int fd, bool path_only, const char* attribute, const void* value, std::size_t size);
// Access and modification time by descriptor, O_PATH ones as well.
int set_times(int fd, bool path_only, const ::timespec times[2]);

// May this thread, as whom it is, open the descriptor's file for this (R_OK, W_OK, X_OK)?
bool may_access(int fd, int mode);
// ... the entry of a directory, which is not followed if it is a symbolic link?
bool may_access_at(int directory, const char* name, int mode);

inline constexpr unsigned stat_mask = STATX_BASIC_STATS | STATX_BTIME;

// [MS-DTYP] 2.3.3: 100 ns since 1601.
vfs::FileTime to_file_time(std::int64_t seconds, std::uint32_t nanoseconds);
inline vfs::FileTime to_file_time(const ::statx_timestamp& time) {
    return to_file_time(time.tv_sec, time.tv_nsec);
}
::timespec to_timespec(vfs::FileTime time);

inline std::uint64_t device_of(const struct ::statx& st) {
    return (std::uint64_t{st.stx_dev_major} << 32U) | st.stx_dev_minor;
}
inline vfs::FileId id_of(const struct ::statx& st) { return {device_of(st), st.stx_ino, 0}; }
inline DirKey key_of(const struct ::statx& st) { return {device_of(st), st.stx_ino}; }
// Since 1970; the earliest or latest that is counted if it is beyond.
std::int64_t nanoseconds(const ::statx_timestamp& time);
DirStamp stamp_of(const struct ::statx& st);

}  // namespace smb3d::vfs_posix
