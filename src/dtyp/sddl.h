// SDDL: security descriptors as text, for the configuration, the administrator and tests.
//
// Spec: [MS-DTYP] 2.5.1.
// Thread: any (pure functions).
// Errors: from_sddl: INVALID_PARAMETER for text that is not SDDL, NOT_SUPPORTED for conditional and
// resource-attribute
//   ACEs.  to_sddl: NOT_SUPPORTED for a descriptor that has an ACE which text cannot express here
//   (conditions, opaque types).
#pragma once

#include <string>
#include <string_view>

#include "dtyp/security_descriptor.h"

namespace smb3d::dtyp {

// Aliases that need a domain (DA, DU, LA ...) are refused if `domain` is null.
Result<SecurityDescriptor> from_sddl(std::string_view text, const Sid* domain = nullptr);
// Well-known SIDs and the usual masks as their two letters.
Result<std::string> to_sddl(const SecurityDescriptor& descriptor);

}  // namespace smb3d::dtyp
