// EventLoop: what src/loop adds to smb3d::Loop for its owner, and the choice between io_uring and
// epoll.
//
// Thread: `run` makes its thread the loop's; `stop`, `turns` from any; construction and destruction
// while it does not run. Lifetime: before it is destroyed, run() must have returned and every
// operation and timer be done: operations that are
//   still under way are forgotten, their `done` never comes.
// Errors: make_* return null and say why in a sentence.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "base/buffer_pool.h"
#include "smb3d/loop.h"

namespace smb3d::loop {

struct LoopOptions {
    BufferPool* buffers{nullptr};         // required
    WorkerPool* pool{nullptr};            // required where Loop::pool() is used
    SizedBufferPool* trimmed{nullptr};    // trimmed once a second by this loop, if set
    unsigned ring_entries{512};           // io_uring: submissions prepared at once
    unsigned receive_buffers{64};         // io_uring: a power of two
    unsigned receive_buffer_size{32768};  // io_uring: bytes each
    unsigned scratch_size{32768};         // epoll: bytes of one recv_pooled
};

class EventLoop : public Loop {
  public:
    // Runs until stop(), on the calling thread.
    virtual void run() = 0;
    // Ends run() after what has been posted so far.
    virtual void stop() = 0;
    // Counts the loop's turns; at least one a second while it is healthy.
    virtual std::uint64_t turns() const = 0;
    virtual const char* kind() const = 0;  // "io_uring", "epoll"
};

// True if this process may use io_uring with all that make_uring_loop needs.
bool uring_works(std::string& why_not);

std::unique_ptr<EventLoop> make_uring_loop(unsigned index, const LoopOptions& options,
                                           std::string& why_not);
std::unique_ptr<EventLoop> make_epoll_loop(unsigned index, const LoopOptions& options,
                                           std::string& why_not);

// A thread that runs one loop; signals are blocked on it.
class LoopThread {
  public:
    LoopThread() = default;
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;
    ~LoopThread();  // stop() must have been called

    // Returns when the loop runs.
    void start(EventLoop& loop, const std::string& name);
    // Asks the loop to end and waits for it.  May be called twice.
    void stop();

  private:
    EventLoop* loop_{nullptr};
    std::thread thread_;
};

// Names the calling thread (15 characters are kept) and blocks the signals that are the control
// thread's.
void set_up_thread(const std::string& name);

}  // namespace smb3d::loop
