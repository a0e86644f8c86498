// Task<T>: a coroutine that yields a Result, and Pending<T>: the bridge from the VFS's callbacks to
// it.
//
// Purpose: handlers are linear; this is the one place where the completion contract of vfs.h is
//   wrapped.
// Thread: a coroutine starts and is resumed on its request's loop only.  Pending's done() may be
//   called by any thread.
// Lifetime: a Task owns its frame; awaiting it runs it.  Frames come from small per-thread free
//   lists.
// Errors: an exception (std::bad_alloc only) travels to the awaiter; the request loop answers
//   STATUS_INSUFFICIENT_RESOURCES.
//
// GCC 12 destroys aggregate and lambda temporaries twice inside a co_await operand: start the
// operation in a statement of its own, then `co_await` the named Pending.
#pragma once

#include <atomic>
#include <cassert>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "smb3d/loop.h"
#include "smb3d/status.h"
#include "smb3d/vfs.h"

namespace smb3d::engine {

// Frame memory: per-thread free lists of a few size classes, bounded.
void* allocate_frame(std::size_t size);
void release_frame(void* frame, std::size_t size) noexcept;

struct FrameMemory {
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept {
        release_frame(frame, size);
    }
};

template <class T>
class [[nodiscard]] Task {
  public:
    struct promise_type : FrameMemory {
        // Or it is an aggregate, which a coroutine of a class makes from its object (slicing it).
        promise_type() = default;
        std::coroutine_handle<> continuation;
        std::optional<T> value;
        std::exception_ptr exception;

        Task get_return_object() {
            return Task(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        struct Final {
            bool await_ready() noexcept { return false; }
            std::coroutine_handle<> await_suspend(
                std::coroutine_handle<promise_type> self) noexcept {
                return self.promise().continuation;
            }
            void await_resume() noexcept {}
        };
        Final final_suspend() noexcept { return {}; }
        template <class U>
        void return_value(U&& result) {
            value.emplace(std::forward<U>(result));
        }
        void unhandled_exception() { exception = std::current_exception(); }
    };

    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Task(const Task&) = delete;
    Task& operator=(Task&&) = delete;
    ~Task() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) {
        handle_.promise().continuation = awaiter;
        return handle_;
    }
    T await_resume() {
        if (handle_.promise().exception) std::rethrow_exception(handle_.promise().exception);
        return std::move(*handle_.promise().value);
    }

  private:
    explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    std::coroutine_handle<promise_type> handle_;
};

// A coroutine that nobody awaits: it owns itself and ends by itself.  Must not let an exception
// out.
struct Detached {
    struct promise_type : FrameMemory {
        promise_type() = default;
        Detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

// Resumes one coroutine on a loop, when whoever holds it says so; the handshake that lets the event
// come before, while or after the coroutine suspends, from any thread.  Set exactly once.
class Signal {
  public:
    explicit Signal(Loop& loop) : loop_(&loop) {
        work_.run = &Signal::resume;
        work_.owner = this;
    }
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    void set() {
        if (state_.exchange(set_state, std::memory_order_acq_rel) == suspended_state) {
            loop_->post(work_);
        }
    }

    bool is_set() const noexcept { return state_.load(std::memory_order_acquire) == set_state; }
    bool await_ready() const noexcept { return is_set(); }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        handle_ = handle;
        int expected = initial_state;
        return state_.compare_exchange_strong(expected, suspended_state, std::memory_order_acq_rel);
    }
    void await_resume() const noexcept {}

  private:
    static void resume(Work* work);
    static constexpr int initial_state = 0;
    static constexpr int suspended_state = 1;
    static constexpr int set_state = 2;

    std::atomic<int> state_{initial_state};
    std::coroutine_handle<> handle_;
    Loop* loop_;
    struct ResumeWork : Work {
        Signal* owner{nullptr};
    } work_{};
};

// The result of one VFS operation:
//     Pending<std::size_t> read(loop);
//     file.read(op, offset, parts, read.done());
//     Result<std::size_t> count = co_await read;
template <class T>
class Pending {
  public:
    explicit Pending(Loop& loop) : signal_(loop) {}
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;

    vfs::Done<T> done() { return vfs::Done<T>(&Pending::complete, this); }

    bool await_ready() const noexcept { return signal_.await_ready(); }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        return signal_.await_suspend(handle);
    }
    Result<T> await_resume() { return std::move(*result_); }
    // Waits without taking the result, so that what must end with the wait can be scoped.
    Signal& ready() { return signal_; }

  private:
    static void complete(void* context, Result<T>&& result) {
        auto* self = static_cast<Pending*>(context);
        assert(!self->result_.has_value());  // a back end that calls done twice
        self->result_.emplace(std::move(result));
        self->signal_.set();
    }

    std::optional<Result<T>> result_;
    Signal signal_;
};

// Runs `function` on the worker pool and resumes here with what it returned: for what may block and
// is no VFS operation (authentication).
template <class Function>
class OnWorker {
  public:
    using Value = std::invoke_result_t<Function>;
    OnWorker(Loop& loop, Lane lane, Function function)
        : function_(std::move(function)), signal_(loop) {
        work_.owner = this;
        work_.run = [](Work* work) {
            auto* self = static_cast<OwnedWork*>(work)->owner;
            self->value_.emplace(self->function_());
            self->signal_.set();
        };
        loop.pool().submit(lane, work_);
    }
    OnWorker(const OnWorker&) = delete;
    OnWorker& operator=(const OnWorker&) = delete;

    bool await_ready() const noexcept { return signal_.await_ready(); }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        return signal_.await_suspend(handle);
    }
    Value await_resume() { return std::move(*value_); }

  private:
    struct OwnedWork : Work {
        OnWorker* owner{nullptr};
    };
    Function function_;
    std::optional<Value> value_;
    Signal signal_;
    OwnedWork work_;
};

}  // namespace smb3d::engine
