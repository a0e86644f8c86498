// What differs between two configurations, for the administrator and for deciding what to apply.
//
// Thread: any (pure function).
#pragma once

#include <string>
#include <vector>

#include "daemon/config.h"

namespace smb3d::daemon {

struct Difference {
    std::vector<std::string> shares_added;
    std::vector<std::string> shares_removed;
    std::vector<std::string> shares_changed;
    std::vector<std::string> settings;       // "server.comment: "a" -> "b""
    std::vector<std::string> needs_restart;  // the same, but with no effect until then
    bool log_changed{false};
    bool auth_changed{false};
    bool empty() const {
        return shares_added.empty() && shares_removed.empty() && shares_changed.empty() &&
               settings.empty() && needs_restart.empty();
    }
    std::vector<std::string> lines() const;
};

Difference compare(const Config& before, const Config& after);

// `after`, but with the values of `before` where a change needs a restart: what is in force after a
// reload.
Config in_force(const Config& before, const Config& after);

}  // namespace smb3d::daemon
