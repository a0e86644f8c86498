// TickClock: the cheapest clock for short times: the processor's counter where it is reliable.
//
// Purpose: two readings a request must cost next to nothing (about 10 ns each on the counter, 25 by
//   clock_gettime).
// Thread: any.  Lifetime: made on first use (which takes about a millisecond), immutable from then
//   on.
// Errors: none; without an invariant counter it is CLOCK_MONOTONIC.
#pragma once

#include <cstdint>

namespace smb3d {

class TickClock {
  public:
    static const TickClock& get();
    std::uint64_t now() const { return counter_ ? read_counter() : read_monotonic(); }
    std::uint64_t nanoseconds(std::uint64_t ticks) const {
        return static_cast<std::uint64_t>(static_cast<unsigned __int128>(ticks) * scale_ >> 32);
    }
    bool uses_counter() const { return counter_; }

    TickClock(const TickClock&) = delete;
    TickClock& operator=(const TickClock&) = delete;

  private:
    TickClock();
    static std::uint64_t read_monotonic();
    static std::uint64_t read_counter() {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#else
        return 0;
#endif
    }

    bool counter_{false};
    std::uint64_t scale_{std::uint64_t{1} << 32};  // nanoseconds a tick, times 2^32
};

}  // namespace smb3d
