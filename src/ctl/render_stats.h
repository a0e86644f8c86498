// The statistics for people, and for Prometheus.
//
// Spec: the Prometheus text exposition format, version 0.0.4.
// Thread: any (pure functions).
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace smb3d::ctl {

// Of the daemon's answer to "stats".
std::string render_stats(const nlohmann::json& result);
std::string render_prometheus(const nlohmann::json& result);

}  // namespace smb3d::ctl
