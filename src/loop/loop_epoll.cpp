// The epoll loop, for where io_uring is not to be had: every operation is tried first, and waits
// for readiness if that would block.
//
// Interest is one-shot: a descriptor that was closed and opened again needs no notice to the loop,
// as the next EPOLL_CTL_MOD then says ENOENT and the loop adds it anew; a spurious event costs one
// attempt.
#include <algorithm>
#include <cassert>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <fmt/core.h>

#include "loop/loop_base.h"

namespace smb3d::loop {

namespace {

constexpr std::uint32_t not_known = 1U << 29;  // a bit that is no event's

class EpollLoop final : public LoopBase {
  public:
    using LoopBase::LoopBase;
    ~EpollLoop() override {
        if (epoll_ >= 0) ::close(epoll_);
    }

    bool open(std::string& why_not);
    const char* kind() const override { return "epoll"; }
    void cancel(IoOp& op) override;
    bool has_file_io() const override { return false; }
    void file_read(IoOp& op, int fd, std::span<const ::iovec>, std::uint64_t) override;
    void file_write(IoOp& op, int fd, std::span<const ::iovec>, std::uint64_t, int) override;
    void file_sync(IoOp& op, int fd, bool) override;

  private:
    struct Descriptor {
        IoOp* in{nullptr};   // waits to receive (or polls for it)
        IoOp* out{nullptr};  // waits to send
        // What epoll will report.  Known and not zero only while an operation waits for it.
        std::uint32_t armed{0};
        bool dirty{false};    // in dirty_
        bool drained{false};  // the last recv_pooled took all there was
    };

    void begin(IoOp& op) override;
    bool prepare_run() override { return true; }
    void run_attempts() override;
    void wait(std::uint64_t timeout_ns) override;
    bool has_more() const override { return LoopBase::has_more() || !attempts_.empty(); }

    Descriptor& descriptor(int fd);
    static IoOp*& slot(Descriptor& descriptor, const OpState& state);
    static std::uint32_t interest(const Descriptor& descriptor);
    void wait_ready(IoOp& op, OpState& state);
    void mark_dirty(int fd, Descriptor& descriptor);
    void arm_dirty();
    int control(int fd, std::uint32_t events) const;
    void refuse(int fd, int error);
    void on_event(int fd, std::uint32_t events);
    void attempt_slot(int fd, IoOp* op, bool out);
    void not_supported(IoOp& op, OpKind kind, int fd);

    // Each tries an operation; false if it has to wait, else `result` is set.
    bool attempt(IoOp& op, OpState& state, int& result);
    bool try_accept(const OpState& state, int& result) const;
    bool try_recv_pooled(const IoOp& op, OpState& state, int& result);
    static bool try_recv_exact(OpState& state, int& result);
    static bool try_send(IoOp& op, OpState& state, int& result);
    static bool try_poll(const OpState& state, int& result);

    int epoll_{-1};
    std::vector<Descriptor> descriptors_;  // by number
    std::vector<int> dirty_;               // interest may differ from what epoll knows
    OpList attempts_;
    std::vector<std::byte> scratch_;
};

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

bool EpollLoop::open(std::string& why_not) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    ::epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake_fd();
    if (epoll_ < 0 || wake_fd() < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd(), &event) != 0) {
        why_not = fmt::format("epoll cannot be set up: {}", std::strerror(errno));
        return false;
    }
    scratch_.resize(std::max(options().scratch_size, 1U));
    return true;
}

void EpollLoop::not_supported(IoOp& op, OpKind kind, int fd) {
    assert(false && "has_file_io() is false");
    reset(op, kind, fd);
    finish_later(op, -EOPNOTSUPP);
}
void EpollLoop::file_read(IoOp& op, int fd, std::span<const ::iovec>, std::uint64_t) {
    not_supported(op, OpKind::file_read, fd);
}
void EpollLoop::file_write(IoOp& op, int fd, std::span<const ::iovec>, std::uint64_t, int) {
    not_supported(op, OpKind::file_write, fd);
}
void EpollLoop::file_sync(IoOp& op, int fd, bool) { not_supported(op, OpKind::file_sync, fd); }

// -- starting and cancelling

void EpollLoop::begin(IoOp& op) {
    OpState& state = state_of(op);
    if (state.fd < 0) {
        finish_later(op, -EBADF);
        return;
    }
    Descriptor& known = descriptor(state.fd);
    int result = 0;
    switch (state.kind) {
        case OpKind::send_all:
            // Mostly the socket has room: then nothing needs to wait.
            if (attempt(op, state, result)) {
                finish_later(op, result);
            } else {
                wait_ready(op, state);
            }
            return;
        case OpKind::poll:
            wait_ready(op, state);
            return;
        case OpKind::recv_pooled:
            // What took all there was finds nothing a moment later: no attempt, epoll will tell.
            if (std::exchange(known.drained, false)) {
                wait_ready(op, state);
                return;
            }
            break;
        default:
            break;
    }
    state.phase = OpPhase::queued;
    attempts_.push(op);
}

