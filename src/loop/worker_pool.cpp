#include "loop/worker_pool.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <system_error>

#include <fmt/core.h>

#include "loop/loop.h"

namespace smb3d::loop {

struct WorkerThreads::Worker {
    Worker() { ::sem_init(&wake, 0, 0); }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() { ::sem_destroy(&wake); }

    void sleep() {
        while (::sem_wait(&wake) != 0 && errno == EINTR) {
        }
    }

    ::sem_t wake{};
    std::thread thread;
};

WorkerThreads::WorkerThreads() = default;

WorkerThreads::~WorkerThreads() { assert(workers_.empty()); }

unsigned WorkerThreads::start(unsigned threads, const std::string& name) {
    assert(workers_.empty());
    {
        auto state = state_.lock();
        state->stopping = false;
        state->idle.reserve(threads);  // so that falling asleep allocates nothing
    }
    for (unsigned i = 0; i < threads; ++i) {
        auto worker = std::make_unique<Worker>();
        Worker& self = *worker;
        try {
            worker->thread = std::thread([this, &self, label = fmt::format("{}{}", name, i)] {
                set_up_thread(label);
                work(self);
            });
        } catch (const std::system_error&) {
            break;
        }
        workers_.push_back(std::move(worker));
        ++state_.lock()->threads;
    }
    return static_cast<unsigned>(workers_.size());
}

bool WorkerThreads::is_slow(std::size_t lane) {
    return lane >= static_cast<std::size_t>(Lane::bulk_io);
}

bool WorkerThreads::may_run(const State& state, std::size_t lane) {
    if (state.lanes[lane].head == nullptr) return false;
    // One thread stays free of long transfers, unless there is only one.
    return !is_slow(lane) || state.threads <= 1 || state.slow_running + 1 < state.threads;
}

Work* WorkerThreads::pick(State& state, std::size_t& lane) {
    constexpr std::size_t none = lane_count;
    std::size_t urgent = none;
    std::size_t starved = none;
    for (std::size_t i = 0; i < lane_count; ++i) {
        if (!may_run(state, i)) continue;
        if (urgent == none) urgent = i;
        if (starved == none && state.lanes[i].passed_over >= patience) starved = i;
    }
    if (urgent == none) return nullptr;
    lane = starved != none ? starved : urgent;
    for (std::size_t i = lane + 1; i < lane_count; ++i) {
        if (state.lanes[i].head != nullptr) ++state.lanes[i].passed_over;
    }
    Queue& queue = state.lanes[lane];
    queue.passed_over = 0;
    Work* work = queue.head;
    queue.head = std::exchange(work->next, nullptr);
    --queue.depth;
    if (is_slow(lane)) ++state.slow_running;
    return work;
}

bool WorkerThreads::slow_waits(const State& state) {
    for (std::size_t i = 0; i < lane_count; ++i) {
        if (is_slow(i) && may_run(state, i)) return true;
    }
    return false;
}

bool WorkerThreads::is_drained(const State& state) {
    return std::ranges::all_of(state.lanes,
                               [](const Queue& queue) { return queue.head == nullptr; });
}

void WorkerThreads::submit(Lane lane, Work& work) {
    assert(work.run != nullptr);
    Worker* sleeper = nullptr;
    {
        auto state = state_.lock();
        assert(state->threads > 0 && "submitted to a pool that does not run");
        const auto index = static_cast<std::size_t>(lane);
        Queue& queue = state->lanes[index];
        work.next = nullptr;
        (queue.head == nullptr ? queue.head : queue.tail->next) = &work;
        queue.tail = &work;
        ++queue.depth;
        ++queue.accepted;
        // Who is awake looks for more before it sleeps.  A lane that may not run now is looked at
        // again when a slow piece of work ends.
        if (may_run(*state, index)) {
            sleeper = pop_idle(*state);
        }
    }
    if (sleeper != nullptr) ::sem_post(&sleeper->wake);
}

WorkerThreads::Worker* WorkerThreads::pop_idle(State& state) {
    if (state.idle.empty()) return nullptr;
    Worker* sleeper = state.idle.back();
    state.idle.pop_back();
    return sleeper;
}

void WorkerThreads::work(Worker& self) {
    bool was_slow = false;
    for (;;) {
        std::size_t lane = 0;
        Work* next = nullptr;
        Worker* sleeper = nullptr;
        bool ended = false;
        {
            auto state = state_.lock();
            if (was_slow) --state->slow_running;
            next = pick(*state, lane);
            if (next == nullptr) {
                ended = state->stopping && is_drained(*state);
                // The last pieces of work may have been out of reach of threads that then fell
                // asleep: one that ends wakes another, which ends.
                if (ended) sleeper = pop_idle(*state);
                if (!ended) state->idle.push_back(&self);
            } else if (was_slow && !is_slow(lane) && slow_waits(*state)) {
                sleeper = pop_idle(*state);  // for the place that this thread has made
            }
        }
        if (sleeper != nullptr) ::sem_post(&sleeper->wake);
        if (ended) return;
        was_slow = next != nullptr && is_slow(lane);
        if (next == nullptr) {
            self.sleep();
        } else {
            next->run(next);  // `next` may be gone now
        }
    }
}

void WorkerThreads::stop() {
    std::vector<Worker*> sleepers;
    {
        auto state = state_.lock();
        state->stopping = true;
        sleepers.swap(state->idle);
        state->idle.reserve(workers_.size());
    }
    for (Worker* sleeper : sleepers) ::sem_post(&sleeper->wake);
    for (const auto& worker : workers_) worker->thread.join();
    workers_.clear();
    state_.lock()->threads = 0;
}

std::array<LaneStats, lane_count> WorkerThreads::stats() const {
    std::array<LaneStats, lane_count> result{};
    auto state = state_.lock();
    for (std::size_t i = 0; i < lane_count; ++i) {
        result[i] = {state->lanes[i].depth, state->lanes[i].accepted};
    }
    return result;
}

}  // namespace smb3d::loop
