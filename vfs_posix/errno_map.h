// errno -> NtStatus: the one table of this back end.
//
// Spec: [MS-ERREF] 2.3.1 for the values, [MS-FSA] 2.1.5 for which condition has which.
// Thread: any (pure functions).
#pragma once

#include <cerrno>

#include "smb3d/status.h"

namespace smb3d::vfs_posix {

struct ErrnoRow {
    int error;
    NtStatus status;
};

inline constexpr ErrnoRow errno_rows[] = {
    {EPERM, NtStatus::ACCESS_DENIED},
    {EACCES, NtStatus::ACCESS_DENIED},
    {ENOENT, NtStatus::OBJECT_NAME_NOT_FOUND},
    {ENOTDIR,
     NtStatus::OBJECT_PATH_NOT_FOUND},  // of a parent; a last component is asked for its kind
    {ELOOP, NtStatus::OBJECT_PATH_NOT_FOUND},
    {EEXIST, NtStatus::OBJECT_NAME_COLLISION},
    {EISDIR, NtStatus::FILE_IS_A_DIRECTORY},
    {ENOTEMPTY, NtStatus::DIRECTORY_NOT_EMPTY},
    {EXDEV, NtStatus::NOT_SAME_DEVICE},
    {ENAMETOOLONG,
     NtStatus::OBJECT_NAME_INVALID},  // as NTFS for a component of more than 255 units
    {EILSEQ, NtStatus::OBJECT_NAME_INVALID},
    {EMFILE, NtStatus::TOO_MANY_OPENED_FILES},
    {ENFILE, NtStatus::TOO_MANY_OPENED_FILES},
    {ENOMEM, NtStatus::INSUFFICIENT_RESOURCES},
    {ENOBUFS, NtStatus::INSUFFICIENT_RESOURCES},
    {EMLINK, NtStatus::TOO_MANY_LINKS},
    {EROFS, NtStatus::MEDIA_WRITE_PROTECTED},
    {ENOSPC, NtStatus::DISK_FULL},
    {EDQUOT, NtStatus::DISK_FULL},  // as Windows answers a write beyond a hard quota
    {EFBIG, NtStatus::DISK_FULL},   // as NTFS answers a file that would get too large
    {ETXTBSY, NtStatus::SHARING_VIOLATION},
    {EBUSY, NtStatus::SHARING_VIOLATION},
    {EIO, NtStatus::UNEXPECTED_IO_ERROR},
    {EINVAL, NtStatus::INVALID_PARAMETER},
    {EBADF, NtStatus::INVALID_HANDLE},
    {EOPNOTSUPP, NtStatus::NOT_SUPPORTED},
    {ENOSYS, NtStatus::NOT_SUPPORTED},
    {ENODEV, NtStatus::NO_SUCH_DEVICE},
    {ENXIO, NtStatus::ACCESS_DENIED},  // opening a socket, or a FIFO that nobody reads
    {ESTALE, NtStatus::FILE_CLOSED},
    {ETIMEDOUT, NtStatus::IO_TIMEOUT},
    {ECANCELED, NtStatus::CANCELLED},
    {EINTR, NtStatus::CANCELLED},
};

constexpr NtStatus status_from_errno(int error) {
    for (const ErrnoRow& row : errno_rows) {
        if (row.error == error) return row.status;
    }
    return NtStatus::UNSUCCESSFUL;
}

inline Fail fail_errno(int error) { return fail(status_from_errno(error)); }
inline Fail fail_errno() { return fail_errno(errno); }

}  // namespace smb3d::vfs_posix
