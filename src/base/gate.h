// Gate: stop new work, and tell when the work under way is done.  [Seastar gate]
//
// Thread: one (the owner's loop).  Lifetime: must be idle when destroyed (asserted).
#pragma once

#include <cassert>
#include <cstddef>
#include <functional>
#include <utility>

namespace smb3d {

class Gate {
  public:
    Gate() = default;
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;
    ~Gate() { assert(count_ == 0); }

    // False once closed: the work must not start.
    bool enter() {
        if (closed_) return false;
        ++count_;
        return true;
    }
    void leave() {
        assert(count_ > 0);
        if (--count_ == 0 && closed_ && idle_) std::exchange(idle_, nullptr)();
    }
    // No enter() succeeds any more; `idle` runs once, at once if nothing is inside.
    void close(std::move_only_function<void()> idle) {
        closed_ = true;
        if (count_ == 0) {
            idle();
        } else {
            idle_ = std::move(idle);
        }
    }
    bool closed() const { return closed_; }
    std::size_t count() const { return count_; }

  private:
    std::size_t count_{0};
    bool closed_{false};
    std::move_only_function<void()> idle_;
};

}  // namespace smb3d
