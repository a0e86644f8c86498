// Jobs: an operation's blocking part on the worker pool, one small object each.
//
// Thread: run_blocking on the request's loop; the body and `done` run on a worker (or inline
// without a loop). Lifetime: the job deletes itself before `done`, so that `done` may end
// everything the body refers to.
#pragma once

#include <cstdint>
#include <utility>

#include "smb3d/loop.h"
#include "smb3d/vfs.h"

namespace smb3d::vfs_posix {

inline bool cancelled(const vfs::OpContext& context) {
    return context.cancel != nullptr && context.cancel->requested();
}

enum class WhenCancelled : std::uint8_t { skip, run_all_the_same };

// A body that the pool runs once; `body()` yields a Result<T>.
template <class T, class Body>
class BlockingJob final : public Work {
  public:
    BlockingJob(vfs::Cancellation* cancel, vfs::Done<T> done, Body&& body)
        : cancel_(cancel), done_(done), body_(std::move(body)) {
        run = &BlockingJob::execute;
    }

  private:
    static void execute(Work* work) {
        auto* job = static_cast<BlockingJob*>(work);
        const bool skip = job->cancel_ != nullptr && job->cancel_->requested();
        Result<T> result = skip ? Result<T>(fail(NtStatus::CANCELLED)) : job->body_();
        const vfs::Done<T> done = job->done_;
        delete job;
        done(std::move(result));
    }

    vfs::Cancellation* cancel_;
    vfs::Done<T> done_;
    Body body_;
};

template <class T, class Body>
void run_blocking(const vfs::OpContext& context, vfs::Done<T> done, Body body,
                  WhenCancelled when_cancelled = WhenCancelled::skip) {
    vfs::Cancellation* cancel = when_cancelled == WhenCancelled::skip ? context.cancel : nullptr;
    if (context.loop == nullptr) {
        const bool skip = cancel != nullptr && cancel->requested();
        done(skip ? Result<T>(fail(NtStatus::CANCELLED)) : body());
        return;
    }
    auto* job = new BlockingJob<T, Body>(cancel, done, std::move(body));
    context.loop->pool().submit(context.lane, *job);
}

}  // namespace smb3d::vfs_posix
