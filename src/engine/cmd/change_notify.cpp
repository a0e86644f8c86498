// CHANGE_NOTIFY: [MS-SMB2] 3.3.5.19.  Not offered yet: a client then refreshes by itself.
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "fsa/access.h"

namespace smb3d::engine {

Reply change_notify(Call& call, wire::ChangeNotifyRequest request) {
    if (request.output_buffer_length > call.connection.negotiated.max_transact) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    if (!call.open->fsa || !call.open->is_directory()) co_return fail(NtStatus::INVALID_PARAMETER);
    // CVE-2020-14318: the right to list is asked for even though the answer is no.
    const auto allowed = fsa::check_operation(fsa::Operation::notify, call.open->granted_access);
    if (!allowed) co_return fail(allowed.error());
    co_return fail(NtStatus::NOT_SUPPORTED);
}

}  // namespace smb3d::engine
