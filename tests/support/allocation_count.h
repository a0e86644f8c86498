// Counting what a thread allocates: tests/bench/allocations.cpp counts, and what belongs to the
// test and not to the server says so with NotCounted.
//
// Thread: each counts its own.
#pragma once

namespace smb3d::test {

inline thread_local unsigned allocations_not_counted = 0;

// While one lives, its thread's allocations are the test's own.
class NotCounted {
  public:
    NotCounted() { ++allocations_not_counted; }
    NotCounted(const NotCounted&) = delete;
    NotCounted& operator=(const NotCounted&) = delete;
    ~NotCounted() { --allocations_not_counted; }
};

}  // namespace smb3d::test