void EpollLoop::cancel(IoOp& op) {
    assert(in_loop_thread());
    OpState& state = state_of(op);
    if (state.phase == OpPhase::queued) {
        state.cancelled = true;  // run_attempts() ends it
    } else if (state.phase == OpPhase::waiting) {
        Descriptor& known = descriptor(state.fd);
        slot(known, state) = nullptr;
        // The owner may close the descriptor now, and its number may come back as another one's.
        known.armed = not_known;
        mark_dirty(state.fd, known);
        finish_later(op, -ECANCELED);
    }
}

EpollLoop::Descriptor& EpollLoop::descriptor(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= descriptors_.size()) {
        descriptors_.resize(std::max(index + 1, 2 * descriptors_.size()));
    }
    return descriptors_[index];
}

IoOp*& EpollLoop::slot(Descriptor& descriptor, const OpState& state) {
    const bool out = state.kind == OpKind::send_all ||
                     (state.kind == OpKind::poll && (state.flags & POLLIN) == 0);
    return out ? descriptor.out : descriptor.in;
}

void EpollLoop::wait_ready(IoOp& op, OpState& state) {
    Descriptor& known = descriptor(state.fd);
    IoOp*& place = slot(known, state);
    if (place != nullptr) {
        assert(false && "two operations of one direction on a descriptor");
        finish_later(op, -EBUSY);
        return;
    }
    place = &op;
    state.phase = OpPhase::waiting;
    mark_dirty(state.fd, known);
}

// -- interest

std::uint32_t EpollLoop::interest(const Descriptor& descriptor) {
    std::uint32_t events = 0;
    for (const IoOp* op : {descriptor.in, descriptor.out}) {
        if (op == nullptr) continue;
        const OpState& state = state_of(*op);
        if (state.kind == OpKind::poll) {
            events |= state.flags & (POLLIN | POLLOUT | POLLPRI | POLLRDHUP);
        } else {
            events |= state.kind == OpKind::send_all ? EPOLLOUT : EPOLLIN;
        }
    }
    return events;
}

void EpollLoop::mark_dirty(int fd, Descriptor& descriptor) {
    if (std::exchange(descriptor.dirty, true)) return;
    dirty_.push_back(fd);
}

int EpollLoop::control(int fd, std::uint32_t events) const {
    ::epoll_event event{};
    event.events = events | EPOLLONESHOT;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
    if (errno == ENOENT && ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
    return errno;
}

void EpollLoop::arm_dirty() {
    for (const int fd : dirty_) {
        Descriptor& known = descriptor(fd);
        known.dirty = false;
        const bool awaited = known.in != nullptr || known.out != nullptr;
        const std::uint32_t wanted = interest(known);
        // If nobody waits, an event that still comes is ignored, once.
        if (!awaited || wanted == known.armed) continue;
        const int error = control(fd, wanted);
        known.armed = error == 0 ? wanted : not_known;
        if (error != 0) refuse(fd, error);
    }
    dirty_.clear();
}

// epoll does not take the descriptor: who waits for it is told.
void EpollLoop::refuse(int fd, int error) {
    Descriptor& known = descriptor(fd);
    for (IoOp* op : {std::exchange(known.in, nullptr), std::exchange(known.out, nullptr)}) {
        if (op == nullptr) continue;
        const OpState& state = state_of(*op);
        // A regular file is always ready.
        const bool ready = error == EPERM && state.kind == OpKind::poll;
        finish_later(*op, ready ? static_cast<int>(state.flags & (POLLIN | POLLOUT)) : -error);
    }
}

// -- the turn

void EpollLoop::run_attempts() {
    OpList batch;
    batch.take(attempts_);
    while (IoOp* op = batch.pop()) {
        OpState& state = state_of(*op);
        int result = -ECANCELED;
        if (state.cancelled || attempt(*op, state, result)) {
            finish(*op, result);
        } else {
            wait_ready(*op, state);
        }
    }
}

void EpollLoop::wait(std::uint64_t timeout_ns) {
    arm_dirty();
    const bool block = timeout_ns > 0 && !has_more() && may_sleep();
    // Rounded up: a timer is not early.
    const int milliseconds = block ? static_cast<int>((timeout_ns + 999'999) / 1'000'000) : 0;
    ::epoll_event events[128];
    const int count = ::epoll_wait(epoll_, events, std::size(events), milliseconds);
    if (block) awake();
    for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == wake_fd()) {
            std::uint64_t value = 0;
            [[maybe_unused]] const auto ignored = ::read(wake_fd(), &value, sizeof value);
        } else {
            on_event(events[i].data.fd, events[i].events);
        }
    }
}

void EpollLoop::on_event(int fd, std::uint32_t events) {
    Descriptor& known = descriptor(fd);
    known.armed = 0;  // one-shot
    if (known.in != nullptr || known.out != nullptr) mark_dirty(fd, known);
    const std::uint32_t failure = EPOLLERR | EPOLLHUP;
    if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | failure)) != 0 ||
        (known.in != nullptr && state_of(*known.in).kind == OpKind::poll)) {
        attempt_slot(fd, known.in, false);
    }
    // The first may have ended the second, or closed the descriptor: looked up anew.
    if ((events & (EPOLLOUT | failure)) != 0) attempt_slot(fd, descriptor(fd).out, true);
}

