// Server: the engine as the daemon sees it.
//
// Purpose: owns connections, sessions and the file table; everything else of src/engine is behind
//   it.
// Thread: `admit` and `adopt` on any loop; `reconfigure`, the control calls and `stop` on any
//   thread but a loop (they may wait for loops).
// Lifetime: stop() must have finished before it is destroyed; loops, authority and back ends
//   outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/authority.h"
#include "durable/store.h"
#include "engine/config.h"
#include "engine/interfaces.h"
#include "engine/statistics.h"
#include "smb3d/loop.h"
#include "smb3d/transport.h"

namespace smb3d::engine {

// What the administrator sees; times are FILETIME.
struct ConnectionInfo {
    std::uint64_t id{0};
    std::string peer;
    std::string transport;
    std::string dialect;
    std::uint64_t since{0};
};
struct ChannelInfo {
    std::string peer;
    std::string transport;
    unsigned loop{0};
    std::uint64_t since{0};
};
struct SessionInfo {
    std::uint64_t id{0};
    std::string user;
    std::string domain;
    std::string mechanism;
    std::string dialect;
    std::string signing;                // "none", "HMAC-SHA256", "AES-128-CMAC", "AES-128-GMAC"
    std::string encryption;             // "none", "AES-128-GCM", ...
    std::vector<ChannelInfo> channels;  // the first is the one that was logged on with
    std::vector<std::string> trees;     // share names
    std::size_t opens{0};
    std::uint64_t since{0};
    bool guest{false};
};
struct OpenInfo {
    std::uint64_t id{0};
    std::uint64_t session{0};
    std::string user;
    std::string peer;
    std::string share;
    std::string path;
    std::uint32_t access{0};
    std::uint32_t share_access{0};
    bool directory{false};
    bool delete_on_close{false};
    std::size_t locks{0};
    std::string oplock;     // "none", "level II", "exclusive", "batch", "lease R", "lease RWH", ...
    std::string lease_key;  // hexadecimal; "" if it is no lease
    bool breaking{false};   // the client has been asked to give up part of it
    std::uint64_t since{0};
    std::string durable;       // "", "durable", "resilient", "persistent"
    bool waiting{false};       // its owner is away
    std::uint64_t left_ms{0};  // until it is closed, if it waits
};
struct ShareInfo {
    std::string name;
    std::string path;
    std::string comment;
    std::size_t trees{0};
    bool hidden{false};
    bool read_only{false};
    bool encrypt{false};
};
struct Totals {
    std::size_t connections{0};
    std::size_t sessions{0};
    std::size_t trees{0};
    std::size_t opens{0};
    std::uint64_t requests{0};
    std::uint64_t bytes_read{0};
    std::uint64_t bytes_written{0};
    std::uint64_t started{0};
};

// What restore() found.
struct RestoreReport {
    std::size_t restored{0};
    std::size_t dropped{0};  // the file is gone, or is another one
};

class Server {
  public:
    // `loops`: those that connections are spread over.
    static std::unique_ptr<Server> create(std::vector<Loop*> loops,
                                          std::shared_ptr<const ServerConfig> config,
                                          std::shared_ptr<const auth::Authority> authority);
    virtual ~Server() = default;

    // Decides whether a connection from `peer` may come in, and on which loop (the least loaded);
    // null refuses it.
    virtual Loop* admit(const transport::Address& peer) = 0;
    // Takes over a link, on its loop's thread.
    virtual void adopt(std::unique_ptr<transport::Link> link) = 0;

    // New values for what comes; trees of shares that are gone, or whose policy no longer admits
    // the user, are ended.  Returns lines that tell the administrator what changed for whom.
    virtual std::vector<std::string> reconfigure(std::shared_ptr<const ServerConfig> config) = 0;
    virtual void set_authority(std::shared_ptr<const auth::Authority> authority) = 0;
    virtual std::shared_ptr<const ServerConfig> config() const = 0;
    // Where clients may open further channels to; changes at any time.
    virtual void set_interfaces(std::shared_ptr<const NetworkInterfaces> interfaces) = 0;

    virtual std::vector<ConnectionInfo> connections() = 0;
    virtual std::vector<SessionInfo> sessions() = 0;
    virtual std::vector<OpenInfo> opens() = 0;
    virtual std::vector<ShareInfo> shares() = 0;
    virtual Totals totals() = 0;
    // Per command, share and transport; see statistics.h.
    virtual Statistics statistics() = 0;
    // False if there is no such id.
    virtual bool end_session(std::uint64_t id) = 0;
    virtual bool close_open(std::uint64_t id) = 0;
    // Takes back what the client of this open may cache.
    virtual bool break_lease(std::uint64_t open_id) = 0;
    // Ends every session of this account (disabled, deleted); the number ended.
    virtual std::size_t end_user(const std::string& user) = 0;

    // Where persistent handles are kept; before the first connection.
    virtual void use_store(std::shared_ptr<durable::Store> store) = 0;
    // Opens again what clients held when the last server ended; they have their time-out to come
    // back.  Before the first connection; waits for a loop.
    virtual RestoreReport restore() = 0;

    // Finishes what is in flight (for `grace` at most), closes every connection and open; returns
    // when all is released.
    virtual void stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace smb3d::engine
