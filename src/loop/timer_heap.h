// TimerHeap: the armed timers of a loop, the earliest at the top; a binary heap that knows where
// each timer is.
//
// Thread: the loop's.  Lifetime: an armed Timer stays where it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "smb3d/loop.h"

namespace smb3d::loop {

class TimerHeap {
  public:
    bool empty() const { return heap_.empty(); }
    std::uint64_t earliest() const { return heap_.front()->deadline_ns; }
    void arm(Timer& timer, std::uint64_t deadline_ns);
    void disarm(Timer& timer);
    // The earliest timer if it is due, taken out; else null.
    Timer* pop_due(std::uint64_t now_ns);

  private:
    static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
    void place(Timer* timer, std::size_t index);
    void up(Timer* timer, std::size_t index);
    void down(Timer* timer, std::size_t index);

    std::vector<Timer*> heap_;
};

}  // namespace smb3d::loop
