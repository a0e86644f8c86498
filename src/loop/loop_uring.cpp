// The io_uring loop: one ring a thread, submissions batched once a turn, received bytes in provided
// buffers.
//
// io_uring tries every operation at once when it is submitted, so that an attempt of our own before
// it (as in the epoll loop) would only add a system call.  On a non-blocking descriptor it answers
// -EAGAIN instead of waiting: the loop then waits for readiness and tries again.
#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <vector>

#include <fmt/core.h>
#include <limits.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loop/loop_base.h"
#include "loop/uring_ring.h"

namespace smb3d::loop {

namespace {

// user_data that is not an operation's address.
constexpr std::uint64_t data_ignored = 0;
constexpr std::uint64_t data_wake = 1;

constexpr std::size_t max_recv = std::size_t{1} << 30;

bool is_socket_kind(OpKind kind) {
    return kind == OpKind::accept || kind == OpKind::recv_pooled || kind == OpKind::recv_exact ||
           kind == OpKind::send_all;
}

class UringLoop final : public LoopBase {
  public:
    using LoopBase::LoopBase;

    bool open(std::string& why_not) {
        return ring_.open(options().ring_entries, options().receive_buffers,
                          options().receive_buffer_size, why_not);
    }

    const char* kind() const override { return "io_uring"; }
    void cancel(IoOp& op) override;
    bool has_file_io() const override { return true; }
    void file_read(IoOp& op, int fd, std::span<const ::iovec> into, std::uint64_t offset) override;
    void file_write(IoOp& op, int fd, std::span<const ::iovec> from, std::uint64_t offset,
                    int rwf_flags) override;
    void file_sync(IoOp& op, int fd, bool data_only) override;

  private:
    struct Completion {
        std::uint64_t data;
        int result;
        unsigned flags;
    };

    void begin(IoOp& op) override;
    bool prepare_run() override;
    void wait(std::uint64_t timeout_ns) override;
    void trim_idle() override;

    ::io_uring_sqe* get_sqe();
    bool fill(IoOp& op);
    void prepare(::io_uring_sqe* sqe, IoOp& op, OpState& state);
    static void prepare_poll(::io_uring_sqe* sqe, const OpState& state);
    bool submit_cancel(const IoOp& op);
    void arm_wake();
    void flush();
    void enter(std::uint64_t timeout_ns);
    int submit_and_wait(std::uint64_t timeout_ns);
    void reap();
    void complete(const Completion& completion);
    void complete_op(IoOp& op, int result, unsigned flags);
    void complete_pooled(IoOp& op, OpState& state, int result, unsigned flags);
    void complete_exact(IoOp& op, OpState& state, int result);
    void complete_send(IoOp& op, OpState& state, int result);
    void go_on(IoOp& op, OpState& state);
    void end(IoOp& op, int result);

