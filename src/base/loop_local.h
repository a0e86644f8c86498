// LoopLocal<T>: state that only one loop's thread may touch, enforced by a type.
//
// Thread: get() asserts the loop's thread in debug builds.  [EdenFS EventBaseState]
#pragma once

#include <cassert>
#include <utility>

#include "smb3d/loop.h"

namespace smb3d {

template <class T>
class LoopLocal {
  public:
    template <class... Args>
    explicit LoopLocal(const Loop& loop, Args&&... args)
        : loop_(loop), value_(std::forward<Args>(args)...) {}
    T& get() {
        assert(loop_.in_loop_thread());
        return value_;
    }
    const T& get() const {
        assert(loop_.in_loop_thread());
        return value_;
    }
    T* operator->() { return &get(); }
    const T* operator->() const { return &get(); }

  private:
    const Loop& loop_;
    T value_;
};

}  // namespace smb3d
