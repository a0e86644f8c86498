// FSCTL_IS_PATHNAME_VALID: [MS-FSCC] 2.3: CREATE judges names; this always says yes, as Windows
// does.
#include "engine/fsctl/fsctl.h"

namespace smb3d::engine {

FsctlReply fsctl_is_pathname_valid(Call&, const wire::IoctlRequest&) { co_return FsctlOutput{}; }

}  // namespace smb3d::engine
