#include "daemon/shares.h"

#include <utility>

#include <fmt/core.h>

#include "base/utf16.h"
#include "daemon/backend.h"
#include "daemon/run_on_loop.h"

namespace smb3d::daemon {

namespace {

std::shared_ptr<const engine::SharePolicy> make_policy(const ShareConfig& share,
                                                       std::shared_ptr<vfs::Share> backend) {
    auto policy = std::make_shared<engine::SharePolicy>();
    policy->name = share.name;
    policy->comment = share.comment;
    policy->path = share.path;
    policy->backend = std::move(backend);
    policy->hidden = share.hidden;
    policy->read_only = share.read_only;
    policy->encrypt = share.encrypt;
    policy->allow_guest = share.guest;
    policy->allow_anonymous = share.anonymous;
    policy->access_based_enumeration = share.access_based_enumeration;
    policy->watch_host = share.host_changes == HostChanges::watch;
    policy->guard_host = share.kernel_leases;
    policy->lock_host = share.posix_locks;
    policy->caching = share.caching;
    policy->oplocks = share.oplocks;
    policy->level2_only = share.level2_oplocks_only;
    policy->directory_leases = share.directory_leases;
    policy->continuous_availability = share.continuous_availability;
    policy->allowed_users = share.users;
    policy->denied_users = share.deny_users;
    policy->read_only_users = share.read_only_users;
    policy->max_connections = share.max_connections;
    return policy;
}

}  // namespace

bool same_backend(const ShareConfig& a, const ShareConfig& b) {
    return a.path == b.path && a.plugin == b.plugin && a.options == b.options &&
           a.case_sensitive == b.case_sensitive && a.symlinks == b.symlinks &&
           a.file_mode == b.file_mode && a.directory_mode == b.directory_mode &&
           a.hide_dot_files == b.hide_dot_files && a.force_user == b.force_user &&
           a.kernel_leases == b.kernel_leases && a.posix_locks == b.posix_locks &&
           a.read_only == b.read_only;
}

bool same_policy(const ShareConfig& a, const ShareConfig& b) {
    return same_backend(a, b) && a.name == b.name && a.comment == b.comment &&
           a.hidden == b.hidden && a.encrypt == b.encrypt && a.guest == b.guest &&
           a.anonymous == b.anonymous && a.users == b.users && a.deny_users == b.deny_users &&
           a.read_only_users == b.read_only_users &&
           a.access_based_enumeration == b.access_based_enumeration && a.caching == b.caching &&
           a.oplocks == b.oplocks && a.level2_oplocks_only == b.level2_oplocks_only &&
           a.directory_leases == b.directory_leases &&
           a.continuous_availability == b.continuous_availability &&
           a.host_changes == b.host_changes && a.max_connections == b.max_connections;
}

void Shares::set_pipe_backend(std::shared_ptr<vfs::Share> backend) {
    pipe_ = std::move(backend);
    attach(*pipe_);
    auto policy = std::make_shared<engine::SharePolicy>();
    policy->name = "IPC$";
    policy->comment = "Remote IPC";
    policy->backend = pipe_;
    // Who gets a session at all may ask what there is; auth.guest and auth.anonymous decide who
    // gets one.
    policy->allow_guest = true;
    policy->allow_anonymous = true;
    pipe_policy_ = std::move(policy);
}

std::expected<std::shared_ptr<vfs::Share>, std::string> Shares::make_backend(
    const ShareConfig& share) const {
    if (share.plugin.empty()) return make_file_backend(share);
    const Plugin* plugin = plugins_.find(share.plugin);
    if (plugin == nullptr || plugin->make_share == nullptr) {
        return std::unexpected(
            fmt::format("no plug-in \"{}\" with a back end is loaded", share.plugin));
    }
    return plugin->make_share(share.path, share.options);
}

Shares::Policies Shares::build(const std::vector<ShareConfig>& shares,
                               std::vector<std::string>& problems) {
    std::map<std::string, Mounted> now;
    Policies policies;
    for (const ShareConfig& share : shares) {
        const std::string key = fold_name(share.name);
        const auto before = mounted_.find(key);
        const bool known = before != mounted_.end();
        Mounted mounted{share, nullptr, nullptr};
        if (known && same_backend(before->second.config, share)) {
            mounted.backend = before->second.backend;
        } else {
            auto made = make_backend(share);
            if (!made) {
                problems.push_back(
                    fmt::format("share {} is left out: {}", share.name, made.error()));
                continue;
            }
            mounted.backend = std::move(*made);
            attach(*mounted.backend);
        }
        mounted.policy = known && same_policy(before->second.config, share)
                             ? before->second.policy
                             : make_policy(share, mounted.backend);
        policies.emplace(key, mounted.policy);
        now.emplace(key, std::move(mounted));
    }
    for (auto& [key, old] : mounted_) {
        const auto kept = now.find(key);
        if (kept == now.end() || kept->second.backend != old.backend) {
            retired_.push_back(std::move(old.backend));
        }
    }
    mounted_ = std::move(now);
    if (pipe_policy_) policies.emplace(fold_name("IPC$"), pipe_policy_);
    return policies;
}

void Shares::attach(vfs::Share& backend) {
    for (Loop* loop : loops_) {
        run_on_loop(*loop, [&] { backend.attach(*loop); });
    }
}
void Shares::detach(vfs::Share& backend) {
    for (Loop* loop : loops_) {
        run_on_loop(*loop, [&] { backend.detach(*loop); });
    }
}

void Shares::collect() {
    std::erase_if(retired_, [this](const std::shared_ptr<vfs::Share>& backend) {
        if (backend.use_count() > 1) return false;
        detach(*backend);
        return true;
    });
}

void Shares::release() {
    for (auto& [key, mounted] : mounted_) detach(*mounted.backend);
    for (auto& backend : retired_) detach(*backend);
    if (pipe_) detach(*pipe_);
    mounted_.clear();
    retired_.clear();
    pipe_policy_.reset();
    pipe_.reset();
}

}  // namespace smb3d::daemon
