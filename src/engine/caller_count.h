// CallerCount: lets a back end call into the server until close(), and close() wait for the calls
// that are under way.
//
// Purpose: a listener outlives the server if a back end still has it (HostListener,
//   HostGuardListener).
// Thread: enter() and leave() from any; close() once, not on a loop.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace smb3d::engine {

class CallerCount {
  public:
    // False: closed; leave() follows all the same.
    bool enter() { return (users_.fetch_add(1, std::memory_order_acquire) & closed_bit) == 0; }
    void leave() { users_.fetch_sub(1, std::memory_order_release); }
    void close() {
        users_.fetch_or(closed_bit, std::memory_order_acq_rel);
        while (users_.load(std::memory_order_acquire) != closed_bit) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }

  private:
    static constexpr std::uint32_t closed_bit = 0x8000'0000;
    std::atomic<std::uint32_t> users_{0};
};

}  // namespace smb3d::engine
