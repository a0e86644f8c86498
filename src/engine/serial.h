// Serial: a mutex for coroutines, fair, that may be held across co_await: one enumeration of a
// directory at a time, a close after the I/O before it.
//
// Thread: any loops; a waiter is resumed on its own loop.
// Lifetime: outlives its holders and waiters.
#pragma once

#include <deque>
#include <utility>

#include "base/guarded.h"
#include "engine/task.h"

namespace smb3d::engine {

class Serial {
  public:
    class Held {
      public:
        Held() = default;
        explicit Held(Serial& owner) : owner_(&owner) {}
        Held(Held&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
        Held& operator=(Held&& other) noexcept {
            release();
            owner_ = std::exchange(other.owner_, nullptr);
            return *this;
        }
        ~Held() { release(); }
        void release() {
            if (owner_ != nullptr) std::exchange(owner_, nullptr)->release();
        }

      private:
        Serial* owner_{nullptr};
    };

    // Awaitable: Serial::Held held = co_await waiting;  (a named Acquire, see task.h)
    class Acquire {
      public:
        Acquire(Serial& owner, Loop& loop) : owner_(owner), signal_(loop) {
            auto state = owner_.state_.lock();
            if (!state->held) {
                state->held = true;
                signal_.set();
            } else {
                state->waiting.push_back(&signal_);
            }
        }
        bool await_ready() const noexcept { return signal_.await_ready(); }
        bool await_suspend(std::coroutine_handle<> handle) noexcept {
            return signal_.await_suspend(handle);
        }
        Held await_resume() noexcept { return Held(owner_); }

      private:
        Serial& owner_;
        Signal signal_;
    };

  private:
    void release() {
        Signal* next = nullptr;
        {
            auto state = state_.lock();
            if (state->waiting.empty()) {
                state->held = false;
            } else {
                next = state->waiting.front();
                state->waiting.pop_front();
            }
        }
        if (next != nullptr) next->set();
    }

    struct State {
        bool held{false};
        std::deque<Signal*> waiting;
    };
    Guarded<State, Rank::leaf> state_;
};

// InFlight: counts the operations that use an object, refuses new ones once it is being closed, and
//   tells when the last is done.
//
// Thread: any.  Lifetime: outlives the operations.
class InFlight {
  public:
    bool enter() {
        std::uint32_t value = count_.load(std::memory_order_relaxed);
        while ((value & closing_bit) == 0) {
            if (count_.compare_exchange_weak(value, value + 1, std::memory_order_acquire))
                return true;
        }
        return false;
    }
    void leave() {
        if (count_.fetch_sub(1, std::memory_order_acq_rel) == (closing_bit | 1U)) waiter_->set();
    }
    bool closing() const { return (count_.load(std::memory_order_acquire) & closing_bit) != 0; }
    // True for the one caller that begins the closing.  `idle` is set when no operation is left
    // (perhaps at once); it must live until then.
    bool begin_close(Signal& idle) {
        // Only the first caller gets past here, so `waiter_` is written once, before the bit that
        // the last leave() reads with acquire order.
        if (claimed_.exchange(true, std::memory_order_acq_rel)) return false;
        waiter_ = &idle;
        if (count_.fetch_or(closing_bit, std::memory_order_acq_rel) == 0) idle.set();
        return true;
    }

  private:
    static constexpr std::uint32_t closing_bit = 0x8000'0000;
    std::atomic<std::uint32_t> count_{0};
    std::atomic<bool> claimed_{false};
    Signal* waiter_{nullptr};
};

}  // namespace smb3d::engine
