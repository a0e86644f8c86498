// WRITE: [MS-SMB2] 3.3.5.13.
#include "engine/change_report.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/fsa_wait.h"
#include "engine/server_impl.h"
#include "fsa/access.h"

namespace smb3d::engine {

namespace {

constexpr std::uint64_t max_offset = 0x7FFF'FFFF'FFFF'FFFF;
constexpr std::size_t small_io = 64 * limits::kib;

NtStatus check(const Call& call, const wire::WriteRequest& request) {
    const Open& open = *call.open;
    const std::size_t length = request.data.size();
    if (length > call.connection.negotiated.max_transact) return NtStatus::INVALID_PARAMETER;
    if (request.channel != wire::channel::none) return NtStatus::INVALID_PARAMETER;  // no RDMA link
    if (!open.fsa) return NtStatus::SUCCESS;
    if (open.is_directory()) return NtStatus::INVALID_DEVICE_REQUEST;
    if (auto allowed = fsa::check_operation(fsa::Operation::write, open.granted_access); !allowed) {
        return allowed.error();
    }
    if (request.offset == vfs::append_offset) return NtStatus::SUCCESS;
    if (request.offset > max_offset || length > max_offset - request.offset) {
        return NtStatus::INVALID_PARAMETER;
    }
    const auto lock = open.fsa->file().check_write(*open.fsa, request.offset, length);
    return lock ? NtStatus::SUCCESS : lock.error();
}

Task<bool> keep_times(Call& call) {
    const auto change = call.open->time_pins.lock()->after_write();
    if (!change) co_return false;
    Pending<void> setting(call.loop());
    call.open->file->set_stat(call.op(Lane::metadata), *change, setting.done());
    const Result<void> set = co_await setting;
    co_return set.has_value();
}

}  // namespace

Reply write(Call& call, wire::WriteRequest request) {
    if (const NtStatus status = check(call, request); status != NtStatus::SUCCESS) {
        co_return fail(status);
    }
    wire::WriteResponse response;
    const Bytes bytes = request.data.bytes;
    if (!bytes.empty()) {
        const ::iovec from{const_cast<std::byte*>(bytes.data()), bytes.size()};
        const bool through =
            (request.flags & wire::write_flags::write_through) != 0 || call.open->write_through();
        const Lane lane = bytes.size() <= small_io ? Lane::small_io : Lane::bulk_io;
        // [MS-FSA] 2.1.5.3; and again below, for who began to cache meanwhile.
        if (break_readers(call)) {
            Task<bool> breaks = call.server().durable.breaks_recorded(call.loop());
            co_await breaks;
        }
        Pending<std::size_t> writing(call.loop());
        call.open->file->write(call.op(lane), request.offset, std::span(&from, 1), through,
                               writing.done());
        const Result<std::size_t> count = co_await writing;
        // Also if it failed: part of it may have been written.
        if (break_readers(call)) {
            Task<bool> breaks = call.server().durable.breaks_recorded(call.loop());
            co_await breaks;
        }
        if (!count) co_return fail(count.error());
        response.count = static_cast<std::uint32_t>(*count);
        call.connection.local().bytes_written.fetch_add(*count, std::memory_order_relaxed);
        if (call.open->fsa) {
            if (request.offset != vfs::append_offset) {
                call.open->fsa->set_position(request.offset + *count);
            }
            Task<bool> keep = keep_times(call);
            co_await keep;
            report_write(call.server(), *call.open, call.loop());
        }
    }
    co_return reply(call, response);
}

}  // namespace smb3d::engine
