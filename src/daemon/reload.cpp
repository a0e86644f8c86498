#include "daemon/reload.h"

#include <map>

#include <fmt/core.h>

#include "base/utf16.h"

namespace smb3d::daemon {

namespace {

using ByPath = std::map<std::string, const Setting*>;

ByPath outside_shares(const Config& config) {
    ByPath map;
    for (const Setting& setting : config.settings) {
        if (!setting.path.starts_with("share.")) map.emplace(setting.path, &setting);
    }
    return map;
}

// A share's values, the path taken apart by the name's length: a name may hold dots.
std::map<std::string, std::string> of_share(const Config& config, const ShareConfig& share) {
    std::map<std::string, std::string> map;
    const std::string prefix = fmt::format("share.{}.", share.name);
    for (const Setting& setting : config.settings) {
        if (setting.path.starts_with(prefix))
            map[setting.path.substr(prefix.size())] = setting.value;
    }
    return map;
}

std::map<std::string, const ShareConfig*> shares_of(const Config& config) {
    std::map<std::string, const ShareConfig*> map;
    for (const ShareConfig& share : config.shares) map.emplace(fold_name(share.name), &share);
    return map;
}

void compare_settings(const Config& before, const Config& after, Difference& difference) {
    const ByPath old = outside_shares(before);
    const ByPath now = outside_shares(after);
    ByPath all = old;
    all.insert(now.begin(), now.end());
    for (const auto& [path, any] : all) {
        const auto from = old.find(path);
        const auto to = now.find(path);
        const std::string a = from == old.end() ? "(none)" : from->second->value;
        const std::string b = to == now.end() ? "(none)" : to->second->value;
        if (a == b) continue;
        (any->reloadable ? difference.settings : difference.needs_restart)
            .push_back(fmt::format("{}: {} -> {}", path, a, b));
        if (path.starts_with("log.")) difference.log_changed = true;
        if (path.starts_with("auth.") || path == "server.name") difference.auth_changed = true;
    }
}

}  // namespace

Difference compare(const Config& before, const Config& after) {
    Difference difference;
    compare_settings(before, after, difference);
    const auto old = shares_of(before);
    const auto now = shares_of(after);
    for (const auto& [folded, share] : now) {
        const auto from = old.find(folded);
        if (from == old.end()) {
            difference.shares_added.push_back(share->name);
        } else if (from->second->name != share->name ||
                   of_share(before, *from->second) != of_share(after, *share)) {
            difference.shares_changed.push_back(share->name);
        }
    }
    for (const auto& [folded, share] : old) {
        if (!now.contains(folded)) difference.shares_removed.push_back(share->name);
    }
    return difference;
}

std::vector<std::string> Difference::lines() const {
    std::vector<std::string> all;
    for (const auto& name : shares_added) all.push_back(fmt::format("share {} added", name));
    for (const auto& name : shares_removed) all.push_back(fmt::format("share {} removed", name));
    for (const auto& name : shares_changed) all.push_back(fmt::format("share {} changed", name));
    all.insert(all.end(), settings.begin(), settings.end());
    for (const auto& text : needs_restart) {
        all.push_back(fmt::format("{} (takes effect when smb3d is restarted)", text));
    }
    return all;
}

Config in_force(const Config& before, const Config& after) {
    Config config = after;
    config.state_dir = before.state_dir;
    config.runtime_dir = before.runtime_dir;
    config.loops = before.loops;
    config.workers = before.workers;
    config.io = before.io;
    config.max_memory = before.max_memory;
    config.log_target = before.log_target;
    config.plugins = before.plugins;
    const ByPath old = outside_shares(before);
    for (Setting& setting : config.settings) {
        const auto from = old.find(setting.path);
        if (!setting.reloadable && from != old.end()) setting = *from->second;
    }
    return config;
}

}  // namespace smb3d::daemon
