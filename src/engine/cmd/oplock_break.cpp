// OPLOCK_BREAK: [MS-SMB2] 3.3.5.22.  No oplock or lease is ever granted, so no acknowledgment can
// be right.
#include "engine/cmd/handlers.h"
#include "engine/connection.h"

namespace smb3d::engine {

Reply oplock_break(Call& call) {
    switch (wire::structure_size_of(call.message)) {
        case wire::oplock_break_structure_size: {
            const auto request = wire::parse<wire::OplockBreakAcknowledgment>(call.message);
            if (!request) co_return fail(request.error());
            const auto open = call.session->find_open(request->file_id.volatile_id,
                                                      request->file_id.persistent_id);
            co_return fail(open ? NtStatus::INVALID_OPLOCK_PROTOCOL : NtStatus::FILE_CLOSED);
        }
        case wire::lease_break_acknowledgment_structure_size: {
            const auto request = wire::parse<wire::LeaseBreakAcknowledgment>(call.message);
            // 3.3.5.22.2: no such lease.
            co_return fail(request ? NtStatus::OBJECT_NAME_NOT_FOUND : request.error());
        }
        default:
            co_return fail(NtStatus::INVALID_PARAMETER);
    }
}

}  // namespace smb3d::engine
