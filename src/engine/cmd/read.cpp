// READ: [MS-SMB2] 3.3.5.12.
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/server_impl.h"
#include "fsa/access.h"

namespace smb3d::engine {

namespace {

constexpr std::uint64_t max_offset = 0x7FFF'FFFF'FFFF'FFFF;
constexpr std::size_t small_io = 64 * limits::kib;

NtStatus check(const Call& call, const wire::ReadRequest& request) {
    const Open& open = *call.open;
    if (request.length > call.connection.negotiated.max_transact)
        return NtStatus::INVALID_PARAMETER;
    if (request.channel != wire::channel::none) return NtStatus::INVALID_PARAMETER;  // no RDMA link
    if (!open.fsa) return NtStatus::SUCCESS;  // a pipe has no offsets, directories or locks
    if (open.is_directory()) return NtStatus::INVALID_DEVICE_REQUEST;
    if (auto allowed = fsa::check_operation(fsa::Operation::read, open.granted_access); !allowed) {
        return allowed.error();
    }
    // [MS-FSA] 2.1.5.3: the end must not pass the greatest file size.
    if (request.offset > max_offset || request.length > max_offset - request.offset) {
        return NtStatus::INVALID_PARAMETER;
    }
    const auto lock = open.fsa->file().check_read(*open.fsa, request.offset, request.length);
    return lock ? NtStatus::SUCCESS : lock.error();
}

// [MS-FSA]: a handle that took the access time into its own hands keeps it.
Task<bool> keep_times(Call& call) {
    const auto change = call.open->time_pins.lock()->after_read();
    if (!change) co_return false;
    Pending<void> setting(call.loop());
    call.open->file->set_stat(call.op(Lane::metadata), *change, setting.done());
    const Result<void> set = co_await setting;
    co_return set.has_value();
}

}  // namespace

Reply read(Call& call, wire::ReadRequest request) {
    if (const NtStatus status = check(call, request); status != NtStatus::SUCCESS) {
        co_return fail(status);
    }
    Buffer data;
    if (request.length != 0) {
        data = call.loop().buffers().allocate(request.length);
        if (data.empty()) co_return fail(NtStatus::INSUFF_SERVER_RESOURCES);
    }
    const ::iovec into{data.data(), data.size()};
    const Lane lane = request.length <= small_io ? Lane::small_io : Lane::bulk_io;
    Pending<std::size_t> reading(call.loop());
    bool refused = false;
    {
        // A pipe may keep a reader waiting until the open is closed.
        std::optional<WaitRegistration> wait;
        if (!call.open->fsa) wait.emplace(*call.open, call.cancellation);
        call.open->file->read(call.op(lane), request.offset, std::span(&into, 1), reading.done());
        const bool waits = !call.open->fsa && !reading.await_ready();
        // Too many wait on this connection already.
        if (waits && !call.go_async() && call.last) {
            refused = true;
            call.cancellation.request();
        }
        Signal& ready = reading.ready();
        co_await ready;
    }
    const Result<std::size_t> count = reading.await_resume();
    if (!count) {
        co_return fail(refused ? NtStatus::INSUFFICIENT_RESOURCES : count.error());
    }
    if (*count < request.minimum_count || (*count == 0 && request.length != 0 && call.open->fsa)) {
        co_return fail(NtStatus::END_OF_FILE);
    }
    if (call.open->fsa) {
        call.open->fsa->set_position(request.offset + *count);
        Task<bool> keep = keep_times(call);
        co_await keep;
    }
    data.truncate(*count);
    call.connection.local().bytes_read.fetch_add(*count, std::memory_order_relaxed);
    wire::ReadResponse response;
    response.data = wire::Payload::outside(*count);
    const NtStatus status =
        call.open->file->read_incomplete() ? NtStatus::BUFFER_OVERFLOW : NtStatus::SUCCESS;
    co_return reply(call, response, std::move(data), status);
}

}  // namespace smb3d::engine
