#include "engine/share_access.h"

#include <algorithm>

#include "base/utf16.h"

namespace smb3d::engine {

namespace {

constexpr std::uint32_t full_access = 0x001F01FF;
constexpr std::uint32_t read_access = 0x001200A9;  // FILE_GENERIC_READ | FILE_GENERIC_EXECUTE

bool listed(const SharePolicy& policy, const std::vector<std::string>& names,
            const Caller& caller) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        if (!name.starts_with('@')) return equal_folded(name, caller.user);
        const auto group = policy.group_ids.find(name);
        if (group == policy.group_ids.end()) return false;
        return caller.gid == group->second || std::find(caller.groups.begin(), caller.groups.end(),
                                                        group->second) != caller.groups.end();
    });
}

}  // namespace

Result<std::uint32_t> share_access(const SharePolicy& policy, const Caller& caller) {
    if (caller.anonymous && !policy.allow_anonymous) return fail(NtStatus::ACCESS_DENIED);
    if (caller.guest && !policy.allow_guest) return fail(NtStatus::ACCESS_DENIED);
    const bool stranger = caller.anonymous || caller.guest;
    if (listed(policy, policy.denied_users, caller)) return fail(NtStatus::ACCESS_DENIED);
    if (!stranger && !policy.allowed_users.empty() &&
        !listed(policy, policy.allowed_users, caller)) {
        return fail(NtStatus::ACCESS_DENIED);
    }
    if (policy.read_only || listed(policy, policy.read_only_users, caller)) return read_access;
    return full_access;
}

bool serves_alike(const SharePolicy& before, const SharePolicy& now, const Caller& caller) {
    if (share_access(before, caller) != share_access(now, caller)) return false;
    SharePolicy same = now;
    same.name = before.name;
    same.comment = before.comment;
    same.hidden = before.hidden;
    same.max_connections = before.max_connections;
    same.allow_guest = before.allow_guest;
    same.allow_anonymous = before.allow_anonymous;
    same.allowed_users = before.allowed_users;
    same.denied_users = before.denied_users;
    same.read_only_users = before.read_only_users;
    same.group_ids = before.group_ids;
    return same == before;
}

}  // namespace smb3d::engine
