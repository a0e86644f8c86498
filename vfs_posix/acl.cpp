#include "vfs_posix/acl.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "vfs_posix/identity.h"
#include "vfs_posix/sys.h"

namespace smb3d::vfs_posix {
namespace {

constexpr const char* list_attribute = "system.posix_acl_access";

bool may_be_concerned(AttribCache& lists, const struct ::statx& st) {
    if (!S_ISREG(st.stx_mode) && !S_ISDIR(st.stx_mode)) return false;
    const std::optional<std::uint32_t> uid = worn_uid();
    if (!uid || *uid == 0 || *uid == st.stx_uid) return false;
    const auto known = lists.find(key_of(st), stamp_of(st).ctime_ns);
    return !known || known->has_value();
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

std::optional<std::uint8_t> rights_by_list(AttribCache& lists, const struct ::statx& st, int fd,
                                           bool path_only) {
    if (!may_be_concerned(lists, st)) return std::nullopt;
    if (get_xattr(fd, path_only, list_attribute, nullptr, 0) < 0) {
        if (errno == ENODATA || errno == EOPNOTSUPP) {
            lists.store(key_of(st), stamp_of(st).ctime_ns, std::nullopt);
        }
        return std::nullopt;
    }
    return ask([fd](int right) { return may_access(fd, right); });
}

// Not kept: the name may be another file's by now.
std::optional<std::uint8_t> rights_by_list_at(AttribCache& lists, const struct ::statx& st,
                                              int directory, const char* name) {
    if (!may_be_concerned(lists, st)) return std::nullopt;
    if (get_xattr_at(directory, name, list_attribute, nullptr, 0) < 0) return std::nullopt;
    return ask([=](int right) { return may_access_at(directory, name, right); });
}

}  // namespace smb3d::vfs_posix
