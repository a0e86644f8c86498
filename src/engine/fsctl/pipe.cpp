// FSCTL_PIPE_TRANSCEIVE, FSCTL_PIPE_PEEK, FSCTL_PIPE_WAIT: [MS-SMB2] 3.3.5.15.3, .4, .10: the back
// end's to do.
#include <optional>

#include "base/utf16.h"
#include "engine/connection.h"
#include "engine/fsctl/fsctl.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

namespace {

// Asks the share itself whether it has the pipe.
Task<Result<FsctlOutput>> wait_for_pipe(Call& call, const wire::IoctlRequest& request) {
    if (!call.tree->capabilities.is_pipe) co_return fail(NtStatus::INVALID_DEVICE_REQUEST);
    const auto wait = wire::parse<fscc::PipeWait>(request.input);
    if (!wait) co_return fail(wait.error());
    // Every pipe that exists always has a free instance; one that does not will not come by
    // waiting.
    vfs::OpenRequest open;
    const auto name = utf16le_to_utf8(wait->name);
    if (!name) co_return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    open.path = *name;
    Pending<vfs::OpenReply> opening(call.loop());
    call.tree->policy->backend->open(call.op(Lane::session), open, opening.done());
    Result<vfs::OpenReply> opened = co_await opening;
    if (!opened) co_return fail(opened.error());
    Pending<void> closing(call.loop());
    opened->file->close(call.op(Lane::session), closing.done());
    const Result<void> closed = co_await closing;
    static_cast<void>(closed);
    co_return FsctlOutput{};
}

}  // namespace

FsctlReply fsctl_pipe(Call& call, const wire::IoctlRequest& request) {
    if (request.ctl_code == static_cast<std::uint32_t>(fscc::Fsctl::pipe_wait)) {
        Task<Result<FsctlOutput>> waiting = wait_for_pipe(call, request);
        co_return co_await waiting;
    }
    Pending<Buffer> transceiving(call.loop());
    {
        WaitRegistration wait(*call.open, call.cancellation);
        call.open->file->control(call.op(Lane::session), request.ctl_code, request.input,
                                 request.max_output_response, transceiving.done());
        if (!transceiving.await_ready()) call.go_async();
        Signal& ready = transceiving.ready();
        co_await ready;
    }
    Result<Buffer> answer = transceiving.await_resume();
    if (!answer) co_return fail(answer.error());
    FsctlOutput output;
    output.large = std::move(*answer);
    if (call.open->file->read_incomplete()) output.status = NtStatus::BUFFER_OVERFLOW;
    co_return output;
}

}  // namespace smb3d::engine