    Ring ring_;
    OpList pending_;              // did not fit into the ring, or found no receive buffer
    std::vector<IoOp*> cancels_;  // cancellations that did not fit
    std::uint64_t wake_value_{0};
    bool wake_armed_{false};
    unsigned unhurried_{0};  // sends in this submission whose completion nobody waits for
    unsigned filled_{0};     // receive buffers filled since the last trim_idle()
    bool touched_{false};    // and any since their pages were given back
    bool min_wait_{false};   // the kernel can wait for several completions and then for fewer
};

// -- starting

void UringLoop::file_read(IoOp& op, int fd, std::span<const ::iovec> into, std::uint64_t offset) {
    assert(in_loop_thread());
    OpState& state = reset(op, OpKind::file_read, fd);
    state.memory = const_cast<::iovec*>(into.data());
    state.size = into.size();
    state.offset = offset;
    begin(op);
}

void UringLoop::file_write(IoOp& op, int fd, std::span<const ::iovec> from, std::uint64_t offset,
                           int rwf_flags) {
    assert(in_loop_thread());
    OpState& state = reset(op, OpKind::file_write, fd);
    state.memory = const_cast<::iovec*>(from.data());
    state.size = from.size();
    state.offset = offset;
    state.flags = static_cast<std::uint32_t>(rwf_flags);
    begin(op);
}

void UringLoop::file_sync(IoOp& op, int fd, bool data_only) {
    assert(in_loop_thread());
    reset(op, OpKind::file_sync, fd).flags = data_only ? IORING_FSYNC_DATASYNC : 0;
    begin(op);
}

void UringLoop::begin(IoOp& op) {
    state_of(op).phase = OpPhase::queued;
    if (!pending_.empty() || !fill(op)) pending_.push(op);
}

::io_uring_sqe* UringLoop::get_sqe() {
    ::io_uring_sqe* sqe = ::io_uring_get_sqe(ring_.get());
    if (sqe != nullptr || !running()) return sqe;
    ::io_uring_submit(ring_.get());
    return ::io_uring_get_sqe(ring_.get());
}

bool UringLoop::fill(IoOp& op) {
    ::io_uring_sqe* sqe = get_sqe();
    if (sqe == nullptr) return false;
    OpState& state = state_of(op);
    if (state.polling) {
        prepare_poll(sqe, state);
    } else {
        prepare(sqe, op, state);
    }
    state.phase = OpPhase::waiting;
    ::io_uring_sqe_set_data(sqe, &op);
    return true;
}

void UringLoop::prepare_poll(::io_uring_sqe* sqe, const OpState& state) {
    ::io_uring_prep_poll_add(sqe, state.fd, state.kind == OpKind::send_all ? POLLOUT : POLLIN);
}

void UringLoop::prepare(::io_uring_sqe* sqe, IoOp& op, OpState& state) {
    const auto parts = static_cast<unsigned>(std::min<std::size_t>(state.size, IOV_MAX));
    switch (state.kind) {
        case OpKind::accept:
            ::io_uring_prep_accept(sqe, state.fd, nullptr, nullptr, SOCK_CLOEXEC);
            break;
        case OpKind::recv_pooled:
            ::io_uring_prep_recv(sqe, state.fd, nullptr, op.at_most, 0);
            ::io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
            sqe->buf_group = Ring::buffer_group;
            // Nothing was left a moment ago: an attempt before waiting would be wasted.
            if (state.drained) sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
            break;
        case OpKind::recv_exact:
            ::io_uring_prep_recv(sqe, state.fd,
                                 static_cast<std::byte*>(state.memory) + state.finished,
                                 std::min(state.size - state.finished, max_recv), MSG_WAITALL);
            break;
        case OpKind::send_all:
            op.message = {};
            op.message.msg_iov = static_cast<::iovec*>(state.memory);
            op.message.msg_iovlen = parts;
            ::io_uring_prep_sendmsg(sqe, state.fd, &op.message, MSG_NOSIGNAL | MSG_WAITALL);
            if (op.unhurried) ++unhurried_;
            break;
        case OpKind::poll:
            ::io_uring_prep_poll_add(sqe, state.fd, state.flags);
            break;
        case OpKind::file_read:
            ::io_uring_prep_readv(sqe, state.fd, static_cast<::iovec*>(state.memory), parts,
                                  state.offset);
            break;
        case OpKind::file_write:
            ::io_uring_prep_writev2(sqe, state.fd, static_cast<::iovec*>(state.memory), parts,
                                    state.offset, static_cast<int>(state.flags));
            break;
        case OpKind::file_sync:
            ::io_uring_prep_fsync(sqe, state.fd, state.flags);
            break;
        case OpKind::none:
            assert(false);
            ::io_uring_prep_nop(sqe);
            break;
    }
}

// -- cancelling

void UringLoop::cancel(IoOp& op) {
    assert(in_loop_thread());
    OpState& state = state_of(op);
    if (state.cancelled || state.phase == OpPhase::idle || state.phase == OpPhase::ready) return;
    state.cancelled = true;
    // A queued operation is ended by flush().  The cancellation precedes in the ring any later use
    // of the same IoOp, so that it cannot hit that one.
    if (state.phase == OpPhase::waiting && !submit_cancel(op)) cancels_.push_back(&op);
}

bool UringLoop::submit_cancel(const IoOp& op) {
    ::io_uring_sqe* sqe = get_sqe();
    if (sqe == nullptr) return false;
    ::io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&op), 0);
    ::io_uring_sqe_set_data64(sqe, data_ignored);
    return true;
}

// -- the turn

