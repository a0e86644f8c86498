// CopyWays: which of two ways to copy data within the page cache costs this machine less.
//
// Purpose: copy_file_range copies page by page on file systems that cannot share blocks; writing
//   from a mapping of the source copies in large folios, but has pages to map.  Which is cheaper
//   depends on the kernel, the file system and the processor: 4 against 6 ms of CPU for 16 MiB on
//   one machine, 12 against 6 on another.  So each copy is measured, the cheaper way is taken, and
//   the other is tried again now and then.
// Thread: any; relaxed atomics, since a lost measurement costs nothing.
// Lifetime: the Share's.  Errors: none.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace smb3d::vfs_posix {

class CopyWays {
  public:
    enum class Way : std::uint8_t { mapping, copy_file_range };
    // Of so many copies one goes the way that cost more the last time.
    static constexpr std::uint32_t again = 32;

    Way choose();
    // `cpu_ns` of the thread that copied.
    void measured(Way way, std::uint64_t bytes, std::uint64_t cpu_ns);

  private:
    std::atomic<std::uint64_t>& cost(Way way) { return costs_[static_cast<std::size_t>(way)]; }

    // ns for a MiB, an average of the last few; 0 if not known.
    std::array<std::atomic<std::uint64_t>, 2> costs_{};
    std::atomic<std::uint32_t> copies_{0};
};

}  // namespace smb3d::vfs_posix
