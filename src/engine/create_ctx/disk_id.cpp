// SMB2_CREATE_QUERY_ON_DISK_ID: [MS-SMB2] 2.2.13.2.9, 3.3.5.9.9.
#include "engine/create_ctx/contexts.h"

namespace smb3d::engine {

Result<void> disk_id_request(CreateState& state, Bytes) {
    state.wants_disk_id = true;
    return {};
}

void disk_id_response(CreateState& state, wire::CreateContextBuilder& builder) {
    if (!state.wants_disk_id) return;
    wire::QueryOnDiskIdResponse response;
    response.disk_file_id = state.opened.stat.id.inode;
    response.volume_id = state.opened.stat.id.volume;
    builder.add(wire::tag::qfid, response);
}

}  // namespace smb3d::engine