bool UringLoop::prepare_run() {
    // [linux/io_uring.h] IORING_FEAT_MIN_TIMEOUT, Linux 6.12.
    min_wait_ = (ring_.get()->features & (1U << 15U)) != 0;
    // A ring can be enabled once: a second run() on the same thread finds it so.
    const int result = ring_.enable();
    if (result == 0 || result == -EBADFD) return true;
    fmt::print(stderr, "io_uring cannot be enabled: error {}\n", -result);
    std::abort();  // uring_works() has just done the same
}

void UringLoop::arm_wake() {
    ::io_uring_sqe* sqe = get_sqe();
    if (sqe == nullptr) return;
    ::io_uring_prep_read(sqe, wake_fd(), &wake_value_, sizeof wake_value_, 0);
    ::io_uring_sqe_set_data64(sqe, data_wake);
    wake_armed_ = true;
}

void UringLoop::flush() {
    if (!wake_armed_) arm_wake();
    while (!cancels_.empty() && submit_cancel(*cancels_.back())) cancels_.pop_back();
    while (IoOp* op = pending_.pop()) {
        if (state_of(*op).cancelled) {
            finish_later(*op, -ECANCELED);
        } else if (!fill(*op)) {
            pending_.push_front(*op);
            break;
        }
    }
}

