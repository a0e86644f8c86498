#include "engine/break_timers.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

BreakTimers::BreakTimers(Loop& loop, Over over) : loop_(loop), over_(std::move(over)) {
    timer_.owner = this;
    timer_.fire = [](Timer* timer) { static_cast<OwnedTimer*>(timer)->owner->fire(); };
}

void BreakTimers::watch(const fsa::CacheHolder& holder, std::weak_ptr<fsa::File> file,
                        const fsa::BreakNotice& notice) {
    if (stopped_.load(std::memory_order_acquire)) return;
    const std::int64_t timeout_ms = timeout_ms_.load(std::memory_order_relaxed);
    std::list<Watched> made(1);  // allocated, and what it replaces freed, without the lock
    Watched& watched = made.front();
    watched.holder = &holder;
    watched.deadline_ns = monotonic_ns() + static_cast<std::uint64_t>(timeout_ms) * 1'000'000;
    watched.file = std::move(file);
    watched.grant = notice.grant;
    watched.number = notice.number;
    std::list<Watched> replaced;
    bool idle = false;
    {
        const auto state = state_.lock();
        const auto [place, inserted] = state->places.try_emplace(&holder);
        if (!inserted) replaced.splice(replaced.end(), state->order, place->second);
        place->second = made.begin();
        state->order.splice(state->order.end(), made);
        idle = !std::exchange(state->armed, true);
    }
    if (idle) post_function(loop_, [this] { arm(); });
}

void BreakTimers::forget(const fsa::CacheHolder& holder, std::uint32_t number) {
    std::list<Watched> over;
    const auto state = state_.lock();
    const auto place = state->places.find(&holder);
    if (place == state->places.end() || place->second->number != number) return;
    over.splice(over.end(), state->order, place->second);
    state->places.erase(place);
}

void BreakTimers::arm() {
    if (stopped_.load(std::memory_order_acquire)) return;
    std::uint64_t deadline = 0;
    {
        const auto state = state_.lock();
        state->armed = !state->order.empty();
        if (!state->armed) return;
        deadline = state->order.front().deadline_ns;
    }
    const std::uint64_t now = monotonic_ns();
    loop_.arm(timer_, std::chrono::nanoseconds(deadline > now ? deadline - now : 1));
}

void BreakTimers::fire() {
    std::list<Watched> due;
    {
        const auto state = state_.lock();
        const std::uint64_t now = monotonic_ns();
        while (!state->order.empty() && state->order.front().deadline_ns <= now) {
            state->places.erase(state->order.front().holder);
            due.splice(due.end(), state->order, state->order.begin());
        }
    }
    for (const Watched& watched : due) {
        const std::shared_ptr<fsa::File> file = watched.file.lock();
        const std::shared_ptr<fsa::Grant> grant = watched.grant.lock();
        // Answered in time if the number has moved on, or the break is over: fsa knows.
        if (file && grant) over_(file, grant, watched.number);
    }
    arm();
}

void BreakTimers::stop() {
    stopped_.store(true, std::memory_order_release);
    if (timer_.armed()) loop_.disarm(timer_);
    const auto state = state_.lock();
    state->places.clear();
    state->order.clear();
}

}  // namespace smb3d::engine
