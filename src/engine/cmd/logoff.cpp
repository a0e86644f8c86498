// LOGOFF: [MS-SMB2] 3.3.5.6.
#include "base/log.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

Reply logoff(Call& call, wire::LogoffRequest) {
    const std::shared_ptr<Session> session = call.session;
    if (!call.server().detach_session(session, call.connection.id())) {
        co_return fail(NtStatus::USER_SESSION_DELETED);
    }
    call.connection.cancel_session(session->id);
    Task<bool> release = release_session(call.server(), session, call.loop(), Preserve::yes);
    co_await release;
    call.connection.drop_channel(session->id);
    log::debug(log::Component::auth, "{}: {} logged off, session {:#x}", call.connection.peer(),
               call.caller->user, session->id);
    co_return reply(call, wire::LogoffResponse{});
}

}  // namespace smb3d::engine
