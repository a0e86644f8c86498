// Results for people: tables and lines.
//
// Thread: any (pure functions).
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace smb3d::ctl {

// `command` as the daemon knows it ("session.list").
std::string render(const std::string& command, const nlohmann::json& result);

}  // namespace smb3d::ctl
