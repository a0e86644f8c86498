// SMB2_CREATE_TIMEWARP_TOKEN: [MS-SMB2] 2.2.13.2.7, 3.3.5.9.4.  No share has snapshots: a version
// of the past does not exist.
#include "engine/create_ctx/contexts.h"

namespace smb3d::engine {

Result<void> timewarp_request(CreateState&, Bytes data) {
    const auto context = wire::parse<wire::TimewarpToken>(data);
    if (!context) return fail(context.error());
    // Zero means the present.
    return context->timestamp == 0 ? Result<void>{} : fail(NtStatus::OBJECT_NAME_NOT_FOUND);
}

}  // namespace smb3d::engine
