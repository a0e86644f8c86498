// CLOSE: [MS-SMB2] 3.3.5.10.
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/fsa_wait.h"
#include "engine/request_chain.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

Reply close(Call& call, wire::CloseRequest request) {
    const std::shared_ptr<Open> open = call.open.shared();
    // [MS-FSA] 2.1.5.5: a file that goes away with this handle does so when others have closed the
    // handles that they only keep; they are asked before, as for FileDispositionInformation.
    if (open->fsa && open->fsa->file().is_delete_on_close(*open->fsa)) {
        Task<NtStatus> breaking = break_handles(call);
        const NtStatus broken = co_await breaking;
        static_cast<void>(broken);  // closed in any case
    }
    wire::CloseResponse response;
    if ((request.flags & wire::close_flag_postquery_attrib) != 0) {
        Pending<vfs::FileStat> query(call.loop());
        open->file->stat(call.op(Lane::metadata), query.done());
        const Result<vfs::FileStat> stat = co_await query;
        if (stat) {
            response.flags = wire::close_flag_postquery_attrib;
            response.creation_time = stat->creation_time;
            response.last_access_time = stat->last_access_time;
            response.last_write_time = stat->last_write_time;
            response.change_time = stat->change_time;
            response.allocation_size = stat->allocation_size;
            response.end_of_file = stat->end_of_file;
            response.file_attributes = stat->attributes;
        }
    }
    call.session->state.lock()->opens.take(open->id);
    call.open.release();  // or the close would wait for this request
    Task<Result<void>> closing = close_open(call.server(), open, call.loop());
    const Result<void> closed = co_await closing;
    if (!closed) co_return fail(closed.error());
    co_return reply(call, response);
}

}  // namespace smb3d::engine