// Small sends complete while they are submitted, and a wait for any completion would be over at
// once.  So the wait is for one more than there are such sends; should one of them not have
// completed, the other events are late by `patience_us` at most.
int UringLoop::submit_and_wait(std::uint64_t timeout_ns) {
    ::__kernel_timespec limit{.tv_sec = static_cast<long long>(timeout_ns / 1'000'000'000),
                              .tv_nsec = static_cast<long long>(timeout_ns % 1'000'000'000)};
    ::io_uring* ring = ring_.get();
    if (unhurried_ == 0 || !min_wait_) {
        ::io_uring_cqe* cqe = nullptr;
        return ::io_uring_submit_and_wait_timeout(ring, &cqe, 1, &limit, nullptr);
    }
    // liburing 2.3 does not know the minimal wait: what it does in the call above, by hand.
    ::io_uring_sq& sq = ring->sq;
    unsigned tail = *sq.ktail;
    while (sq.sqe_head != sq.sqe_tail) {
        sq.array[tail & sq.ring_mask] = sq.sqe_head & sq.ring_mask;
        ++sq.sqe_head;
        ++tail;
    }
    std::atomic_ref(*sq.ktail).store(tail, std::memory_order_release);
    const unsigned submissions = tail - std::atomic_ref(*sq.khead).load(std::memory_order_acquire);
    // Beyond the next tick of the clock: an earlier timer costs as much as what this saves.
    constexpr std::uint32_t patience_us = 5000;
    struct {
        std::uint64_t sigmask;
        std::uint32_t sigmask_size;
        std::uint32_t min_wait_us;
        std::uint64_t timeout;
    } argument{0, _NSIG / 8, patience_us, reinterpret_cast<std::uintptr_t>(&limit)};
    const long result =
        ::syscall(__NR_io_uring_enter, ring->enter_ring_fd, submissions, unhurried_ + 1,
                  IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument);
    return result < 0 ? -errno : static_cast<int>(result);
}

void UringLoop::enter(std::uint64_t timeout_ns) {
    int result = 0;
    // Without its wake-up in the ring, or with work that does not fit, the loop looks again soon.
    if (!wake_armed_ || !pending_.empty())
        timeout_ns = std::min<std::uint64_t>(timeout_ns, 1'000'000);
    if (timeout_ns == 0 || has_more() || !may_sleep()) {
        result = ::io_uring_submit_and_get_events(ring_.get());
    } else {
        result = submit_and_wait(timeout_ns);
        awake();
    }
    unhurried_ = 0;
    // Not errors: time is up, a signal, short of memory or of room for completions (which reap()
    // now makes).
    if (result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
        result == -EBUSY) {
        return;
    }
    const ::timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
    ::nanosleep(&pause, nullptr);
}

void UringLoop::wait(std::uint64_t timeout_ns) {
    flush();
    enter(timeout_ns);
    reap();
}

void UringLoop::reap() {
    constexpr unsigned batch_size = 64;
    ::io_uring_cqe* cqes[batch_size];
    Completion batch[batch_size];
    // What is there now; what comes meanwhile waits for the next turn, so that timers and posts
    // have theirs.
    unsigned left = ::io_uring_cq_ready(ring_.get());
    while (left > 0) {
        const unsigned count =
            ::io_uring_peek_batch_cqe(ring_.get(), cqes, std::min(left, batch_size));
        if (count == 0) break;
        for (unsigned i = 0; i < count; ++i) {
            batch[i] = {cqes[i]->user_data, cqes[i]->res, cqes[i]->flags};
        }
        ::io_uring_cq_advance(ring_.get(), count);
        left -= count;
        for (unsigned i = 0; i < count; ++i) complete(batch[i]);
    }
}

// -- completing

void UringLoop::complete(const Completion& completion) {
    if (completion.data == data_ignored) return;
    if (completion.data == data_wake) {
        wake_armed_ = false;
        return;
    }
    IoOp& op = *reinterpret_cast<IoOp*>(static_cast<std::uintptr_t>(completion.data));
    complete_op(op, completion.result, completion.flags);
}

void UringLoop::complete_op(IoOp& op, int result, unsigned flags) {
    OpState& state = state_of(op);
    if (state.polling) {
        state.polling = false;
        if (result < 0) {
            end(op, result);
        } else {
            go_on(op, state);
        }
        return;
    }
    if (is_socket_kind(state.kind) && (result == -EAGAIN || result == -EINTR)) {
        state.polling = result == -EAGAIN;
        go_on(op, state);
        return;
    }
    switch (state.kind) {
        case OpKind::recv_pooled:
            complete_pooled(op, state, result, flags);
            break;
        case OpKind::recv_exact:
            complete_exact(op, state, result);
            break;
        case OpKind::send_all:
            complete_send(op, state, result);
            break;
        default:
            end(op, result);
            break;
    }
}

void UringLoop::complete_pooled(IoOp& op, OpState& state, int result, unsigned flags) {
    if (result == -ENOBUFS) {
        // Every buffer is back by the end of this batch of completions; flush() then tries again.
        state.phase = OpPhase::queued;
        pending_.push(op);
        return;
    }
    const bool has_buffer = (flags & IORING_CQE_F_BUFFER) != 0;
    const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
    if (has_buffer && result > 0) {
        state.memory = ring_.buffer(id);
        state.finished = static_cast<std::size_t>(result);
        state.drained = (flags & IORING_CQE_F_SOCK_NONEMPTY) == 0;
    }
    end(op, result);
    if (has_buffer) ring_.recycle(id);
    ++filled_;
}

// Buffers are used in turn, so that a little traffic touches all of them.  A loop that has filled
// fewer than there are in a second gives their pages back: a page fault for each receive is nothing
// at that pace.
void UringLoop::trim_idle() {
    touched_ = touched_ || filled_ != 0;
    const bool idle = filled_ < options().receive_buffers;
    filled_ = 0;
    if (touched_ && idle) touched_ = !ring_.release_buffer_memory();
}

void UringLoop::complete_exact(IoOp& op, OpState& state, int result) {
    if (result < 0) {
        end(op, result);
        return;
    }
    state.finished += static_cast<std::size_t>(result);
    if (result == 0 || state.finished == state.size) {
        end(op, static_cast<int>(state.finished));
    } else {
        go_on(op, state);
    }
}

void UringLoop::complete_send(IoOp& op, OpState& state, int result) {
    if (result <= 0) {
        end(op, result == 0 ? -EIO : result);
        return;
    }
    const auto count = static_cast<std::size_t>(result);
    state.finished += count;
    const auto left = skip_sent({static_cast<::iovec*>(state.memory), state.size}, count);
    state.memory = left.data();
    state.size = left.size();
    if (left.empty()) {
        end(op, static_cast<int>(state.finished));
    } else {
        go_on(op, state);
    }
}

// The next part of an operation that is not finished.
void UringLoop::go_on(IoOp& op, OpState& state) {
    if (state.cancelled) {
        end(op, -ECANCELED);
    } else {
        begin(op);
    }
}

void UringLoop::end(IoOp& op, int result) {
    if (!cancels_.empty()) std::erase(cancels_, &op);
    finish(op, result);
}

}  // namespace

std::unique_ptr<EventLoop> make_uring_loop(unsigned index, const LoopOptions& options,
                                           std::string& why_not) {
    auto loop = std::make_unique<UringLoop>(index, options);
    if (!loop->open(why_not)) return nullptr;
    return loop;
}

}  // namespace smb3d::loop
