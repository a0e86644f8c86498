// Session binding: makes a connection a further channel of a session that another connection logged
// on.
//
// Spec: [MS-SMB2] 3.3.5.5 (steps 4 to 6), 3.3.5.5.3 (what a successful binding does), 3.3.1.14.
// Thread: the binding connection's loop; the session is looked at under its guard, since its other
//   channels are on other loops.
// Errors: the status that SESSION_SETUP answers with; the session is never hurt by a binding that
//   fails.
#pragma once

#include "auth/authority.h"
#include "engine/connection.h"
#include "engine/request.h"

namespace smb3d::engine {

// The channel that a SESSION_SETUP is about if it names a session that is not (yet) one of its
// connection's.  `binding`: SMB2_SESSION_FLAG_BINDING.  A response to somebody who has proved to
// know the session's key is signed with it, refusals included.
Result<SessionChannel*> channel_of_other_connection(Call& call, bool binding);

// A request that names a session which is not one of its connection's is refused; if it is signed
// with that session's key, the refusal will be, too: clients that sign believe no other.
void sign_refusal(Call& call, std::uint64_t session_id);

// The authentication has succeeded: the channel gets its key and its place in the session.
Result<void> complete_binding(Call& call, SessionChannel& channel, const auth::Identity& identity);

// Whether two callers are one account, however its name was written.
bool same_account(const Caller& a, const Caller& b);

}  // namespace smb3d::engine
