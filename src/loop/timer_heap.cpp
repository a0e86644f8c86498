#include "loop/timer_heap.h"

namespace smb3d::loop {

void TimerHeap::place(Timer* timer, std::size_t index) {
    heap_[index] = timer;
    timer->heap_index = index;
}

void TimerHeap::up(Timer* timer, std::size_t index) {
    while (index > 0) {
        const std::size_t parent = (index - 1) / 2;
        if (heap_[parent]->deadline_ns <= timer->deadline_ns) break;
        place(heap_[parent], index);
        index = parent;
    }
    place(timer, index);
}

void TimerHeap::down(Timer* timer, std::size_t index) {
    for (;;) {
        std::size_t child = 2 * index + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ns < heap_[child]->deadline_ns) {
            ++child;
        }
        if (timer->deadline_ns <= heap_[child]->deadline_ns) break;
        place(heap_[child], index);
        index = child;
    }
    place(timer, index);
}

void TimerHeap::arm(Timer& timer, std::uint64_t deadline_ns) {
    if (!timer.armed()) {
        heap_.push_back(&timer);
        timer.deadline_ns = deadline_ns;
        up(&timer, heap_.size() - 1);
        return;
    }
    const bool earlier = deadline_ns < timer.deadline_ns;
    timer.deadline_ns = deadline_ns;
    if (earlier) {
        up(&timer, timer.heap_index);
    } else {
        down(&timer, timer.heap_index);
    }
}

void TimerHeap::disarm(Timer& timer) {
    if (!timer.armed()) return;
    const std::size_t index = timer.heap_index;
    timer.heap_index = nowhere;
    Timer* last = heap_.back();
    heap_.pop_back();
    if (last == &timer) return;
    if (index > 0 && last->deadline_ns < heap_[(index - 1) / 2]->deadline_ns) {
        up(last, index);
    } else {
        down(last, index);
    }
}

Timer* TimerHeap::pop_due(std::uint64_t now_ns) {
    if (heap_.empty() || heap_.front()->deadline_ns > now_ns) return nullptr;
    Timer* timer = heap_.front();
    disarm(*timer);
    return timer;
}

}  // namespace smb3d::loop
