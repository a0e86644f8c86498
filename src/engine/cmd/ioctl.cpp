// IOCTL: [MS-SMB2] 3.3.5.15.
#include <cstring>

#include "base/log.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/fsctl/fsctl.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

namespace {

NtStatus check(const Call& call, const wire::IoctlRequest& request) {
    const std::uint64_t max = call.connection.negotiated.max_transact;
    if (request.input.size() > max || request.max_output_response > max ||
        request.max_input_response > max) {
        return NtStatus::INVALID_PARAMETER;
    }
    // Only FSCTLs travel in SMB2.
    if (request.flags != wire::ioctl_is_fsctl) return NtStatus::NOT_SUPPORTED;
    return NtStatus::SUCCESS;
}

// Every row says what it needs; what is not said is denied.
NtStatus check_row(const Call& call, const FsctlRow& row) {
    if (row.changes && call.tree->read_only()) return NtStatus::ACCESS_DENIED;
    if (row.target == FsctlTarget::server) {
        return call.open ? NtStatus::INVALID_PARAMETER : NtStatus::SUCCESS;  // 3.3.5.15
    }
    if (!call.open) return NtStatus::FILE_CLOSED;
    const bool is_pipe = call.open->fsa == nullptr;
    if (row.target == FsctlTarget::pipe && !is_pipe) return NtStatus::INVALID_DEVICE_REQUEST;
    if (row.target == FsctlTarget::file && is_pipe) return NtStatus::INVALID_DEVICE_REQUEST;
    if (row.access != 0 && !call.open->may_any(row.access)) return NtStatus::ACCESS_DENIED;
    return NtStatus::SUCCESS;
}

}  // namespace

Reply ioctl(Call& call, wire::IoctlRequest request) {
    if (const NtStatus status = check(call, request); status != NtStatus::SUCCESS) {
        co_return fail(status);
    }
    const FsctlRow* row = find_fsctl(request.ctl_code);
    if (row == nullptr) {
        log::debug(log::Component::engine, "{}: control code {:#010x} ({}) is not supported",
                   call.connection.peer(), request.ctl_code, fscc::fsctl_name(request.ctl_code));
        // As Windows: IPC$ asks for another driver (smb2.session.anon-encryption2).
        co_return fail(call.tree->capabilities.is_pipe ? NtStatus::FS_DRIVER_REQUIRED
                                                       : NtStatus::INVALID_DEVICE_REQUEST);
    }
    if (const NtStatus status = check_row(call, *row); status != NtStatus::SUCCESS) {
        co_return fail(status);
    }
    Task<Result<FsctlOutput>> running = row->run(call, request);
    Result<FsctlOutput> output = co_await running;
    if (!output) co_return fail(output.error());
    Buffer data = std::move(output->large);
    if (data.empty() && !output->small.empty()) {
        data = call.loop().buffers().allocate(output->small.size());
        if (data.empty()) co_return fail(NtStatus::INSUFF_SERVER_RESOURCES);
        std::memcpy(data.data(), output->small.data(), data.size());
    }
    if (data.size() > request.max_output_response) co_return fail(NtStatus::BUFFER_TOO_SMALL);
    wire::IoctlResponse response;
    response.ctl_code = request.ctl_code;
    response.file_id = request.file_id;
    response.output = wire::Payload::outside(data.size());
    co_return reply(call, response, std::move(data), output->status);
}

}  // namespace smb3d::engine
