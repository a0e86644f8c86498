// Access check: may this token have these rights on this object?
//
// Spec: [MS-DTYP] 2.5.3.2 (the algorithm), 2.5.1.4 (OWNER_RIGHTS); [MS-FSA] 2.1.5.1.2.1 (what a
// file adds: backup intent and
//   the parent's rights).
// Thread: any (pure functions).  Token: immutable once built, shared by reference.
// Errors: ACCESS_DENIED, or PRIVILEGE_NOT_HELD if all that is missing is SeSecurityPrivilege.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dtyp/access_mask.h"
#include "dtyp/security_descriptor.h"
#include "dtyp/sid.h"
#include "smb3d/caller.h"
#include "smb3d/status.h"

namespace smb3d::dtyp {

// [MS-DTYP] 2.5.2: what of an identity an access check looks at.
class Token {
  public:
    Token(std::vector<Sid> sids, std::uint64_t privileges);
    // The caller's SIDs, S-1-22-1-uid and S-1-22-2-gid for its Unix identity, Everyone, NETWORK,
    // and Authenticated Users, Guests or ANONYMOUS as it logged on.  A SID of the caller that is
    // malformed is left out.
    static Token from(const Caller& caller);

    bool has(const Sid& sid) const {
        return std::binary_search(sorted_.begin(), sorted_.end(), sid);
    }
    bool has(Privilege privilege) const {
        return (privileges_ & static_cast<std::uint64_t>(privilege)) != 0;
    }
    // The one that new objects belong to.
    const Sid& user() const { return user_; }

  private:
    Sid user_;
    std::vector<Sid> sorted_;
    std::uint64_t privileges_;
};

struct AccessOptions {
    bool backup_intent{false};  // FILE_OPEN_FOR_BACKUP_INTENT: backup and restore privileges count
    const SecurityDescriptor* parent{
        nullptr};  // the directory it lies in: DELETE and FILE_READ_ATTRIBUTES through it
};

// The rights granted: `desired` with generic bits mapped, and all there are if it had
// MAXIMUM_ALLOWED.
Result<AccessMask> access_check(const SecurityDescriptor& descriptor, const Token& token,
                                AccessMask desired, const AccessOptions& options = {});
// What MAXIMUM_ALLOWED would give; 0 if nothing ([MS-SMB2] 2.2.14.2.5 MaximalAccess).
AccessMask maximal_access(const SecurityDescriptor& descriptor, const Token& token,
                          const AccessOptions& options = {});

}  // namespace smb3d::dtyp
