// SMB2_CREATE_ALLOCATION_SIZE: [MS-SMB2] 2.2.13.2.6, 3.3.5.9.3.
#include "engine/create_ctx/contexts.h"

namespace smb3d::engine {

Result<void> allocation_size_request(CreateState& state, Bytes data) {
    const auto context = wire::parse<wire::AllocationSize>(data);
    if (!context) return fail(context.error());
    if (context->allocation_size > 0x7FFF'FFFF'FFFF'FFFF) return fail(NtStatus::INVALID_PARAMETER);
    state.allocation_size = context->allocation_size;
    return {};
}

}  // namespace smb3d::engine
