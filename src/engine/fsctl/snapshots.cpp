// FSCTL_SRV_ENUMERATE_SNAPSHOTS: [MS-SMB2] 3.3.5.15.1.  No share has snapshots: an empty list, so
// that Explorer shows none.
#include "engine/fsctl/fsctl.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

FsctlReply fsctl_enumerate_snapshots(Call&, const wire::IoctlRequest& request) {
    // [MS-SMB2] 2.2.32.2: the array of an empty list still has its terminator.
    const std::array<std::byte, 2> terminator{};
    fscc::SrvSnapshotArray list;
    list.snap_shots = terminator;
    FsctlOutput output;
    output.small = wire::to_bytes(list);
    output.small.resize(16);
    if (request.max_output_response < output.small.size()) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    co_return output;
}

}  // namespace smb3d::engine
