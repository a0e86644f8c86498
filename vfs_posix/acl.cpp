#include "vfs_posix/acl.h"

#include <fcntl.h>
#include <unistd.h>

#include "vfs_posix/identity.h"
#include "vfs_posix/sys.h"

namespace smb3d::vfs_posix {
namespace {

constexpr const char* list_attribute = "system.posix_acl_access";

bool may_be_concerned(const vfs::FileStat& stat) {
    if (stat.kind != vfs::FileKind::file && stat.kind != vfs::FileKind::directory) return false;
    const std::optional<std::uint32_t> uid = worn_uid();
    return uid && *uid != 0 && *uid != stat.uid;
}

template <class May>
std::uint8_t ask(May may) {
    std::uint8_t rights = 0;
    for (const int right : {R_OK, W_OK, X_OK}) {
        if (may(right)) rights = static_cast<std::uint8_t>(rights | right);
    }
    return rights;
}

}  // namespace

std::optional<std::uint8_t> rights_by_list(int fd, bool path_only, const vfs::FileStat& stat) {
    if (!may_be_concerned(stat)) return std::nullopt;
    if (get_xattr(fd, path_only, list_attribute, nullptr, 0) < 0) return std::nullopt;
    return ask([fd](int right) { return may_access(fd, right); });
}

std::optional<std::uint8_t> rights_by_list_at(int directory, const char* name,
                                              const vfs::FileStat& stat) {
    if (!may_be_concerned(stat)) return std::nullopt;
    if (get_xattr_at(directory, name, list_attribute, nullptr, 0) < 0) return std::nullopt;
    return ask([=](int right) { return may_access_at(directory, name, right); });
}

}  // namespace smb3d::vfs_posix
