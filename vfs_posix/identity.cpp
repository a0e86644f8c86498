#include "vfs_posix/identity.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace smb3d::vfs_posix {
namespace {

// What the calling thread wears.  This mirrors the kernel's per-thread credentials, which is why it
// is thread-local; nothing else looks at it.
struct Worn {
    bool prepared{false};
    bool known{false};
    std::uint32_t uid{0};
    std::uint32_t gid{0};
    std::vector<std::uint32_t> groups;
};

thread_local Worn worn;

// [capabilities(7)] setfsuid from 0 drops the file-system capabilities but not CAP_SYS_RESOURCE,
// which ignores quotas and reserved blocks; CAP_FSETID would keep set-user-id bits when root's
// thread writes for somebody.
void drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &header, data) != 0) return;
    const std::uint32_t dropped = (1U << CAP_SYS_RESOURCE) | (1U << CAP_FSETID);
    if ((data[0].effective & dropped) == 0) return;
    data[0].effective &= ~dropped;
    ::syscall(SYS_capset, &header, data);
}

// There is no error from setfsuid; asking with an impossible id tells what holds.
bool set_fsuid(std::uint32_t uid) {
    ::setfsuid(uid);
    return static_cast<std::uint32_t>(::setfsuid(static_cast<uid_t>(-1))) == uid;
}
bool set_fsgid(std::uint32_t gid) {
    ::setfsgid(gid);
    return static_cast<std::uint32_t>(::setfsgid(static_cast<gid_t>(-1))) == gid;
}

}  // namespace

bool can_switch_identity() {
    static const bool can = ::geteuid() == 0;
    return can;
}

void prepare_thread() {
    if (worn.prepared) return;
    drop_capabilities();
    worn.prepared = true;
}

Result<void> wear(const Identity& identity) {
    if (!can_switch_identity()) return {};
    prepare_thread();
    if (worn.known && worn.uid == identity.uid && worn.gid == identity.gid &&
        std::ranges::equal(worn.groups, identity.groups)) {
        return {};
    }
    worn.known = false;
    static_assert(sizeof(gid_t) == sizeof(std::uint32_t));
    if (::syscall(SYS_setgroups, identity.groups.size(), identity.groups.data()) != 0 ||
        !set_fsgid(identity.gid) || !set_fsuid(identity.uid)) {
        return fail(NtStatus::ACCESS_DENIED);
    }
    if (identity.uid == 0) drop_capabilities();  // going back to 0 raises CAP_FSETID again
    worn.uid = identity.uid;
    worn.gid = identity.gid;
    worn.groups.assign(identity.groups.begin(), identity.groups.end());
    worn.known = true;
    return {};
}

std::optional<std::uint32_t> worn_uid() {
    if (!worn.known) return std::nullopt;
    return worn.uid;
}

AsRoot::AsRoot() {
    if (!can_switch_identity()) return;
    prepare_thread();
    uid_ = static_cast<std::uint32_t>(::setfsuid(static_cast<uid_t>(-1)));
    gid_ = static_cast<std::uint32_t>(::setfsgid(static_cast<gid_t>(-1)));
    ok_ = set_fsuid(0) && set_fsgid(0);
    if (ok_) drop_capabilities();
}

AsRoot::~AsRoot() {
    if (!can_switch_identity()) return;
    if (!set_fsgid(gid_) || !set_fsuid(uid_)) std::abort();
}

}  // namespace smb3d::vfs_posix
