// CANCEL: [MS-SMB2] 3.3.5.16.  RequestChain hands it to Connection::cancel_request() before
// dispatch, because it is never answered; inside a compound that has gone wrong it may still end
// here.
#include "engine/cmd/handlers.h"

namespace smb3d::engine {

Reply cancel(Call&, wire::CancelRequest) { co_return fail(NtStatus::INVALID_PARAMETER); }

}  // namespace smb3d::engine
