// SocketListener: accepts TCP connections and hands each to the loop it shall live on.
//
// Purpose: see transport.h.  When descriptors run out it gives its reserve away to tell the next
// peer so (by closing its
//   connection), says so in the log, and goes on a little later; connections that exist are not
//   touched.
// Thread: stop() any; everything else on the listener's loop, or before that runs.
// Lifetime: stop() must have called `closed` before it is destroyed, unless its loop never ran.
// Errors: open() gives a sentence.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "smb3d/transport.h"
#include "transport/socket/socket_transport.h"

namespace smb3d::transport {

class SocketListener final : public Listener {
  public:
    SocketListener(Loop& loop, const Limits& limits, SocketOptions options, AdmitFunction admit,
                   AcceptFunction accept);
    SocketListener(const SocketListener&) = delete;
    SocketListener& operator=(const SocketListener&) = delete;
    ~SocketListener() override;

    // Binds and begins to accept.  `both`: an IPv6 socket takes IPv4 connections as well.
    std::expected<void, std::string> open(const Address& address, bool both);

    const Address& address() const override { return address_; }
    void stop(std::function<void()> closed) override;

  private:
    struct AcceptOp : IoOp {
        SocketListener* listener{nullptr};
        bool busy{false};
    };
    struct RetryTimer : Timer {
        SocketListener* listener{nullptr};
    };
    struct StopWork : Work {
        SocketListener* listener{nullptr};
    };
    struct HandOver;

    void accept_next();
    void on_accepted(int result);
    void on_refused(int error);
    void adopt(int fd);
    void turn_one_away();
    void warn(const std::string& what);
    void finish_if_quiet();

    Loop& loop_;
    const Limits limits_;
    const SocketOptions options_;
    const AdmitFunction admit_;
    const AcceptFunction accept_;
    Address address_;
    int fd_{-1};
    int reserve_{-1};
    AcceptOp op_;
    RetryTimer retry_;
    StopWork stop_work_;
    bool stopping_{false};
    std::size_t handing_over_{0};
    std::uint64_t warned_ns_{0};
    std::function<void()> closed_;
};

}  // namespace smb3d::transport
