// WorkQueue: many threads push, one takes everything at once.  Intrusive, lock-free, first in first
// out.
//
// Thread: push from any; empty and take_all on the consumer's.
// Lifetime: a Work stays until it has been taken and run.
#pragma once

#include <atomic>

#include "smb3d/loop.h"

namespace smb3d::loop {

class WorkQueue {
  public:
    // True if the queue was empty: the pusher then sees to it that the consumer wakes.
    bool push(Work& work) {
        Work* head = head_.load(std::memory_order_relaxed);
        do {
            work.next = head;
            // Sequentially consistent, as are the consumer's empty() and its flag "sleeping":
            // either the consumer sees this work before it sleeps, or the pusher sees that it
            // sleeps.
        } while (!head_.compare_exchange_weak(head, &work, std::memory_order_seq_cst,
                                              std::memory_order_relaxed));
        return head == nullptr;
    }
    bool empty() const { return head_.load(std::memory_order_seq_cst) == nullptr; }
    // The oldest first, linked by `next`.
    Work* take_all() {
        Work* newest = head_.exchange(nullptr, std::memory_order_acquire);
        Work* oldest = nullptr;
        while (newest != nullptr) {
            Work* next = newest->next;
            newest->next = oldest;
            oldest = newest;
            newest = next;
        }
        return oldest;
    }

  private:
    std::atomic<Work*> head_{nullptr};
};

}  // namespace smb3d::loop
