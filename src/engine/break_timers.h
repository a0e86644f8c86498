// BreakTimers: breaks that wait for their acknowledgment, each for so long only.
//
// Purpose: at most one entry a holder, gone with the answer: what a client can make the server keep
//   is bounded by what it has open, however fast it breaks and acknowledges.
// Spec: [MS-SMB2] 3.3.2.1 (oplock break acknowledgment timer), 3.3.2.5 (lease), 3.3.6.1, 3.3.6.5.
// Thread: watch() and forget() any; the timer runs on one loop.  Lifetime: the server's; an entry
//   does not keep its holder, which is a name here and never followed.
// Cost: O(1) for each break.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>

#include "base/guarded.h"
#include "fsa/file.h"
#include "smb3d/loop.h"

namespace smb3d::engine {

class BreakTimers {
  public:
    // `over`: what is done to a break that was not answered in time; on the loop.
    using Over = std::function<void(std::shared_ptr<fsa::File>, std::shared_ptr<fsa::Grant>,
                                    std::uint32_t number)>;
    BreakTimers(Loop& loop, Over over);
    void set_timeout(std::chrono::milliseconds timeout) {
        timeout_ms_.store(timeout.count(), std::memory_order_relaxed);
    }
    // In place of an earlier break of this holder.
    void watch(const fsa::CacheHolder& holder, std::weak_ptr<fsa::File> file,
               const fsa::BreakNotice& notice);
    // That break is over; nothing happens if a later one is watched already.
    void forget(const fsa::CacheHolder& holder, std::uint32_t number);
    // No timer is armed any more; on the loop.
    void stop();
    std::size_t size() const { return state_.lock()->order.size(); }

  private:
    struct Watched {
        const fsa::CacheHolder* holder{nullptr};
        std::uint64_t deadline_ns{0};
        std::weak_ptr<fsa::File> file;
        std::weak_ptr<fsa::Grant> grant;
        std::uint32_t number{0};
    };
    struct State {
        // In the order of their deadlines, near enough: a changed time-out moves those that follow.
        std::list<Watched> order;
        std::unordered_map<const fsa::CacheHolder*, std::list<Watched>::iterator> places;
        // The timer will fire: not after the first deadline, perhaps before it.
        bool armed{false};
    };
    void fire();
    void arm();

    Loop& loop_;
    const Over over_;
    std::atomic<std::int64_t> timeout_ms_{35'000};
    Guarded<State, Rank::leaf> state_;
    std::atomic<bool> stopped_{false};
    struct OwnedTimer : Timer {
        BreakTimers* owner{nullptr};
    } timer_;
};

}  // namespace smb3d::engine
