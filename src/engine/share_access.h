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

}  // namespace smb3d::engine
