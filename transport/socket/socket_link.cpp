#include "transport/socket/socket_link.h"

#include <cassert>
#include <cstring>
#include <utility>

#include <fmt/core.h>
#include <unistd.h>

namespace smb3d::transport {

namespace {

constexpr std::chrono::milliseconds silence{900};  // of a peer's machine that owes confirmations

}  // namespace

SocketLink::SocketLink(Loop& loop, int fd, const Limits& limits, Address peer, Address local)
    : loop_(loop), fd_(fd), limits_(limits), peer_(std::move(peer)), local_(std::move(local)) {
    recv_op_.link = this;
    send_op_.link = this;
    send_op_.done = [](IoOp* op, int result) { static_cast<LinkOp*>(op)->link->on_sent(result); };
    retry_timer_.link = this;
    retry_timer_.fire = [](Timer* timer) { static_cast<LinkTimer*>(timer)->link->on_retry(); };
    receive_timer_.link = this;
    receive_timer_.fire = [](Timer* timer) {
        static_cast<LinkTimer*>(timer)->link->close("the peer does not finish its message", false);
    };
    stall_timer_.link = this;
    stall_timer_.fire = [](Timer* timer) {
        static_cast<LinkTimer*>(timer)->link->on_stall_check();
    };
    flush_timer_.link = this;
    flush_timer_.fire = [](Timer* timer) { static_cast<LinkTimer*>(timer)->link->begin_close(); };
    work_.link = this;
    work_.run = [](Work* work) { static_cast<LinkWork*>(work)->link->on_wake_up(); };
}

SocketLink::~SocketLink() {
    assert(state_ == State::idle || state_ == State::closed);
    if (fd_ >= 0) ::close(fd_);  // never started
}

void SocketLink::transition(State to) {
    switch (to) {
        case State::open:
            assert(state_ == State::idle);
            break;
        case State::flushing:
            assert(state_ == State::open);
            break;
        case State::closing:
            assert(state_ == State::open || state_ == State::flushing);
            break;
        case State::closed:
            assert(state_ == State::closing);
            break;
        case State::idle:
            assert(false);
            break;
    }
    state_ = to;
}

void SocketLink::start(LinkEvents& events) {
    assert(loop_.in_loop_thread());
    transition(State::open);
    events_ = &events;
    receive_more();
}

void SocketLink::resume_receive() {
    if (!paused_) return;
    paused_ = false;
    // What waits is delivered from the loop's top: the caller may well be inside on_message().
    if (open()) wake_up();
}

void SocketLink::set_max_message(std::size_t bytes) {
    constexpr std::size_t framing_limit = (1U << 24) - 1;
    max_message_ = bytes < framing_limit ? bytes : framing_limit;
}

void SocketLink::wake_up() {
    if (std::exchange(work_.posted, true)) return;
    loop_.post(work_);
}

void SocketLink::on_wake_up() {
    work_.posted = false;
    if (state_ == State::closing) {
        finish_if_quiet();
    } else if (open()) {
        receive_more();
    }
}

// -- closing

void SocketLink::close(const std::string& reason, bool flush) {
    assert(loop_.in_loop_thread());
    assert(state_ != State::idle && "close() before start()");
    if (state_ == State::closing || state_ == State::closed) return;
    if (state_ == State::open) reason_ = reason;
    if (!flush || queued_ == 0 || limits_.close_flush_ms == 0) {
        begin_close();
        return;
    }
    if (state_ == State::flushing) return;
    transition(State::flushing);
    loop_.arm(flush_timer_, std::chrono::milliseconds(limits_.close_flush_ms));
    loop_.disarm(retry_timer_);
    loop_.disarm(receive_timer_);
    if (recv_op_.busy) loop_.cancel(recv_op_);
    send_more();  // if close() came from inside on_message(), it has been held back
    wake_up();    // a send whose end nobody waited for is waited for now
}

void SocketLink::fail(const char* what, int error) {
    if (state_ == State::closing) {
        finish_if_quiet();
    } else {
        close(fmt::format("{}: {}", what, std::strerror(error)), false);
    }
}

void SocketLink::begin_close() {
    if (queued_ == 0) drain_input();
    transition(State::closing);
    for (Timer* timer : {&retry_timer_, &receive_timer_, &stall_timer_, &flush_timer_}) {
        loop_.disarm(*timer);
    }
    drop_queue();
    if (recv_op_.busy) loop_.cancel(recv_op_);
    if (send_op_.busy) loop_.cancel(send_op_);
    wake_up();
}

// What has been sent shall arrive: a socket closed with unread input resets the connection, and the
// peer's system then throws away what its program has not read yet.
void SocketLink::drain_input() const {
    std::array<std::byte, 4096> waste;
    for (int i = 0; i < 16; ++i) {
        if (::recv(fd_, waste.data(), waste.size(), MSG_DONTWAIT) <= 0) break;
    }
}

// Called from the loop's top only, as the last thing: the link may be gone afterwards.
void SocketLink::finish_if_quiet() {
    assert(state_ == State::closing);
    if (recv_op_.busy || send_op_.busy || work_.posted) return;
    release_sent();
    message_.reset();
    if (confirmed_position() < sent_total_ && unheard() >= silence) {
        // A FIN would wait behind what is not confirmed; a peer that hears us shall know at once.
        constexpr ::linger abort{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    }
    ::close(std::exchange(fd_, -1));
    transition(State::closed);
    const std::string reason = std::move(reason_);  // outlives the link
    events_->on_closed(reason);
}

}  // namespace smb3d::transport
