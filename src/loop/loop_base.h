// LoopBase: what both loops share: the turn, posts, timers, finished operations, wake-up.
//
// A turn: due timers, posted work, finished operations, attempts, then `wait` (which submits,
// sleeps if there is nothing to do, and completes what the system has finished). Thread: as
// smb3d::Loop says.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include <pthread.h>

#include "loop/loop.h"
#include "loop/timer_heap.h"
#include "loop/work_queue.h"

namespace smb3d::loop {

enum class OpKind : std::uint8_t {
    none,
    accept,
    recv_pooled,
    recv_exact,
    send_all,
    poll,
    file_read,
    file_write,
    file_sync,
};

// Where an operation is; the loop's use of IoOp::scratch.
enum class OpPhase : std::uint8_t {
    idle,
    queued,   // waits for its (next) attempt or for room in the ring
    waiting,  // with the system
    ready,    // finished; `done` runs at the loop's top
};

struct OpState {
    OpKind kind{OpKind::none};
    OpPhase phase{OpPhase::idle};
    bool cancelled{false};
    bool polling : 1 {false};  // io_uring: the ring waits for readiness on a non-blocking fd
    bool drained : 1 {false};  // io_uring: the last recv_pooled took all there was
    int fd{-1};
    std::uint32_t flags{0};   // poll events, RWF_*, data_only
    std::int32_t result{0};   // in phase ready
    void* memory{nullptr};    // iovec array, or bytes
    std::size_t size{0};      // of iovecs, or of bytes
    std::uint64_t offset{0};  // into the file; of received data: where it is (as a pointer)
    std::size_t finished{0};  // bytes so far
};
static_assert(sizeof(OpState) <= sizeof(IoOp::scratch));

inline OpState& state_of(IoOp& op) { return *std::launder(reinterpret_cast<OpState*>(op.scratch)); }
inline const OpState& state_of(const IoOp& op) {
    return *std::launder(reinterpret_cast<const OpState*>(op.scratch));
}

// A first-in first-out list of operations.
class OpList {
  public:
    bool empty() const { return head_ == nullptr; }
    void push(IoOp& op) {
        op.next = nullptr;
        (head_ == nullptr ? head_ : tail_->next) = &op;
        tail_ = &op;
    }
    void push_front(IoOp& op) {
        op.next = head_;
        if (head_ == nullptr) tail_ = &op;
        head_ = &op;
    }
    IoOp* pop() {
        IoOp* op = head_;
        if (op != nullptr) head_ = op->next;
        return op;
    }
    // Takes over everything `other` holds.
    void take(OpList& other) {
        head_ = other.head_;
        tail_ = other.tail_;
        other.head_ = nullptr;
    }

  private:
    IoOp* head_{nullptr};
    IoOp* tail_{nullptr};
};

std::uint64_t monotonic_ns();
// Drops the first `count` bytes of `parts`.
std::span<::iovec> skip_sent(std::span<::iovec> parts, std::size_t count);

class LoopBase : public EventLoop {
  public:
    LoopBase(unsigned index, const LoopOptions& options);
    LoopBase(const LoopBase&) = delete;
    LoopBase& operator=(const LoopBase&) = delete;
    ~LoopBase() override;

    unsigned index() const override { return index_; }
    bool in_loop_thread() const override;
    std::uint64_t now_ns() const override { return now_ns_; }
    BufferPool& buffers() override { return *options_.buffers; }
    WorkerPool& pool() override;
    void post(Work& work) override;
    void arm(Timer& timer, std::chrono::nanoseconds after) override;
    void disarm(Timer& timer) override { timers_.disarm(timer); }

    void accept(IoOp& op, int fd) override;
    void recv_pooled(IoOp& op, int fd) override;
    void recv_exact(IoOp& op, int fd, MutableBytes into) override;
    void send_all(IoOp& op, int fd, std::span<::iovec> parts) override;
    void poll(IoOp& op, int fd, std::uint32_t events) override;
    Bytes received(const IoOp& op) const override;

    void run() override;
    void stop() override;
    std::uint64_t turns() const override { return turns_.load(std::memory_order_relaxed); }

  protected:
    // The operation's state is filled in; it begins, and `done` comes from the top.
    virtual void begin(IoOp& op) = 0;
    // On the loop's thread, before the first turn; false if the loop cannot run.
    virtual bool prepare_run() = 0;
    // At the top, after finished operations.
    virtual void run_attempts() {}
    // About once a second, on the loop's thread: memory that is idle can go.
    virtual void trim_idle() {}
    // Submits, waits for up to `timeout_ns` (0: not at all) unless something is finished, and
    // completes.
    virtual void wait(std::uint64_t timeout_ns) = 0;

    static OpState& reset(IoOp& op, OpKind kind, int fd);
    // Its `done` will run at the top with `result`.
    void finish_later(IoOp& op, int result);
    // At the top: runs `done` now.  The operation may be gone afterwards.
    static void finish(IoOp& op, int result);
    // For wait(): true if it may block.  Call awake() when it no longer does.
    bool may_sleep();
    void awake();

    int wake_fd() const { return wake_fd_; }
    const LoopOptions& options() const { return options_; }
    bool running() const { return running_.load(std::memory_order_acquire); }
    // Work for the top that wait() must not sleep on.
    virtual bool has_more() const { return !ready_.empty(); }

  private:
    static constexpr std::uint64_t heartbeat_ns = 1'000'000'000;

    void turn();
    void run_posts();
    void run_timers();
    void run_ready();
    void wake();
    std::uint64_t time_to_wait() const;
    static void on_heartbeat(Timer* timer);

    struct Heartbeat : Timer {
        LoopBase* loop{nullptr};
    };

    const unsigned index_;
    const LoopOptions options_;
    int wake_fd_{-1};
    std::uint64_t now_ns_{0};
    std::atomic<bool> running_{false};
    std::atomic<::pthread_t> thread_{};
    std::atomic<bool> stop_{false};
    std::atomic<bool> sleeping_{false};
    std::atomic<std::uint64_t> turns_{0};
    WorkQueue posts_;
    TimerHeap timers_;
    OpList ready_;
    Heartbeat heartbeat_;
};

}  // namespace smb3d::loop
