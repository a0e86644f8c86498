// BreakTimers: breaks that wait for their acknowledgment, each for so long only.
//
// Spec: [MS-SMB2] 3.3.2.1 (oplock break acknowledgment timer), 3.3.2.5 (lease), 3.3.6.1, 3.3.6.5.
// Thread: watch() any; the timer runs on one loop.  Lifetime: the server's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>

#include "base/guarded.h"
#include "fsa/file.h"
#include "smb3d/loop.h"

namespace smb3d::engine {

class BreakTimers {
  public:
    explicit BreakTimers(Loop& loop);
    void set_timeout(std::chrono::milliseconds timeout) {
        timeout_ms_.store(timeout.count(), std::memory_order_relaxed);
    }
    void watch(std::weak_ptr<fsa::File> file, const fsa::BreakNotice& notice);
    // No timer is armed any more; on the loop.
    void stop();

  private:
    struct Watched {
        std::uint64_t deadline_ns{0};
        std::weak_ptr<fsa::File> file;
        std::weak_ptr<fsa::Grant> grant;
        std::uint32_t number{0};
    };
    void fire();
    void arm();

    Loop& loop_;
    std::atomic<std::int64_t> timeout_ms_{35'000};
    // In the order of their deadlines, near enough: a changed time-out moves those that follow.
    Guarded<std::deque<Watched>, Rank::leaf> watched_;
    std::atomic<bool> stopped_{false};
    struct OwnedTimer : Timer {
        BreakTimers* owner{nullptr};
    } timer_;
};

}  // namespace smb3d::engine
