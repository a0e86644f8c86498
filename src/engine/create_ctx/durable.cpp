// SMB2_CREATE_DURABLE_HANDLE_RESPONSE, _V2: [MS-SMB2] 2.2.14.2.3, 2.2.14.2.12.  The requests are
// read by durable_create.cpp, before all others.
#include "engine/create_ctx/contexts.h"

namespace smb3d::engine {

Result<void> durable_request(CreateState&, Bytes) { return {}; }

void durable_response(CreateState& state, wire::CreateContextBuilder& builder) {
    if (!state.durable.granted_v1) return;
    builder.add(wire::tag::dhnq, wire::DurableHandleResponse{});
}

void durable_v2_response(CreateState& state, wire::CreateContextBuilder& builder) {
    if (!state.durable.granted_v2) return;
    wire::DurableHandleResponseV2 response;
    response.timeout = state.durable.granted_timeout_ms;
    if (state.durable.granted_persistent) response.flags = wire::dhandle_flag_persistent;
    builder.add(wire::tag::dh2q, response);
}

}  // namespace smb3d::engine
