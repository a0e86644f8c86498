// FLUSH: [MS-SMB2] 3.3.5.11: what is acknowledged is on stable storage.
#include "engine/change_report.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/server_impl.h"
#include "fsa/access.h"

namespace smb3d::engine {

Reply flush(Call& call, wire::FlushRequest) {
    if (call.open->fsa) {
        const auto allowed = fsa::check_operation(fsa::Operation::flush, call.open->granted_access);
        if (!allowed) co_return fail(allowed.error());
    }
    Pending<void> flushing(call.loop());
    call.open->file->flush(call.op(Lane::bulk_io), flushing.done());
    const Result<void> flushed = co_await flushing;
    if (!flushed) co_return fail(flushed.error());
    report_held_back(call.server(), *call.open);
    co_return reply(call, wire::FlushResponse{});
}

}  // namespace smb3d::engine