void EpollLoop::attempt_slot(int fd, IoOp* op, bool out) {
    if (op == nullptr) return;
    OpState& state = state_of(*op);
    int result = 0;
    if (!attempt(*op, state, result)) return;
    Descriptor& known = descriptor(fd);
    (out ? known.out : known.in) = nullptr;
    finish(*op, result);
}

// -- attempts

bool EpollLoop::attempt(IoOp& op, OpState& state, int& result) {
    switch (state.kind) {
        case OpKind::accept:
            return try_accept(state, result);
        case OpKind::recv_pooled:
            return try_recv_pooled(op, state, result);
        case OpKind::recv_exact:
            return try_recv_exact(state, result);
        case OpKind::send_all:
            return try_send(op, state, result);
        case OpKind::poll:
            return try_poll(state, result);
        default:
            result = -EINVAL;
            return true;
    }
}

bool EpollLoop::try_accept(const OpState& state, int& result) const {
    // accept() has no "do not wait": on a blocking socket a connection that is gone again would
    // stop the loop.
    const int flags = ::fcntl(state.fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0) ::fcntl(state.fd, F_SETFL, flags | O_NONBLOCK);
    for (;;) {
        result = ::accept4(state.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (result >= 0) return true;
        if (errno == EINTR) continue;
        result = -errno;
        return !would_block(errno);
    }
}

bool EpollLoop::try_recv_pooled(const IoOp& op, OpState& state, int& result) {
    const std::size_t room =
        op.at_most == 0 ? scratch_.size() : std::min<std::size_t>(op.at_most, scratch_.size());
    for (;;) {
        const ::ssize_t count = ::recv(state.fd, scratch_.data(), room, MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            result = -errno;
            return !would_block(errno);
        }
        state.memory = scratch_.data();
        state.finished = static_cast<std::size_t>(count);
        descriptor(state.fd).drained = count > 0 && state.finished < room;
        result = static_cast<int>(count);
        return true;
    }
}

bool EpollLoop::try_recv_exact(OpState& state, int& result) {
    while (state.finished < state.size) {
        const ::ssize_t count =
            ::recv(state.fd, static_cast<std::byte*>(state.memory) + state.finished,
                   state.size - state.finished, MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            result = -errno;
            return !would_block(errno);
        }
        if (count == 0) break;
        state.finished += static_cast<std::size_t>(count);
    }
    result = static_cast<int>(state.finished);
    return true;
}

bool EpollLoop::try_send(IoOp& op, OpState& state, int& result) {
    std::span<::iovec> left{static_cast<::iovec*>(state.memory), state.size};
    while (!left.empty()) {
        op.message = {};
        op.message.msg_iov = left.data();
        op.message.msg_iovlen = std::min<std::size_t>(left.size(), IOV_MAX);
        const ::ssize_t count = ::sendmsg(state.fd, &op.message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            result = -errno;
            return !would_block(errno);
        }
        state.finished += static_cast<std::size_t>(count);
        left = skip_sent(left, static_cast<std::size_t>(count));
        state.memory = left.data();
        state.size = left.size();
    }
    result = static_cast<int>(state.finished);
    return true;
}

bool EpollLoop::try_poll(const OpState& state, int& result) {
    // Asked of the system, as the event may be an earlier descriptor's of the same number.
    ::pollfd probe{.fd = state.fd, .events = static_cast<short>(state.flags), .revents = 0};
    const int count = ::poll(&probe, 1, 0);
    result = count < 0 ? -errno : probe.revents;
    return count > 0 || (count < 0 && errno != EINTR);
}

}  // namespace

std::unique_ptr<EventLoop> make_epoll_loop(unsigned index, const LoopOptions& options,
                                           std::string& why_not) {
    auto loop = std::make_unique<EpollLoop>(index, options);
    if (!loop->open(why_not)) return nullptr;
    return loop;
}

}  // namespace smb3d::loop
