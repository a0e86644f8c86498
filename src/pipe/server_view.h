// ServerView: what the RPC services tell about the server, asked at call time.
//
// Purpose: the daemon implements this over its configuration and engine::Server, so that src/pipe
// knows neither; a
//   reload shows in the next answer.
// Spec: [MS-SRVS] 3.1.1 (the server's state), [MS-WKST] 3.2.1.
// Thread: any worker; never called on a loop when the request has one, so an implementation may
// wait for loops. Lifetime: shared with the pipe share. Errors: none; a list that cannot be made is
// empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "auth/authority.h"
#include "smb3d/caller.h"

namespace smb3d::pipe {

// One share, [MS-SRVS] 3.1.1.2.
struct ShareEntry {
    std::string name;
    std::string comment;
    std::string path;  // of the host, shown to administrators only
    bool ipc{false};   // STYPE_IPC instead of STYPE_DISKTREE
    bool hidden{
        false};  // left out of enumerations; a name that ends in '$' is not, clients hide it
    std::uint32_t current_uses{0};         // tree connects now
    std::uint32_t max_uses{0};             // 0: no limit
    std::uint32_t caching{0};              // SHI1005 CSC bits: 0x00, 0x10, 0x20, 0x30
    bool access_based_enumeration{false};  // SHI1005_FLAGS_ACCESS_BASED_DIRECTORY_ENUM
    bool encrypt{false};                   // SHI1005_FLAGS_ENCRYPT_DATA
    // Self-relative security descriptor of the share itself, levels 502 and 1501; may be empty.
    std::vector<std::byte> security_descriptor;
};

// [MS-SRVS] 2.2.4.43 SERVER_INFO_103 and [MS-WKST] 2.2.5.1 WKSTA_INFO_100 take their values from
// here.
struct ServerIdentity {
    std::string netbios_name;
    std::string dns_name;
    std::string domain;
    std::string comment;
    std::uint32_t version_major{10};
    std::uint32_t version_minor{0};
    std::uint32_t max_sessions{0xFFFFFFFF};
};

struct SessionEntry {
    std::string client;  // address, without "\\\\"
    std::string user;
    std::uint32_t opens{0};
    std::uint32_t active_seconds{0};
    std::uint32_t idle_seconds{0};
    bool guest{false};
    std::string transport;
};

// A tree connect, for NetrConnectionEnum.
struct ConnectionEntry {
    std::uint32_t id{0};
    std::string share;
    std::string client;
    std::string user;
    bool ipc{false};
    std::uint32_t opens{0};
    std::uint32_t active_seconds{0};
};

struct OpenEntry {
    std::uint32_t id{0};      // what close_open() takes
    std::uint32_t access{0};  // [MS-SMB2] access mask
    std::uint32_t locks{0};
    std::string path;  // as the client sees it: SHARE/path
    std::string user;
    std::string client;
};

class ServerView {
  public:
    virtual ~ServerView() = default;

    virtual ServerIdentity identity() const = 0;
    // The shares that `caller` may know of, hidden ones included (enumerations leave those out).
    virtual std::vector<ShareEntry> shares(const Caller& caller) const = 0;

    virtual std::vector<SessionEntry> sessions() const { return {}; }
    virtual std::vector<ConnectionEntry> connections() const { return {}; }
    virtual std::vector<OpenEntry> opens() const { return {}; }
    // False if there is no such id.
    virtual bool close_open(std::uint32_t) const { return false; }
    // Ends the sessions of this client and user (empty: any); the number ended.
    virtual std::size_t end_sessions(const std::string&, const std::string&) const { return 0; }

    // Who may see everything and end sessions.
    virtual bool administrator(const Caller& caller) const {
        return caller.uid == 0 && !caller.guest && !caller.anonymous;
    }
    // For binds that authenticate themselves ([MS-RPCE] 3.3.1.5.2); null refuses those.
    virtual std::shared_ptr<const auth::Authority> authority() const { return nullptr; }
};

}  // namespace smb3d::pipe
