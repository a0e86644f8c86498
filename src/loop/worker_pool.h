// WorkerThreads: the threads for what may block, with priority lanes.
//
// Purpose: implements smb3d::WorkerPool.  A more urgent lane goes first; a lane that was passed
// over `patience` times gets
//   its turn; bulk and background together never occupy the last thread.
// Thread: submit and depth from any; start and stop on the owner's.
// Lifetime: stop() must have been called before it is destroyed.
// Errors: none; a thread that cannot be started is one fewer (start returns how many there are).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <semaphore.h>

#include "base/guarded.h"
#include "smb3d/loop.h"

namespace smb3d::loop {

struct LaneStats {
    std::size_t depth{0};       // waiting now
    std::uint64_t accepted{0};  // ever
};

class WorkerThreads final : public WorkerPool {
  public:
    static constexpr unsigned patience = 16;

    WorkerThreads();
    WorkerThreads(const WorkerThreads&) = delete;
    WorkerThreads& operator=(const WorkerThreads&) = delete;
    ~WorkerThreads() override;

    // Returns the number of threads started, at least one or zero on failure.
    unsigned start(unsigned threads, const std::string& name);
    void submit(Lane lane, Work& work) override;
    // Runs all that was submitted, then ends the threads.
    void stop();

    std::array<LaneStats, lane_count> stats() const;

  private:
    struct Worker;
    struct Queue {
        Work* head{nullptr};
        Work* tail{nullptr};
        std::size_t depth{0};
        std::uint64_t accepted{0};
        unsigned passed_over{0};
    };
    struct State {
        std::array<Queue, lane_count> lanes{};
        std::vector<Worker*> idle;  // the last one to fall asleep is the first to wake
        std::size_t slow_running{0};
        std::size_t threads{0};
        bool stopping{false};
    };
    static bool is_slow(std::size_t lane);
    static bool may_run(const State& state, std::size_t lane);
    static bool slow_waits(const State& state);
    static bool is_drained(const State& state);
    static Worker* pop_idle(State& state);
    static Work* pick(State& state, std::size_t& lane);
    void work(Worker& self);

    Guarded<State, Rank::leaf> state_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace smb3d::loop
