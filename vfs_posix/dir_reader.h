// DirReader: the names of a directory by getdents64 in large batches.
//
// Thread: one at a time.  Lifetime: entries are valid until the next next().
// Errors: next() is false at the end and on an error; error() tells which.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace smb3d::vfs_posix {

class DirReader {
  public:
    struct Entry {
        std::string_view name;  // NUL-terminated
        std::uint64_t inode{0};
        unsigned char type{0};  // DT_*
    };

    bool next(int fd, Entry& entry);
    void restart();  // after seeking the descriptor to 0
    int error() const { return error_; }

    static bool is_dot_or_dotdot(std::string_view name) { return name == "." || name == ".."; }

  private:
    static constexpr std::size_t buffer_size = 64 * 1024;

    std::unique_ptr<char[]> buffer_;
    std::size_t at_{0};
    std::size_t filled_{0};
    int error_{0};
};

}  // namespace smb3d::vfs_posix
