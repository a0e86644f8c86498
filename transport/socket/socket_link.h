// SocketLink: one TCP connection that carries SMB2 messages.
//
// Spec: [MS-SMB2] 2.1 Transport (Direct TCP framing); RFC 1002 4.3 (the session service's packets
// that share it).
//
//   idle --start()--> open --close(flush)--> flushing --queue empty, or time up--> closing
//   --nothing under way--> closed
//                      |                                                              ^
//                      +--close(), error, end of stream with nothing queued ----------+
//
// Thread: its loop's.
// Lifetime: as transport.h says; on_closed() is always called from the loop's top.
// Errors: on_closed() has the reason.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "smb3d/transport.h"

namespace smb3d::transport {

class SocketLink final : public Link {
  public:
    // Takes over `fd`, a connected stream socket.
    SocketLink(Loop& loop, int fd, const Limits& limits, Address peer, Address local);
    SocketLink(const SocketLink&) = delete;
    SocketLink& operator=(const SocketLink&) = delete;
    ~SocketLink() override;

    void start(LinkEvents& events) override;
    void send(BufferChain&& message) override;
    std::size_t send_queued() const override { return queued_; }
    std::size_t send_high_water() const override { return limits_.send_high_water; }
    std::uint64_t sent_position() const override { return sent_total_ + queued_; }
    std::uint64_t confirmed_position() const override;
    std::chrono::milliseconds unheard() const override;
    void pause_receive() override { paused_ = true; }
    void resume_receive() override;
    void set_max_message(std::size_t bytes) override;
    void close(const std::string& reason, bool flush) override;

    const Address& peer() const override { return peer_; }
    const Address& local() const override { return local_; }
    Loop& loop() override { return loop_; }
    const char* kind() const override { return "tcp"; }

  private:
    enum class State : std::uint8_t { idle, open, flushing, closing, closed };
    struct LinkOp : IoOp {
        SocketLink* link{nullptr};
        bool busy{false};
    };
    struct LinkTimer : Timer {
        SocketLink* link{nullptr};
    };
    struct LinkWork : Work {
        SocketLink* link{nullptr};
        bool posted{false};
    };
    struct Outgoing {
        std::array<std::byte, 4> prefix;
        BufferChain parts;
        std::size_t size;  // with the prefix
    };

    bool open() const { return state_ == State::open; }
    void transition(State to);
    void wake_up();  // continue() from the loop's top
    void on_wake_up();

    // -- receiving: socket_link_receive.cpp
    void receive_more();
    void on_received(int result);
    void on_exact(int result);
    void on_end_of_stream();
    void consume(Bytes chunk);
    std::size_t take_header(Bytes chunk);
    void read_header();
    void read_session_request(std::size_t length);
    void begin_message();
    void deliver();
    void stash(Bytes rest);
    void on_retry();

    // -- sending: socket_link_send.cpp
    void send_more();
    void gather();
    void on_sent(int result);
    void release_sent();
    void watch_progress();
    void on_stall_check();
    std::uint64_t progress() const;
    void shrink();
    void drop_queue();

    // -- closing
    void fail(const char* what, int error);
    void begin_close();
    void finish_if_quiet();
    void drain_input() const;

    Loop& loop_;
    int fd_;
    const Limits limits_;
    const Address peer_;
    const Address local_;
    LinkEvents* events_{nullptr};
    State state_{State::idle};
    std::string reason_;

    // Receiving: either a header is being collected, or a message, or `skip_` bytes are dropped.
    LinkOp recv_op_;
    std::size_t max_message_{64U << 10};
    std::array<std::byte, 4> header_{};
    std::size_t header_size_{0};
    std::size_t message_size_{0};  // of the message whose header is complete; 0: none
    Buffer message_;               // empty while the pool has no memory for it
    std::size_t message_have_{0};
    std::size_t last_message_{0};  // the size of the one before
    std::size_t asked_{0};         // of the recv_exact under way
    std::size_t skip_{0};
    std::vector<std::byte> stash_;  // received, and not yet wanted
    bool paused_{false};
    bool delivering_{false};  // in consume(): what is sent meanwhile leaves together
    bool any_message_{false};
    LinkTimer retry_timer_;
    LinkTimer receive_timer_;

    // Sending: `sending_[0, window_)` has been sent, `[window_, window_end_)` is with the loop, the
    // rest and then `queue_` follow.
    LinkOp send_op_;
    std::vector<Outgoing> queue_;
    std::vector<Outgoing> sending_;
    std::size_t window_{0};
    std::size_t window_end_{0};
    std::size_t window_bytes_{0};
    std::vector<::iovec> parts_;
    std::size_t queued_{0};
    bool above_high_{false};
    LinkTimer stall_timer_;
    std::uint64_t last_progress_{0};
    std::uint64_t last_progress_ns_{0};
    std::uint64_t sent_total_{0};

    LinkTimer flush_timer_;
    LinkWork work_;
};

}  // namespace smb3d::transport
