// Caller: on whose behalf an operation runs.  Always an argument, never thread-local state.
//
// Thread: immutable once built, shared by reference; any thread.
// Lifetime: the session's; re-authentication makes a new one (a request keeps the one it started
//   with).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smb3d {

struct Caller {
    std::uint32_t uid{0};
    std::uint32_t gid{0};
    std::vector<std::uint32_t> groups;  // supplementary groups, without gid
    std::string user;                   // account name as logged on, for logs and display
    std::string domain;                 // its domain or the server's name
    // [MS-DTYP] 2.4.2.2 SIDs; [0] the user, then groups
    std::vector<std::vector<std::uint8_t>> sids;
    std::uint64_t privileges{0};  // bit mask, Privilege below
    bool guest{false};
    bool anonymous{false};
};

// [MS-DTYP] privileges that the server evaluates.
enum class Privilege : std::uint64_t {
    backup = 1U << 0,          // SeBackupPrivilege
    restore = 1U << 1,         // SeRestorePrivilege
    security = 1U << 2,        // SeSecurityPrivilege
    take_ownership = 1U << 3,  // SeTakeOwnershipPrivilege
    change_notify = 1U << 4,   // SeChangeNotifyPrivilege
};

inline bool has_privilege(const Caller& caller, Privilege privilege) {
    return (caller.privileges & static_cast<std::uint64_t>(privilege)) != 0;
}

}  // namespace smb3d
