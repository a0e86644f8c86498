// FSCTL_DFS_GET_REFERRALS(_EX): [MS-SMB2] 3.3.5.15.2.  This server has no DFS.
#include "engine/fsctl/fsctl.h"

namespace smb3d::engine {

FsctlReply fsctl_dfs_get_referrals(Call&, const wire::IoctlRequest&) {
    co_return fail(NtStatus::FS_DRIVER_REQUIRED);
}

}  // namespace smb3d::engine
