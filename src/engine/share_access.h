// Who may connect to a share, and with what rights at most.
// Spec: [MS-SMB2] 3.3.5.7 (Share.ConnectSecurity, FileSecurity in effect).  Thread: pure functions.
#pragma once

#include <cstdint>

#include "engine/config.h"
#include "smb3d/caller.h"
#include "smb3d/status.h"

namespace smb3d::engine {

// The maximal access that `caller` has through the share, or ACCESS_DENIED.
Result<std::uint32_t> share_access(const SharePolicy& policy, const Caller& caller);

// After a reload: is the share to this caller what it was, so that trees and handles on it stay?
// Not so if anything else differs than how it is listed and who else may use it.
bool serves_alike(const SharePolicy& before, const SharePolicy& now, const Caller& caller);

}  // namespace smb3d::engine
