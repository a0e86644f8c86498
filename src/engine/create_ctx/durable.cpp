// SMB2_CREATE_DURABLE_HANDLE_RECONNECT, _V2: [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12.  No handle outlives
// its connection, so there is none to come back to.
#include "engine/create_ctx/contexts.h"

namespace smb3d::engine {

Result<void> durable_reconnect_request(CreateState&, Bytes) {
    return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
}

}  // namespace smb3d::engine
