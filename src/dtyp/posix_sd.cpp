#include "dtyp/posix_sd.h"

#include "dtyp/access_check.h"

namespace smb3d::dtyp {

namespace {

// What everybody has who can name the file: stat(2) needs no permission on the file itself.
constexpr AccessMask always = read_control | synchronize | file_read_attributes;
// What an owner has whatever the mode: chmod, utimes, and the wish to delete, which the directory
// then decides.
constexpr AccessMask owner_always =
    always | write_dac | file_read_ea | file_write_attributes | delete_access;

// The bits in which one class can have less than another: the only ones that are ever denied.
AccessMask deniable(std::uint32_t rwx, bool directory) {
    return access_of_mode(rwx, directory, false) & ~owner_always;
}

}  // namespace

AccessMask access_of_mode(std::uint32_t rwx, bool directory, bool is_owner) {
    // All three for the owner is what Windows shows as full control, as Samba has it too.
    if (is_owner && (rwx & 7) == 7) return file_all_access;
    AccessMask mask = is_owner ? owner_always : always;
    if ((rwx & 4) != 0) mask |= file_generic_read;
    if ((rwx & 2) != 0) {
        mask |= file_generic_write;
        if (directory) mask |= file_delete_child;  // unlink(2) asks the directory, not the file
    }
    if ((rwx & 1) != 0) mask |= file_generic_execute;
    return mask;
}

SecurityDescriptor posix_descriptor(const PosixOwner& owner, const SidMap& map) {
    const std::uint32_t user_class = owner.mode >> 6 & 7;
    const std::uint32_t group_class = owner.mode >> 3 & 7;
    const std::uint32_t other_class = owner.mode & 7;
    const Sid user = map.user(owner.uid);
    const Sid group = map.group(owner.gid);

    SecurityDescriptor result;
    result.owner = user;
    result.group = group;
    Acl dacl;
    // The order gives POSIX's meaning: the owner's ACEs decide before a group that the owner is in
    // can.
    const std::uint32_t above_user = (group_class | other_class) & ~user_class;
    if (above_user != 0) dacl.aces.push_back(deny(user, deniable(above_user, owner.directory)));
    dacl.aces.push_back(allow(user, access_of_mode(user_class, owner.directory, true)));
    const std::uint32_t above_group = other_class & ~group_class;
    if (above_group != 0) dacl.aces.push_back(deny(group, deniable(above_group, owner.directory)));
    dacl.aces.push_back(allow(group, access_of_mode(group_class, owner.directory, false)));
    dacl.aces.push_back(allow(sids::everyone, access_of_mode(other_class, owner.directory, false)));
    result.set_dacl(std::move(dacl));
    return result;
}

std::optional<std::uint32_t> mode_of_descriptor(const SecurityDescriptor& descriptor,
                                                const PosixOwner& owner, const SidMap& map) {
    if (!descriptor.dacl_present()) return std::nullopt;
    const auto class_of = [&](std::vector<Sid> sids) {
        sids.insert(sids.end(), {sids::everyone, sids::authenticated_users, sids::users});
        const AccessMask rights = maximal_access(descriptor, Token(std::move(sids), 0));
        std::uint32_t rwx = 0;
        if ((rights & file_read_data) != 0) rwx |= 4;
        if ((rights & file_write_data) != 0) rwx |= 2;
        if ((rights & file_execute) != 0) rwx |= 1;
        return rwx;
    };
    return class_of({map.user(owner.uid)}) << 6 | class_of({map.group(owner.gid)}) << 3 |
           class_of({});
}

}  // namespace smb3d::dtyp
