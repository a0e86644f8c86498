#include "base/tick_clock.h"

#include <ctime>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace smb3d {

namespace {

// [Intel SDM] 17.17.1, [AMD APM] 13.2.4: the counter runs at one rate in all states.
bool has_invariant_counter() {
#if defined(__x86_64__)
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1U << 8) != 0;
#else
    return false;
#endif
}

constexpr std::uint64_t calibration_ns = 1'000'000;

}  // namespace

std::uint64_t TickClock::read_monotonic() {
    ::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

TickClock::TickClock() {
    if (!has_invariant_counter()) return;
    const std::uint64_t begin = read_monotonic();
    const std::uint64_t first = read_counter();
    std::uint64_t end = begin;
    while (end - begin < calibration_ns) end = read_monotonic();
    const std::uint64_t ticks = read_counter() - first;
    if (ticks == 0) return;
    scale_ =
        static_cast<std::uint64_t>((static_cast<unsigned __int128>(end - begin) << 32) / ticks);
    counter_ = scale_ != 0;
    if (!counter_) scale_ = std::uint64_t{1} << 32;
}

const TickClock& TickClock::get() {
    static const TickClock clock;
    return clock;
}

}  // namespace smb3d
