// Pace: whether short system calls that might wait for the disk are made on a loop's thread.
//
// Purpose: creating a name, removing it, or writing into the page cache takes microseconds unless
//   the disk has to be waited for, and handing it to a worker and back costs as much again.  So
//   they run on the loop for as long as they do not wait.  One that took long puts the Pace on
//   watch; another one that took long and really slept (the thread's voluntary context switches
//   tell waiting from being preempted) sends this kind of operation to the workers for a while,
//   longer each time.
// Thread: any; relaxed atomics, since a late look costs one slow call at most.
// Lifetime: the Share's.  Errors: none.
#pragma once

#include <atomic>
#include <cstdint>

namespace smb3d::vfs_posix {

class Pace {
  public:
    bool quick() const;

    // Brackets one call on a loop's thread.
    class Watch {
      public:
        explicit Watch(Pace& pace);
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;
        ~Watch();

      private:
        Pace& pace_;
        std::uint64_t start_ns_;
        bool watched_;
        std::int64_t slept_before_{0};
    };

  private:
    void slow(std::uint64_t now_ns, bool slept);

    std::atomic<std::uint64_t> closed_until_ns_{0};
    std::atomic<std::uint64_t> watch_until_ns_{0};
    std::atomic<std::uint64_t> pause_ns_{0};
};

}  // namespace smb3d::vfs_posix
