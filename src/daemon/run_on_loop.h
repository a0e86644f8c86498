// run_on_loop: has a loop's thread do something, and waits for it.
//
// Thread: any but a loop's (the control thread, in effect).  The loop must be running.
// Lifetime: the work lives on the caller's stack; the caller waits.
#pragma once

#include <functional>
#include <future>
#include <utility>

#include "smb3d/loop.h"

namespace smb3d::daemon {

inline void run_on_loop(Loop& loop, std::function<void()> function) {
    struct Task : Work {
        std::function<void()> function;
        std::promise<void> done;
    };
    Task task;
    task.function = std::move(function);
    task.run = [](Work* work) {
        auto* self = static_cast<Task*>(work);
        // The promise goes along: `task` may be gone once the waiter has been told.
        std::promise<void> done = std::move(self->done);
        self->function();
        done.set_value();
    };
    auto finished = task.done.get_future();
    loop.post(task);
    finished.wait();
}

}  // namespace smb3d::daemon
