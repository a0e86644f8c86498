// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST: [MS-SMB2] 2.2.13.2.5, 3.3.5.9.5.
#include "engine/create_ctx/contexts.h"
#include "engine/file_access.h"

namespace smb3d::engine {

Result<void> maximal_access_request(CreateState& state, Bytes data) {
    state.wants_maximal_access = true;
    if (data.empty()) return {};
    const auto context = wire::parse<wire::QueryMaximalAccessRequest>(data);
    if (!context) return fail(context.error());
    state.maximal_access_timestamp = context->timestamp;
    return {};
}

void maximal_access_response(CreateState& state, wire::CreateContextBuilder& builder) {
    if (!state.wants_maximal_access) return;
    wire::QueryMaximalAccessResponse response;
    const vfs::FileStat& stat = state.opened.stat;
    if (state.maximal_access_timestamp != 0 &&
        state.maximal_access_timestamp == stat.last_write_time) {
        // The client knows already: the file is as it was when it asked before.
        response.query_status = NtStatus::NONE_MAPPED;
    } else if (!state.fsa_open) {
        response.maximal_access = state.call.tree->maximal_access;
    } else {
        response.maximal_access = maximal_access(state.call, stat);
    }
    builder.add(wire::tag::mxac, response);
}

}  // namespace smb3d::engine
