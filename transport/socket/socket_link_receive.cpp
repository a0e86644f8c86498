// SocketLink: from bytes to messages.
#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "transport/socket/socket_link.h"

namespace smb3d::transport {

namespace {

// [MS-SMB2] 2.1: the first byte of a Direct TCP packet is zero; the others are RFC 1002 4.3.1
// packet types.
constexpr auto type_message = std::byte{0x00};
constexpr auto type_session_request = std::byte{0x81};
constexpr auto type_positive_response = std::byte{0x82};
constexpr auto type_keep_alive = std::byte{0x85};
constexpr std::size_t max_session_request = 512;  // two encoded names of 255 bytes at most

constexpr std::size_t exact_piece = 1U << 20;  // the pace of receive_stall_ms
constexpr std::size_t bulk_message = 16U << 10;
constexpr std::uint32_t bulk_peek = 1024;  // most requests whole, and of a WRITE what is not data
constexpr auto pool_retry = std::chrono::milliseconds(20);

}  // namespace

// Begins the next receive, or goes on with what has been received, as the state asks.
void SocketLink::receive_more() {
    if (!open() || paused_ || recv_op_.busy || retry_timer_.armed()) return;
    if (message_size_ != 0 && !message_.empty() && message_have_ == message_size_) {
        deliver();  // was complete while paused
        if (!open() || paused_) return;
    }
    if (!stash_.empty()) {
        const std::vector<std::byte> held = std::exchange(stash_, {});
        consume(held);
        if (!open() || paused_ || retry_timer_.armed()) return;
    }
    recv_op_.busy = true;
    if (message_size_ != 0) {
        // The rest goes where it belongs, with no copy.
        asked_ = std::min(message_size_ - message_have_, exact_piece);
        loop_.arm(receive_timer_, std::chrono::milliseconds(limits_.receive_stall_ms));
        recv_op_.done = [](IoOp* op, int result) {
            static_cast<LinkOp*>(op)->link->on_exact(result);
        };
        loop_.recv_exact(recv_op_, fd_, {message_.data() + message_have_, asked_});
    } else {
        recv_op_.done = [](IoOp* op, int result) {
            static_cast<LinkOp*>(op)->link->on_received(result);
        };
        // After a long message another is likely: then only its beginning is received here, and the
        // rest where it belongs.
        recv_op_.at_most = last_message_ > bulk_message ? bulk_peek : 0;
        loop_.recv_pooled(recv_op_, fd_);
    }
}

void SocketLink::on_received(int result) {
    recv_op_.busy = false;
    if (state_ == State::closing) {
        finish_if_quiet();
        return;
    }
    if (!open()) return;  // flushing: nobody wants it any more
    if (result < 0) {
        fail("receive", -result);
        return;
    }
    if (result == 0) {
        on_end_of_stream();
        return;
    }
    consume(loop_.received(recv_op_));
    receive_more();
}

void SocketLink::on_exact(int result) {
    recv_op_.busy = false;
    loop_.disarm(receive_timer_);
    if (state_ == State::closing) {
        finish_if_quiet();
        return;
    }
    if (!open()) return;
    if (result < 0) {
        fail("receive", -result);
        return;
    }
    message_have_ += static_cast<std::size_t>(result);
    if (static_cast<std::size_t>(result) < asked_) {
        on_end_of_stream();
        return;
    }
    if (message_have_ == message_size_ && !paused_) deliver();
    receive_more();
}

void SocketLink::on_end_of_stream() {
    const bool inside = header_size_ != 0 || message_size_ != 0 || skip_ != 0;
    // A peer that only ended its own direction still gets what is queued for it.
    close(inside ? "the peer closed the connection in the middle of a message"
                 : "the peer closed the connection",
          true);
}

void SocketLink::consume(Bytes chunk) {
    delivering_ = true;
    while (!chunk.empty() && open()) {
        if (paused_ || (message_size_ != 0 && message_.empty())) {
            stash(chunk);
            break;
        }
        std::size_t taken = 0;
        if (skip_ != 0) {
            taken = std::min(skip_, chunk.size());
            skip_ -= taken;
        } else if (message_size_ == 0) {
            taken = take_header(chunk);
        } else {
            taken = std::min(message_size_ - message_have_, chunk.size());
            std::memcpy(message_.data() + message_have_, chunk.data(), taken);
            message_have_ += taken;
            if (message_have_ == message_size_) deliver();
        }
        chunk = chunk.subspan(taken);
    }
    delivering_ = false;
    if (state_ == State::open || state_ == State::flushing) send_more();
}

std::size_t SocketLink::take_header(Bytes chunk) {
    const std::size_t taken = std::min(header_.size() - header_size_, chunk.size());
    std::memcpy(header_.data() + header_size_, chunk.data(), taken);
    header_size_ += taken;
    if (header_size_ == header_.size()) read_header();
    return taken;
}

// [MS-SMB2] 2.1: StreamProtocolLength, 24 bits in network byte order.
void SocketLink::read_header() {
    header_size_ = 0;
    const std::size_t length = std::to_integer<std::size_t>(header_[1]) << 16 |
                               std::to_integer<std::size_t>(header_[2]) << 8 |
                               std::to_integer<std::size_t>(header_[3]);
    if (header_[0] == type_keep_alive && length == 0) return;  // RFC 1002 4.3.7: no answer
    if (header_[0] == type_session_request) {
        read_session_request(length);
    } else if (header_[0] != type_message) {
        close(fmt::format("not SMB over TCP: a packet of type {:#04x}",
                          std::to_integer<unsigned>(header_[0])),
              false);
    } else if (length == 0) {
        close("an empty message", false);
    } else if (length > max_message_) {
        close(fmt::format("a message of {} bytes where {} are allowed", length, max_message_),
              false);
    } else {
        message_size_ = length;
        message_have_ = 0;
        any_message_ = true;
        begin_message();
    }
}

// RFC 1002 4.3.2: what a client sends first on the NetBIOS session port.  Whatever name it calls,
// it is us.
void SocketLink::read_session_request(std::size_t length) {
    if (any_message_ || length > max_session_request) {
        close("a NetBIOS session request out of place", false);
        return;
    }
    any_message_ = true;
    skip_ = length;
    // RFC 1002 4.3.3: the positive response is a header without a body.
    Outgoing response{{type_positive_response, std::byte{0}, std::byte{0}, std::byte{0}}, {}, 4};
    queued_ += response.size;
    queue_.push_back(std::move(response));
}

void SocketLink::begin_message() {
    message_ = loop_.buffers().allocate(message_size_);
    // The pool's ceiling is reached: others give back soon; until then this peer waits in its
    // socket.
    if (message_.empty()) loop_.arm(retry_timer_, pool_retry);
}

void SocketLink::on_retry() {
    begin_message();
    receive_more();
}

void SocketLink::deliver() {
    last_message_ = message_size_;
    message_size_ = 0;
    message_have_ = 0;
    Buffer message = std::exchange(message_, {});
    events_->on_message(std::move(message));
}

void SocketLink::stash(Bytes rest) { stash_.assign(rest.begin(), rest.end()); }

}  // namespace smb3d::transport
