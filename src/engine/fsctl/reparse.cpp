// FSCTL_GET_REPARSE_POINT: [MS-FSCC] 2.3.  No share shows reparse points: symbolic links are
// followed below the share or not there.
#include "engine/fsctl/fsctl.h"

namespace smb3d::engine {

FsctlReply fsctl_get_reparse_point(Call&, const wire::IoctlRequest&) {
    co_return fail(NtStatus::NOT_A_REPARSE_POINT);
}

}  // namespace smb3d::engine
