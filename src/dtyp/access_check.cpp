#include "dtyp/access_check.h"

#include <utility>

namespace smb3d::dtyp {

Token::Token(std::vector<Sid> sids, std::uint64_t privileges)
    : user_(sids.empty() ? sids::null : sids.front()),
      sorted_(std::move(sids)),
      privileges_(privileges) {
    std::sort(sorted_.begin(), sorted_.end());
    sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
}

Token Token::from(const Caller& caller) {
    std::vector<Sid> sids;
    sids.reserve(caller.sids.size() + caller.groups.size() + 5);
    for (const std::vector<std::uint8_t>& raw : caller.sids) {
        if (const Result<Sid> sid = Sid::from_raw(raw)) sids.push_back(*sid);
    }
    sids.push_back(sids::unix_user(caller.uid));
    sids.push_back(sids::unix_group(caller.gid));
    for (const std::uint32_t gid : caller.groups) sids.push_back(sids::unix_group(gid));
    sids.push_back(sids::everyone);
    sids.push_back(sids::network);
    // [MS-DTYP] 2.4.2.4: AUTHENTICATED_USERS holds neither guests nor the anonymous.
    if (caller.anonymous) {
        sids.push_back(sids::anonymous);
    } else if (caller.guest) {
        sids.push_back(sids::guests);
    } else {
        sids.push_back(sids::authenticated_users);
    }
    return {std::move(sids), caller.privileges};
}

namespace {

bool is_effective(const Ace& ace) { return (ace.flags & ace_flags::inherit_only) == 0; }

// [MS-DTYP] 2.5.3.2: an ACE for OWNER_RIGHTS takes the place of what an owner has by being the
// owner.
bool names_owner_rights(const Acl& dacl) {
    return std::any_of(dacl.aces.begin(), dacl.aces.end(), [](const Ace& ace) {
        return is_effective(ace) && ace.layout() != Ace::Layout::opaque &&
               ace.sid == sids::owner_rights;
    });
}

// 1: grants, -1: denies, 0: neither.  A condition is not evaluated, so it is UNKNOWN: such an ACE
// denies but does not grant ([MS-DTYP] 2.4.4.17); and an ACE for one property of an object says
// nothing about a whole file, so that it may only deny.
int effect_of(AceType type) {
    switch (type) {
        case AceType::access_allowed:
            return 1;
        case AceType::access_denied:
        case AceType::access_denied_object:
        case AceType::access_denied_callback:
        case AceType::access_denied_callback_object:
            return -1;
        default:
            return 0;
    }
}

// The first ACE that speaks of a bit decides it, which is what the algorithm comes to whatever is
// desired.
AccessMask evaluate(const Acl& dacl, const Token& token, bool is_owner, AccessMask granted) {
    AccessMask denied = 0;
    for (const Ace& ace : dacl.aces) {
        const int effect = effect_of(ace.type);
        if (effect == 0 || !is_effective(ace)) continue;
        if (!(ace.sid == sids::owner_rights ? is_owner : token.has(ace.sid))) continue;
        const AccessMask mask = map_generic(ace.mask) & file_all_access;
        if (effect > 0) {
            granted |= mask & ~denied;
        } else {
            denied |= mask & ~granted;
        }
    }
    return granted;
}

// [MS-FSA] 2.1.5.1.2.1: what the backup and restore privileges give to an open with
// FILE_OPEN_FOR_BACKUP_INTENT.
AccessMask backup_rights(const Token& token) {
    AccessMask rights = 0;
    if (token.has(Privilege::backup)) {
        rights |= read_control | file_generic_read | file_traverse;
    }
    if (token.has(Privilege::restore)) {
        rights |= write_dac | write_owner | file_generic_write | file_add_file |
                  file_add_subdirectory | delete_access;
    }
    return rights;
}

// All that `token` may do, without ACCESS_SYSTEM_SECURITY and without what a parent directory adds.
AccessMask own_rights(const SecurityDescriptor& descriptor, const Token& token,
                      const AccessOptions& options) {
    if (!descriptor.dacl_present() || !descriptor.dacl) return file_all_access;
    AccessMask granted = options.backup_intent ? backup_rights(token) : 0;
    if (token.has(Privilege::take_ownership)) granted |= write_owner;
    const bool is_owner = descriptor.owner && token.has(*descriptor.owner);
    if (is_owner && !names_owner_rights(*descriptor.dacl)) granted |= read_control | write_dac;
    return evaluate(*descriptor.dacl, token, is_owner, granted);
}

}  // namespace

AccessMask maximal_access(const SecurityDescriptor& descriptor, const Token& token,
                          const AccessOptions& options) {
    AccessMask granted = own_rights(descriptor, token, options);
    constexpr AccessMask by_parent = delete_access | file_read_attributes;
    if (options.parent != nullptr && (granted & by_parent) != by_parent) {
        const AccessOptions plain{options.backup_intent, nullptr};
        const AccessMask above = own_rights(*options.parent, token, plain);
        if ((above & file_delete_child) != 0) granted |= delete_access;
        if ((above & file_list_directory) != 0) granted |= file_read_attributes;
    }
    return granted;
}

Result<AccessMask> access_check(const SecurityDescriptor& descriptor, const Token& token,
                                AccessMask desired, const AccessOptions& options) {
    desired = map_generic(desired);
    const bool maximum = (desired & maximum_allowed) != 0;
    const AccessMask wanted = desired & ~maximum_allowed;
    AccessMask granted = maximal_access(descriptor, token, options);

    // No ACE gives ACCESS_SYSTEM_SECURITY, only a privilege does; MAXIMUM_ALLOWED does not ask for
    // it.
    bool privilege_missing = false;
    if ((wanted & access_system_security) != 0) {
        const bool by_backup = options.backup_intent &&
                               (token.has(Privilege::backup) || token.has(Privilege::restore));
        if (token.has(Privilege::security) || by_backup) {
            granted |= access_system_security;
        } else {
            privilege_missing = true;
        }
    }
    const AccessMask missing = wanted & ~granted;
    if (privilege_missing && missing == access_system_security) {
        return fail(NtStatus::PRIVILEGE_NOT_HELD);
    }
    if (missing != 0) return fail(NtStatus::ACCESS_DENIED);
    if (!maximum) return wanted;
    if (granted == 0) return fail(NtStatus::ACCESS_DENIED);
    return granted;
}

}  // namespace smb3d::dtyp
