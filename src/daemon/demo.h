// The embedded default configuration: a server to try things with, that touches nothing but one
// folder.
//
// Thread: the control thread, before anything else runs.  Errors: a sentence.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "daemon/config.h"

namespace smb3d::daemon {

struct Demo {
    std::shared_ptr<const Config> config;
    std::string welcome;  // with the line that reaches it
};

// Makes `directory` with a share, state and runtime folder, picks a free port from 4450 on, and
// gives the current user an account with a made-up password.
std::expected<Demo, std::string> make_demo(const std::string& directory);

}  // namespace smb3d::daemon
