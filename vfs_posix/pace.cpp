#include "vfs_posix/pace.h"

#include <algorithm>
#include <chrono>

#include <sys/resource.h>

namespace smb3d::vfs_posix {
namespace {

constexpr std::uint64_t slow_ns = 2'000'000;
constexpr std::uint64_t watch_ns = 2'000'000'000;
constexpr std::uint64_t first_pause_ns = 250'000'000;
constexpr std::uint64_t last_pause_ns = 16'000'000'000;

std::uint64_t monotonic_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds(1));
}

// How often this thread has waited for something.
std::int64_t sleeps() {
    ::rusage usage{};
    return ::getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
}

}  // namespace

bool Pace::quick() const {
    const std::uint64_t until = closed_until_ns_.load(std::memory_order_relaxed);
    return until == 0 || monotonic_ns() >= until;
}

Pace::Watch::Watch(Pace& pace)
    : pace_(pace),
      start_ns_(monotonic_ns()),
      watched_(start_ns_ < pace.watch_until_ns_.load(std::memory_order_relaxed)) {
    if (watched_) slept_before_ = sleeps();
}

Pace::Watch::~Watch() {
    const std::uint64_t now = monotonic_ns();
    if (now - start_ns_ < slow_ns) return;
    pace_.slow(now, watched_ && sleeps() != slept_before_);
}

void Pace::slow(std::uint64_t now_ns, bool slept) {
    watch_until_ns_.store(now_ns + watch_ns, std::memory_order_relaxed);
    if (!slept) return;
    // Soon after the last pause: a longer one.
    const std::uint64_t last = pause_ns_.load(std::memory_order_relaxed);
    const std::uint64_t ended = closed_until_ns_.load(std::memory_order_relaxed);
    const bool again = ended != 0 && now_ns < ended + 4 * last;
    const std::uint64_t pause = again ? std::min(2 * last, last_pause_ns) : first_pause_ns;
    pause_ns_.store(pause, std::memory_order_relaxed);
    closed_until_ns_.store(now_ns + pause, std::memory_order_relaxed);
    watch_until_ns_.store(now_ns + pause + watch_ns, std::memory_order_relaxed);
}

}  // namespace smb3d::vfs_posix
