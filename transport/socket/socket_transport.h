// SocketTransport: SMB2 over TCP.
//
// Spec: [MS-SMB2] 2.1 (Direct TCP: a zero byte and a 24-bit length before each message).
// Thread: as transport.h says.
// Lifetime: links and listeners do not refer to the transport.
// Errors: as transport.h says; listen() names the address and what the system said.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "smb3d/transport.h"

namespace smb3d::transport {

struct SocketOptions {
    std::uint32_t keepalive_s{60};  // idle time before the first probe, 0: none
    std::uint32_t keepalive_interval_s{10};
    std::uint32_t keepalive_probes{6};
    bool no_delay{true};
    // Sentences for the log (accepting has to pause, and the like), on the listener's loop.  May be
    // empty.
    std::function<void(const std::string&)> warn;
};

class SocketTransport final : public Transport {
  public:
    explicit SocketTransport(SocketOptions options = {}) : options_(std::move(options)) {}

    const char* kind() const override { return "tcp"; }
    std::expected<std::unique_ptr<Listener>, std::string> listen(Loop& loop,
                                                                 const std::string& address,
                                                                 const Limits& limits,
                                                                 AdmitFunction admit,
                                                                 AcceptFunction accept) override;

    // A link over a connected stream socket, which it takes over.  On `loop`'s thread, or before it
    // runs.
    static std::unique_ptr<Link> adopt(Loop& loop, int fd, const Limits& limits);

  private:
    SocketOptions options_;
};

// "host:port", "[v6]:port", ":port" (every address, v6 and v4 in one socket where the system has
// v6).  Names are resolved here.  The error is a sentence.
std::expected<Address, std::string> parse_address(std::string_view text);
// Fills `text` and `host` from `storage`.
void describe(Address& address);

}  // namespace smb3d::transport
