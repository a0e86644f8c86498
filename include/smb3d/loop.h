// Loop: one event-loop thread, and WorkerPool: the threads for what may block.
//
// Purpose: the only way to sockets, timers, file I/O in the background and other threads.  Two
//   implementations (src/loop: io_uring, epoll), chosen by a probe at start.
// Thread: `post`, `pool`, `index` and `in_loop_thread` from any thread; everything else on the
//   loop's own thread only (or, while the loop does not run, on the one thread that sets it up or
//   takes it down).
// Lifetime: operations, timers and work items are the caller's objects and must stay where they are
//   until their function has run (or, for a timer, until disarmed).
// Errors: results are those of the system call: >= 0, or -errno.
// Contract: a completion function runs from the top of the loop, never nested inside the call that
//   started it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/socket.h>
#include <sys/uio.h>

#include "smb3d/buffer.h"

namespace smb3d {

// A unit of work for another thread: intrusive, so posting allocates nothing.  `run` may delete or
// reuse it.
struct Work {
    using Run = void (*)(Work*);
    Run run{nullptr};
    Work* next{nullptr};  // the queue's
};

// An asynchronous system call: intrusive, caller-owned.
struct IoOp {
    using Done = void (*)(IoOp*, int result);
    Done done{nullptr};
    // Of recv_pooled: the most that is wanted (0: as much as there is), when what follows shall
    // be received where it belongs.
    std::uint32_t at_most{0};
    // Of send_all: `done` may come as late as the loop's next event, up to a second.
    bool unhurried{false};
    // The loop's own from here on.
    IoOp* next{nullptr};
    std::uint64_t scratch[6]{};
    ::msghdr message{};
};

struct Timer {
    using Fire = void (*)(Timer*);
    Fire fire{nullptr};
    // The loop's own from here on.
    std::uint64_t deadline_ns{0};
    std::size_t heap_index{static_cast<std::size_t>(-1)};
    bool armed() const { return heap_index != static_cast<std::size_t>(-1); }
};

// Priority lanes of the worker pool, most urgent first: a bulk copy never starves a directory
// listing.
enum class Lane : std::uint8_t { session, metadata, small_io, bulk_io, background };
inline constexpr std::size_t lane_count = 5;

class WorkerPool {
  public:
    virtual ~WorkerPool() = default;
    // Runs `work` on a worker thread.  Queues are bounded by the credits clients hold, not here.
    virtual void submit(Lane lane, Work& work) = 0;
};

class Loop {
  public:
    virtual ~Loop() = default;

    virtual unsigned index() const = 0;        // 0 .. number of loops - 1, for per-loop state
    virtual bool in_loop_thread() const = 0;   // also true while the loop does not run
    virtual std::uint64_t now_ns() const = 0;  // CLOCK_MONOTONIC, read once a turn
    virtual BufferPool& buffers() = 0;
    virtual WorkerPool& pool() = 0;

    // Runs `work` on this loop's thread.  Any thread; wakes the loop if it sleeps.
    virtual void post(Work& work) = 0;

    // Fires once, `after` from now, at the loop's top.  Arming an armed timer moves it.
    virtual void arm(Timer& timer, std::chrono::nanoseconds after) = 0;
    virtual void disarm(Timer& timer) = 0;

    // -- sockets
    // At most one operation that receives (accept, recv_*) and one that sends at a time on a
    // descriptor; a descriptor is closed only when none is under way.  Descriptors may be blocking
    // or not. One connection accepted from `fd`: the result is the new descriptor (close-on-exec;
    // non-blocking or not as the loop prefers it).
    virtual void accept(IoOp& op, int fd) = 0;
    // Waits for data and receives it into memory of the loop's, so that an idle connection holds
    // none. `done` gets the count (0: end of stream); `received(op)` gives the bytes, valid during
    // `done` only.
    virtual void recv_pooled(IoOp& op, int fd) = 0;
    virtual Bytes received(const IoOp& op) const = 0;
    // Receives exactly into.size() bytes straight into the caller's memory; fewer only at end of
    // stream.
    virtual void recv_exact(IoOp& op, int fd, MutableBytes into) = 0;
    // Sends all of `parts` (which must stay, with their data, until done).  The result is the
    // total, or -errno.
    virtual void send_all(IoOp& op, int fd, std::span<::iovec> parts) = 0;
    // Waits until `fd` is ready for `events` (poll(2) bits); the result is the bits that are set.
    virtual void poll(IoOp& op, int fd, std::uint32_t events) = 0;
    // Asks an operation of this loop to end early; its `done` still comes, with -ECANCELED unless
    // it was done.
    virtual void cancel(IoOp& op) = 0;

    // -- files
    // True if the ring does file I/O in the background; if false, the calls below must not be used
    // and a back end takes the worker pool instead.
    virtual bool has_file_io() const = 0;
    virtual void file_read(IoOp& op, int fd, std::span<const ::iovec> into,
                           std::uint64_t offset) = 0;
    virtual void file_write(IoOp& op, int fd, std::span<const ::iovec> from, std::uint64_t offset,
                            int rwf_flags) = 0;
    virtual void file_sync(IoOp& op, int fd, bool data_only) = 0;
};

}  // namespace smb3d
