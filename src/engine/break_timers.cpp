#include "engine/break_timers.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

BreakTimers::BreakTimers(Loop& loop) : loop_(loop) {
    timer_.owner = this;
    timer_.fire = [](Timer* timer) { static_cast<OwnedTimer*>(timer)->owner->fire(); };
}

void BreakTimers::watch(std::weak_ptr<fsa::File> file, const fsa::BreakNotice& notice) {
    if (stopped_.load(std::memory_order_acquire)) return;
    const std::int64_t timeout_ms = timeout_ms_.load(std::memory_order_relaxed);
    Watched watched;
    watched.deadline_ns = monotonic_ns() + static_cast<std::uint64_t>(timeout_ms) * 1'000'000;
    watched.file = std::move(file);
    watched.grant = notice.grant;
    watched.number = notice.number;
    bool first = false;
    {
        auto list = watched_.lock();
        first = list->empty();
        list->push_back(std::move(watched));
    }
    if (first) post_function(loop_, [this] { arm(); });
}

void BreakTimers::arm() {
    if (stopped_.load(std::memory_order_acquire)) return;
    std::uint64_t deadline = 0;
    {
        auto list = watched_.lock();
        if (list->empty()) return;
        deadline = list->front().deadline_ns;
    }
    const std::uint64_t now = monotonic_ns();
    loop_.arm(timer_, std::chrono::nanoseconds(deadline > now ? deadline - now : 1));
}

void BreakTimers::fire() {
    std::vector<Watched> due;
    {
        auto list = watched_.lock();
        const std::uint64_t now = monotonic_ns();
        while (!list->empty() && list->front().deadline_ns <= now) {
            due.push_back(std::move(list->front()));
            list->pop_front();
        }
    }
    for (const Watched& watched : due) {
        const std::shared_ptr<fsa::File> file = watched.file.lock();
        const std::shared_ptr<fsa::Grant> grant = watched.grant.lock();
        // Answered in time if the number has moved on, or the break is over: fsa knows.
        if (file && grant) file->break_timed_out(grant, watched.number);
    }
    arm();
}

void BreakTimers::stop() {
    stopped_.store(true, std::memory_order_release);
    if (timer_.armed()) loop_.disarm(timer_);
    watched_.lock()->clear();
}

}  // namespace smb3d::engine
