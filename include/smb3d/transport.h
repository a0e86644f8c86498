// The transport interface: a Link carries whole SMB2 messages; framing, sockets and credits of the
// network below it are its own business.
//
// Purpose: socket (TCP, [MS-SMB2] 2.1), RDMA ([MS-SMBD]) and QUIC transports behind one interface.
// Thread: a Link lives on one loop; every call and every event is on that loop's thread.
// Lifetime: the engine owns the Link.  It must call close(), wait for on_closed(), and may then
//   destroy it: from inside on_closed() at the earliest.
// Errors: none are returned; a Link that fails calls on_closed() with the reason.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <sys/socket.h>

#include "smb3d/buffer.h"
#include "smb3d/loop.h"
#include "smb3d/status.h"

namespace smb3d::transport {

struct Address {
    ::sockaddr_storage storage{};
    ::socklen_t length{0};
    std::string text;  // "192.0.2.7:51324", "[2001:db8::7]:445"
    std::string host;  // without the port
};

class LinkEvents {
  public:
    virtual ~LinkEvents() = default;
    // One whole message, without framing; never empty, never longer than the Link's limit.  The
    // bytes may be changed in place (decryption).
    virtual void on_message(Buffer message) = 0;
    // What was queued for sending has fallen below the low-water mark after having been above the
    // high one.
    virtual void on_send_drained() = 0;
    // The last event.  `reason` is for the log.
    virtual void on_closed(const std::string& reason) = 0;
};

class RdmaLink;

class Link {
  public:
    virtual ~Link() = default;

    // Begins delivery of events; called once.
    virtual void start(LinkEvents& events) = 0;
    // Queues one message: the pieces in order, framing added here.  Messages leave in the order of
    //   the calls.
    virtual void send(BufferChain&& message) = 0;
    // Bytes queued and not yet taken by the network; above send_high_water() the engine should
    // pause_receive().
    virtual std::size_t send_queued() const = 0;
    virtual std::size_t send_high_water() const = 0;
    // Positions in what has been sent: after all that send() was given, and up to where the peer's
    // machine has confirmed.  A transport that cannot tell lets everything count as confirmed.
    virtual std::uint64_t sent_position() const { return 0; }
    virtual std::uint64_t confirmed_position() const { return ~std::uint64_t{0}; }
    // Back-pressure: no further on_message() until resume (at most one that was under way).
    // resume_receive() never calls on_message() itself.
    virtual void pause_receive() = 0;
    virtual void resume_receive() = 0;
    // A longer message is protocol abuse and ends the connection.  64 KiB until a session is
    // established.
    virtual void set_max_message(std::size_t bytes) = 0;
    // Sends what is queued (for a bounded time, 0: drops it), then closes.  on_closed() follows;
    // may be called twice.
    virtual void close(const std::string& reason, bool flush) = 0;

    virtual const Address& peer() const = 0;
    virtual const Address& local() const = 0;
    virtual Loop& loop() = 0;
    virtual const char* kind() const = 0;  // "tcp", "rdma", "quic"
    // True if the transport itself encrypts (QUIC): SMB encryption may then be skipped.
    virtual bool secure() const { return false; }
    virtual RdmaLink* rdma() { return nullptr; }
    // How long nothing at all has come from the peer's machine, not even a confirmation.  A
    // transport that cannot tell has just heard of it.
    virtual std::chrono::milliseconds unheard() const { return std::chrono::milliseconds(0); }
};

// What a Link with remote memory adds ([MS-SMBD] 2.2.3.1 buffer descriptors; [MS-SMB2] 3.3.5.12,
// 3.3.5.13).
struct RemoteBuffer {
    std::uint64_t offset{0};
    std::uint32_t token{0};
    std::uint32_t length{0};
};

class RdmaLink {
  public:
    using Done = void (*)(void* context, Result<void>&& result);
    virtual ~RdmaLink() = default;
    // Places `data` into the peer's memory (a READ's reply), or fetches it (a WRITE's payload).
    virtual void write_remote(std::span<const RemoteBuffer> to, const BufferChain& data, Done done,
                              void* context) = 0;
    virtual void read_remote(std::span<const RemoteBuffer> from, Buffer into, Done done,
                             void* context) = 0;
    // Memory that the adapter can reach: what I/O buffers come from on such a link.
    virtual BufferPool& registered_buffers() = 0;
};

// Limits of a listener and the links it accepts.
struct Limits {
    std::size_t send_high_water{16U << 20};
    std::size_t send_low_water{4U << 20};
    std::uint32_t close_flush_ms{2000};
    std::uint32_t send_stall_ms{60000};  // a peer that takes nothing for so long is cut off
    // One that has begun a message must send all of it, or another MiB, within this time.
    std::uint32_t receive_stall_ms{60000};
};

// Called on `link->loop()`'s thread for every accepted connection; the callee owns the link.
using AcceptFunction = std::function<void(std::unique_ptr<Link>)>;
// Asked before anything is spent on a connection (on the listener's loop): false closes it at once.
// Otherwise it says on which loop the link shall live.
using AdmitFunction = std::function<Loop*(const Address& peer)>;

class Listener {
  public:
    virtual ~Listener() = default;
    virtual const Address& address() const = 0;
    // Any thread, once.  Stops accepting; `closed` runs on the listener's loop when nothing refers
    // to it any more.
    virtual void stop(std::function<void()> closed) = 0;
};

class Transport {
  public:
    virtual ~Transport() = default;
    virtual const char* kind() const = 0;
    // Listens on `address` ("host:port", "[v6]:port", ":port") with `loop` for accepting.  Call on
    // any thread before the loop runs, or on its thread.  The error is a sentence for the
    // administrator.
    virtual std::expected<std::unique_ptr<Listener>, std::string> listen(Loop& loop,
                                                                         const std::string& address,
                                                                         const Limits& limits,
                                                                         AdmitFunction admit,
                                                                         AcceptFunction accept) = 0;
};

}  // namespace smb3d::transport
