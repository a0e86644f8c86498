// TREE_DISCONNECT: [MS-SMB2] 3.3.5.8.
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/server_impl.h"
#include "engine/tree_end.h"

namespace smb3d::engine {

Reply tree_disconnect(Call& call, wire::TreeDisconnectRequest) {
    Task<bool> end = end_tree(call.server(), call.session, call.tree, call.loop());
    const bool ended = co_await end;
    if (!ended) co_return fail(NtStatus::NETWORK_NAME_DELETED);
    co_return reply(call, wire::TreeDisconnectResponse{});
}

}  // namespace smb3d::engine
