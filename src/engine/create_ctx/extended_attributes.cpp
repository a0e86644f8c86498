// SMB2_CREATE_EA_BUFFER: [MS-SMB2] 2.2.13.2.1, 3.3.5.9.1.
#include "engine/create_ctx/contexts.h"

namespace smb3d::engine {

Result<void> ea_request(CreateState& state, Bytes data) {
    // An empty list asks for nothing; anything else would be lost on a back end without EAs.
    if (data.empty() || state.call.tree->capabilities.extended_attributes) return {};
    return fail(NtStatus::EAS_NOT_SUPPORTED);
}

}  // namespace smb3d::engine
