#include "daemon/backend.h"

#include <grp.h>
#include <pwd.h>

#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/utf16.h"
#include "vfs_posix/posix_share.h"

namespace smb3d::daemon {

namespace {

std::expected<vfs_posix::ForcedIdentity, std::string> identity_of(const std::string& name) {
    // getpwnam(3) is safe here: only the control thread asks, and the accounts use the reentrant
    // form.
    const ::passwd* user = ::getpwnam(name.c_str());
    if (user == nullptr)
        return std::unexpected(fmt::format("the system has no account \"{}\"", name));
    vfs_posix::ForcedIdentity identity;
    identity.uid = user->pw_uid;
    identity.gid = user->pw_gid;
    int count = 64;
    std::vector<::gid_t> groups(static_cast<std::size_t>(count));
    while (::getgrouplist(name.c_str(), identity.gid, groups.data(), &count) < 0) {
        if (count > 65536) return std::unexpected(fmt::format("{} is in too many groups", name));
        groups.resize(static_cast<std::size_t>(count));
    }
    groups.resize(static_cast<std::size_t>(count));
    for (const ::gid_t group : groups) {
        if (group != identity.gid) identity.groups.push_back(group);
    }
    return identity;
}

}  // namespace

std::expected<std::shared_ptr<vfs::Share>, std::string> make_file_backend(
    const ShareConfig& share) {
    vfs_posix::PosixOptions options;
    options.fold = [](std::string_view name) { return fold_name(name); };
    options.case_sensitive = share.case_sensitive;
    options.symlinks = share.symlinks == Symlinks::never ? vfs_posix::Symlinks::refuse
                                                         : vfs_posix::Symlinks::inside;
    options.file_mode = share.file_mode;
    options.directory_mode = share.directory_mode;
    options.hide_dot_files = share.hide_dot_files;
    options.read_only = share.read_only;
    options.host_leases = share.kernel_leases;
    options.host_locks = share.posix_locks;
    options.volume_label = share.name;
    if (!share.force_user.empty()) {
        auto identity = identity_of(share.force_user);
        if (!identity) return std::unexpected(identity.error());
        options.force_user = std::move(*identity);
    }
    return vfs_posix::make_posix_share(share.path, std::move(options));
}

}  // namespace smb3d::daemon
