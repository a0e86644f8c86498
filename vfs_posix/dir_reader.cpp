#include "vfs_posix/dir_reader.h"

#include <cerrno>
#include <cstddef>
#include <cstring>

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace smb3d::vfs_posix {

bool DirReader::next(int fd, Entry& entry) {
    if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(buffer_size);
    if (at_ >= filled_) {
        const long got = ::syscall(SYS_getdents64, fd, buffer_.get(), buffer_size);
        at_ = 0;
        filled_ = got > 0 ? static_cast<std::size_t>(got) : 0;
        // ENOENT: the directory was removed; it has no more entries.
        error_ = got < 0 && errno != ENOENT ? errno : 0;
        if (got <= 0) return false;
    }
    const char* record = buffer_.get() + at_;
    std::uint16_t length = 0;
    std::memcpy(&length, record + offsetof(::dirent64, d_reclen), sizeof(length));
    std::memcpy(&entry.inode, record + offsetof(::dirent64, d_ino), sizeof(entry.inode));
    std::memcpy(&entry.type, record + offsetof(::dirent64, d_type), sizeof(entry.type));
    entry.name = record + offsetof(::dirent64, d_name);
    at_ += length;
    return true;
}

void DirReader::restart() {
    at_ = 0;
    filled_ = 0;
    error_ = 0;
}

}  // namespace smb3d::vfs_posix
