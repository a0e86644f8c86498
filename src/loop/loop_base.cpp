#include "loop/loop_base.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <future>

#include <sys/eventfd.h>
#include <unistd.h>

namespace smb3d::loop {

std::uint64_t monotonic_ns() {
    ::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

std::span<::iovec> skip_sent(std::span<::iovec> parts, std::size_t count) {
    while (!parts.empty() && count >= parts.front().iov_len) {
        count -= parts.front().iov_len;
        parts = parts.subspan(1);
    }
    if (count > 0 && !parts.empty()) {
        parts.front().iov_base = static_cast<std::byte*>(parts.front().iov_base) + count;
        parts.front().iov_len -= count;
    }
    return parts;
}

LoopBase::LoopBase(unsigned index, const LoopOptions& options)
    : index_(index),
      options_(options),
      wake_fd_(::eventfd(0, EFD_CLOEXEC)),
      now_ns_(monotonic_ns()) {
    assert(options.buffers != nullptr);
    heartbeat_.loop = this;
    heartbeat_.fire = on_heartbeat;
}

LoopBase::~LoopBase() {
    assert(!running());
    if (wake_fd_ >= 0) ::close(wake_fd_);
}

bool LoopBase::in_loop_thread() const {
    return !running() || ::pthread_equal(thread_.load(std::memory_order_relaxed), ::pthread_self());
}

WorkerPool& LoopBase::pool() {
    assert(options_.pool != nullptr);
    return *options_.pool;
}

// -- the turn

void LoopBase::run() {
    assert(!running());
    thread_.store(::pthread_self(), std::memory_order_relaxed);
    running_.store(true, std::memory_order_release);
    if (prepare_run()) {
        now_ns_ = monotonic_ns();
        arm(heartbeat_, std::chrono::nanoseconds(heartbeat_ns));
        while (!stop_.load(std::memory_order_acquire)) turn();
        // What was posted before stop() still runs, and what that posts here in turn; the bound is
        // against work that reposts itself for ever.
        for (int round = 0; round < 1000 && !posts_.empty(); ++round) run_posts();
        disarm(heartbeat_);
    }
    stop_.store(false, std::memory_order_relaxed);
    running_.store(false, std::memory_order_release);
}

void LoopBase::turn() {
    run_timers();
    run_posts();
    run_ready();
    run_attempts();
    wait(time_to_wait());
    now_ns_ = monotonic_ns();
    turns_.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t LoopBase::time_to_wait() const {
    if (has_more()) return 0;
    if (timers_.empty()) return heartbeat_ns;
    // Time has passed in this turn; the clock is read anew so that a timer is not late by that
    // much.
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t next = timers_.earliest();
    return next <= now ? 0 : std::min(next - now, heartbeat_ns);
}

void LoopBase::run_timers() {
    // A timer armed from inside a timer is due after now_ns_ at the earliest, so that this ends.
    while (Timer* timer = timers_.pop_due(now_ns_)) timer->fire(timer);
}

void LoopBase::run_posts() {
    Work* work = posts_.take_all();
    while (work != nullptr) {
        Work* next = std::exchange(work->next, nullptr);
        work->run(work);
        work = next;
    }
}

void LoopBase::run_ready() {
    OpList batch;
    batch.take(ready_);
    while (IoOp* op = batch.pop()) {
        assert(state_of(*op).phase == OpPhase::ready);
        finish(*op, state_of(*op).result);
    }
}

void LoopBase::on_heartbeat(Timer* timer) {
    LoopBase* loop = static_cast<Heartbeat*>(timer)->loop;
    if (loop->options_.trimmed != nullptr) loop->options_.trimmed->trim();
    loop->trim_idle();
    loop->arm(*timer, std::chrono::nanoseconds(heartbeat_ns));
}

// -- posts and wake-up

void LoopBase::post(Work& work) {
    if (posts_.push(work)) wake();
}

void LoopBase::stop() {
    stop_.store(true, std::memory_order_seq_cst);
    wake();
}

void LoopBase::wake() {
    if (!sleeping_.load(std::memory_order_seq_cst) ||
        !sleeping_.exchange(false, std::memory_order_seq_cst)) {
        return;
    }
    const std::uint64_t one = 1;
    while (::write(wake_fd_, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

bool LoopBase::may_sleep() {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (posts_.empty() && !stop_.load(std::memory_order_seq_cst)) return true;
    awake();
    return false;
}

void LoopBase::awake() { sleeping_.store(false, std::memory_order_relaxed); }

// -- timers

void LoopBase::arm(Timer& timer, std::chrono::nanoseconds after) {
    assert(in_loop_thread() && timer.fire != nullptr);
    const auto delay = static_cast<std::uint64_t>(std::max<std::int64_t>(after.count(), 0));
    timers_.arm(timer, std::max(monotonic_ns(), now_ns_ + 1) + delay);
}

// -- operations

OpState& LoopBase::reset(IoOp& op, OpKind kind, int fd) {
    assert(op.done != nullptr);
    auto* state = new (static_cast<void*>(op.scratch)) OpState;
    state->kind = kind;
    state->fd = fd;
    return *state;
}

void LoopBase::finish_later(IoOp& op, int result) {
    OpState& state = state_of(op);
    state.phase = OpPhase::ready;
    state.result = result;
    ready_.push(op);
}

void LoopBase::finish(IoOp& op, int result) {
    state_of(op).phase = OpPhase::idle;
    op.done(&op, result);
}

void LoopBase::accept(IoOp& op, int fd) {
    assert(in_loop_thread());
    reset(op, OpKind::accept, fd);
    begin(op);
}

void LoopBase::recv_pooled(IoOp& op, int fd) {
    assert(in_loop_thread());
    const bool drained = state_of(op).kind == OpKind::recv_pooled && state_of(op).drained;
    reset(op, OpKind::recv_pooled, fd).drained = drained;
    begin(op);
}

Bytes LoopBase::received(const IoOp& op) const {
    const OpState& state = state_of(op);
    if (state.kind != OpKind::recv_pooled) return {};
    return {static_cast<const std::byte*>(state.memory), state.finished};
}

void LoopBase::recv_exact(IoOp& op, int fd, MutableBytes into) {
    assert(in_loop_thread());
    OpState& state = reset(op, OpKind::recv_exact, fd);
    state.memory = into.data();
    state.size = into.size();
    if (into.empty()) {
        finish_later(op, 0);
    } else {
        begin(op);
    }
}

void LoopBase::send_all(IoOp& op, int fd, std::span<::iovec> parts) {
    assert(in_loop_thread());
    OpState& state = reset(op, OpKind::send_all, fd);
    parts = skip_sent(parts, 0);  // leading empty ones
    state.memory = parts.data();
    state.size = parts.size();
    if (parts.empty()) {
        finish_later(op, 0);
    } else {
        begin(op);
    }
}

void LoopBase::poll(IoOp& op, int fd, std::uint32_t events) {
    assert(in_loop_thread());
    reset(op, OpKind::poll, fd).flags = events;
    begin(op);
}

// -- threads

void set_up_thread(const std::string& name) {
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    ::sigset_t blocked;
    ::sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
        ::sigdelset(&blocked, fault);
    }
    ::pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

LoopThread::~LoopThread() { assert(!thread_.joinable()); }

void LoopThread::start(EventLoop& loop, const std::string& name) {
    assert(!thread_.joinable());
    loop_ = &loop;
    thread_ = std::thread([&loop, name] {
        set_up_thread(name);
        loop.run();
    });
    // Returns when it runs: from then on in_loop_thread() is false here.
    struct Running : Work {
        std::shared_ptr<std::promise<void>> promise{std::make_shared<std::promise<void>>()};
    } running;
    running.run = [](Work* work) {
        const auto promise = static_cast<Running*>(work)->promise;  // outlives the one who waits
        promise->set_value();
    };
    const auto future = running.promise->get_future();
    loop.post(running);
    future.wait();
}

void LoopThread::stop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
}

}  // namespace smb3d::loop
