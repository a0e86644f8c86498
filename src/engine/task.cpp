#include "engine/task.h"

#include <array>
#include <new>

namespace smb3d::engine {

namespace {

// Frames of one request end on the thread that made them, so a thread's free lists need no lock.
constexpr std::size_t class_size = 256;
constexpr std::size_t class_count = 16;  // up to 4 KiB; larger frames go to the heap
constexpr std::size_t max_free_per_class = 64;

struct FreeFrame {
    FreeFrame* next;
};

struct FreeLists {
    std::array<FreeFrame*, class_count> head{};
    std::array<std::size_t, class_count> count{};
    ~FreeLists() {
        for (FreeFrame* frame : head) {
            while (frame != nullptr) {
                FreeFrame* next = frame->next;
                ::operator delete(static_cast<void*>(frame));
                frame = next;
            }
        }
    }
};

thread_local FreeLists free_lists;

constexpr std::size_t class_of(std::size_t size) { return (size - 1) / class_size; }

}  // namespace

void* allocate_frame(std::size_t size) {
    const std::size_t index = class_of(size);
    if (index >= class_count) return ::operator new(size);
    if (FreeFrame* frame = free_lists.head[index]) {
        free_lists.head[index] = frame->next;
        --free_lists.count[index];
        return frame;
    }
    return ::operator new((index + 1) * class_size);
}

void release_frame(void* memory, std::size_t size) noexcept {
    const std::size_t index = class_of(size);
    if (index >= class_count || free_lists.count[index] >= max_free_per_class) {
        ::operator delete(memory);
        return;
    }
    auto* frame = static_cast<FreeFrame*>(memory);
    frame->next = free_lists.head[index];
    free_lists.head[index] = frame;
    ++free_lists.count[index];
}

void Signal::resume(Work* work) { static_cast<ResumeWork*>(work)->owner->handle_.resume(); }

}  // namespace smb3d::engine
