// What a new object's security descriptor is: from its parent's, and from what the creator asks
// for.
//
// Spec: [MS-DTYP] 2.5.3.4 (CreateSecurityDescriptor, ComputeACL, ComputeInheritedACLFromParent,
// PostProcessACL). Thread: any (pure functions). Errors: INVALID_SECURITY_DESCR if the result would
// be longer than a descriptor may be.
#pragma once

#include "dtyp/security_descriptor.h"

namespace smb3d::dtyp {

struct Creation {
    const SecurityDescriptor* parent{nullptr};  // of the directory; null: nothing is inherited
    const SecurityDescriptor* creator{
        nullptr};  // SecD create context ([MS-SMB2] 2.2.13.2.2); null: none given
    bool directory{false};
    Sid owner;  // of the creator's token
    Sid group;
    bool auto_inherit{true};           // DACL_AUTO_INHERIT and SACL_AUTO_INHERIT
    const Acl* default_dacl{nullptr};  // of the creator's token, when nothing else gives one
};

Result<SecurityDescriptor> create_descriptor(const Creation& creation);

// The ACEs that a child gets from `parent` ([MS-DTYP] 2.5.3.4.3); CREATOR_OWNER and CREATOR_GROUP
// replaced, generic rights mapped.
Acl inherited_acl(const Acl& parent, bool directory, const Sid& owner, const Sid& group);

}  // namespace smb3d::dtyp
