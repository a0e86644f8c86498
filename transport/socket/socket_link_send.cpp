// SocketLink: from messages to bytes.
#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

// Not <netinet/tcp.h>: its tcp_info lacks tcpi_bytes_acked.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include "transport/socket/socket_link.h"

namespace smb3d::transport {

namespace {

// One system call's worth: larger gains nothing, and release of buffers and progress would be seen
// later.
constexpr std::size_t batch_bytes = 1U << 20;
constexpr std::size_t batch_parts = 1024;  // IOV_MAX
constexpr std::size_t unhurried_bytes = 16U << 10;
// Capacity that an idle link keeps: pieces, and messages, which are larger.
constexpr std::size_t kept_parts = 64;
constexpr std::size_t kept_messages = 32;

}  // namespace

void SocketLink::send(BufferChain&& message) {
    assert(loop_.in_loop_thread());
    const std::size_t size = chain_size(message);
    assert(size > 0 && state_ != State::idle);
    if (!open() || size == 0) return;
    if (size >= (1U << 24)) {
        close("a message to send is longer than its framing can say", false);
        return;
    }
    // [MS-SMB2] 2.1: a zero byte and the length in 24 bits, network byte order.
    Outgoing outgoing{{std::byte{0}, static_cast<std::byte>(size >> 16),
                       static_cast<std::byte>(size >> 8), static_cast<std::byte>(size)},
                      std::move(message),
                      size + 4};
    queued_ += outgoing.size;
    queue_.push_back(std::move(outgoing));
    if (queued_ > limits_.send_high_water) above_high_ = true;
    if (!delivering_) send_more();
}

void SocketLink::send_more() {
    if (send_op_.busy || queued_ == 0) return;
    if (window_end_ == sending_.size()) {
        sending_.clear();
        window_end_ = 0;
        sending_.swap(queue_);
    }
    gather();
    if (!stall_timer_.armed()) watch_progress();
    send_op_.busy = true;
    // Nobody waits for the end of a short send after which nothing is left to do.
    send_op_.unhurried = state_ == State::open && !above_high_ && window_bytes_ == queued_ &&
                         window_bytes_ <= unhurried_bytes;
    loop_.send_all(send_op_, fd_, parts_);
}

// The next messages that go into one sendmsg.
void SocketLink::gather() {
    window_ = window_end_;
    window_bytes_ = 0;
    parts_.clear();
    while (window_end_ < sending_.size()) {
        Outgoing& next = sending_[window_end_];
        const bool fits = window_bytes_ + next.size <= batch_bytes &&
                          parts_.size() + 1 + next.parts.size() <= batch_parts;
        if (window_end_ != window_ && !fits) break;
        parts_.push_back({next.prefix.data(), next.prefix.size()});
        for (const Buffer& part : next.parts) {
            if (!part.empty()) parts_.push_back({part.data(), part.size()});
        }
        window_bytes_ += next.size;
        ++window_end_;
    }
}

void SocketLink::on_sent(int result) {
    send_op_.busy = false;
    if (state_ == State::closing) {
        finish_if_quiet();
        return;
    }
    if (result < 0) {
        fail("send", -result);
        return;
    }
    sent_total_ += window_bytes_;
    release_sent();
    if (state_ == State::flushing && queued_ == 0) {
        begin_close();
        return;
    }
    send_more();
    if (queued_ == 0) shrink();
    if (above_high_ && queued_ <= limits_.send_low_water) {
        above_high_ = false;
        if (open()) events_->on_send_drained();
    }
}

void SocketLink::release_sent() {
    for (; window_ < window_end_; ++window_) sending_[window_].parts = {};
    queued_ -= std::exchange(window_bytes_, 0);
}

// A burst's capacity is not kept for ever: an idle link is small.
void SocketLink::shrink() {
    if (parts_.capacity() > kept_parts) std::vector<::iovec>().swap(parts_);
    if (queue_.capacity() > kept_messages) std::vector<Outgoing>().swap(queue_);
    if (sending_.capacity() <= kept_messages) return;
    std::vector<Outgoing>().swap(sending_);
    window_ = 0;
    window_end_ = 0;
}

// What is not with the loop is dropped; what is lives until its completion.
void SocketLink::drop_queue() {
    queue_.clear();
    if (sending_.size() > window_end_) {
        sending_.erase(sending_.begin() + static_cast<std::ptrdiff_t>(window_end_), sending_.end());
    }
    queued_ = window_bytes_;
}

// -- a peer that takes nothing

// Grows while the peer takes data; within one long send only TCP itself knows.
std::uint64_t SocketLink::progress() const {
    ::tcp_info info{};
    ::socklen_t length = sizeof info;
    if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
        length >= offsetof(::tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked) {
        return info.tcpi_bytes_acked;
    }
    return sent_total_;
}

// What lies in the socket's queue has not been acknowledged; of a send under way, part of it may be
// counted there already: then this says a little less than what is true.
std::uint64_t SocketLink::confirmed_position() const {
    int unconfirmed = 0;
    if (::ioctl(fd_, SIOCOUTQ, &unconfirmed) != 0 || unconfirmed < 0) return sent_total_;
    const auto waiting = static_cast<std::uint64_t>(unconfirmed);
    return sent_total_ > waiting ? sent_total_ - waiting : 0;
}

std::chrono::milliseconds SocketLink::unheard() const {
    ::tcp_info info{};
    ::socklen_t length = sizeof info;
    if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return {};
    return std::chrono::milliseconds(info.tcpi_last_ack_recv);
}

// One timer for as long as there is something to send, looked at now and then: a send that goes
// through costs nothing.
void SocketLink::watch_progress() {
    if (limits_.send_stall_ms == 0) return;
    last_progress_ = progress();
    last_progress_ns_ = loop_.now_ns();
    loop_.arm(stall_timer_, std::chrono::milliseconds(limits_.send_stall_ms / 4 + 1));
}

void SocketLink::on_stall_check() {
    if (queued_ == 0) return;
    const std::uint64_t now = progress();
    if (now != last_progress_) {
        last_progress_ = now;
        last_progress_ns_ = loop_.now_ns();
    }
    const auto limit = std::chrono::nanoseconds(std::chrono::milliseconds(limits_.send_stall_ms));
    if (loop_.now_ns() - last_progress_ns_ >= static_cast<std::uint64_t>(limit.count())) {
        close("the peer does not take what is sent to it", false);
        return;
    }
    loop_.arm(stall_timer_, std::chrono::milliseconds(limits_.send_stall_ms / 4 + 1));
}

}  // namespace smb3d::transport
