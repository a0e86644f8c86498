// The client's side of the administration socket.
//
// Thread: one.  Errors: a sentence that says what to do.
#pragma once

#include <expected>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace smb3d::ctl {

struct Failure {
    std::string message;
    bool not_running{false};
};

// Sends one command and returns the daemon's "result".
std::expected<nlohmann::json, Failure> ask(const std::string& socket_path,
                                           const std::string& command,
                                           const nlohmann::json& arguments);

}  // namespace smb3d::ctl
