// FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA, FSCTL_QUERY_ALLOCATED_RANGES: [MS-FSCC] 2.3, [MS-FSA]
// 2.1.5.10.
#include <algorithm>

#include "engine/change_report.h"
#include "engine/connection.h"
#include "engine/fsa_wait.h"
#include "engine/fsctl/fsctl.h"
#include "engine/server_impl.h"
#include "fsa/attributes.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

namespace {
constexpr std::size_t max_ranges = 65536;  // of one answer, whatever the client's buffer

// [MS-FSA] 2.1.5.10.22: a file that is not sparse is allocated from end to end.
Result<FsctlOutput> whole_range(const vfs::FileStat& stat, vfs::Range within, std::size_t room) {
    FsctlOutput output;
    if (within.offset >= stat.end_of_file) return output;
    if (room == 0) return fail(NtStatus::BUFFER_TOO_SMALL);
    const std::uint64_t length = std::min(within.length, stat.end_of_file - within.offset);
    const fscc::FileAllocatedRangeBuffer range{static_cast<std::int64_t>(within.offset),
                                               static_cast<std::int64_t>(length)};
    output.small = wire::to_bytes(range);
    return output;
}

}  // namespace

FsctlReply fsctl_set_sparse(Call& call, const wire::IoctlRequest& request) {
    if (call.open->is_directory()) co_return fail(NtStatus::INVALID_PARAMETER);
    if (!call.tree->capabilities.sparse_files) co_return fail(NtStatus::INVALID_DEVICE_REQUEST);
    bool sparse = true;  // no input means true
    if (!request.input.empty()) {
        const auto input = wire::parse<fscc::FileSetSparseBuffer>(request.input);
        if (!input) co_return fail(input.error());
        sparse = input->set_sparse != 0;
    }
    vfs::File& file = *call.open->file;
    Pending<vfs::FileStat> asking(call.loop());
    file.stat(call.op(Lane::metadata), asking.done());
    const Result<vfs::FileStat> stat = co_await asking;
    if (!stat) co_return fail(stat.error());
    vfs::StatChange change;
    change.attributes = sparse ? stat->attributes | fsa::attribute::sparse_file
                               : stat->attributes & ~fsa::attribute::sparse_file;
    Pending<void> setting(call.loop());
    file.set_stat(call.op(Lane::metadata), change, setting.done());
    const Result<void> set = co_await setting;
    if (!set) co_return fail(set.error());
    report_change(call.server(), *call.open, fsa::ChangeAction::modified, fsa::change::attributes);
    co_return FsctlOutput{};
}

FsctlReply fsctl_set_zero_data(Call& call, const wire::IoctlRequest& request) {
    if (call.open->is_directory()) co_return fail(NtStatus::INVALID_PARAMETER);
    const auto input = wire::parse<fscc::FileZeroDataInformation>(request.input);
    if (!input) co_return fail(input.error());
    if (input->file_offset < 0 || input->beyond_final_zero < input->file_offset) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    const auto offset = static_cast<std::uint64_t>(input->file_offset);
    const auto length = static_cast<std::uint64_t>(input->beyond_final_zero) - offset;
    if (length == 0) co_return FsctlOutput{};
    if (call.open->fsa) {
        const auto lock = call.open->fsa->file().check_write(*call.open->fsa, offset, length);
        if (!lock) co_return fail(lock.error());
    }
    Task<bool> before = break_readers_recorded(call);
    co_await before;
    Pending<void> zeroing(call.loop());
    call.open->file->zero_range(call.op(Lane::bulk_io), {offset, length}, zeroing.done());
    const Result<void> zeroed = co_await zeroing;
    Task<bool> after = break_readers_recorded(call);
    co_await after;
    if (!zeroed) co_return fail(zeroed.error());
    report_write(call.server(), *call.open, call.loop());
    co_return FsctlOutput{};
}

FsctlReply fsctl_query_allocated_ranges(Call& call, const wire::IoctlRequest& request) {
    if (call.open->is_directory()) co_return fail(NtStatus::INVALID_PARAMETER);
    const auto input = wire::parse<fscc::FileAllocatedRangeBuffer>(request.input);
    if (!input) co_return fail(input.error());
    if (input->file_offset < 0 || input->length < 0 ||
        input->length > 0x7FFF'FFFF'FFFF'FFFF - input->file_offset) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    const std::size_t room = request.max_output_response / fscc::allocated_range_size;
    const vfs::Range within{static_cast<std::uint64_t>(input->file_offset),
                            static_cast<std::uint64_t>(input->length)};
    if (within.length == 0) co_return FsctlOutput{};
    Pending<vfs::FileStat> looking(call.loop());
    call.open->file->stat(call.op(Lane::metadata), looking.done());
    const Result<vfs::FileStat> stat = co_await looking;
    if (!stat) co_return fail(stat.error());
    if ((stat->attributes & fsa::attribute::sparse_file) == 0) {
        co_return whole_range(*stat, within, room);
    }
    // One more than there is room for tells whether the answer is whole.
    Pending<std::vector<vfs::Range>> asking(call.loop());
    call.open->file->allocated_ranges(call.op(Lane::metadata), within,
                                      std::min(room, max_ranges) + 1, asking.done());
    const Result<std::vector<vfs::Range>> ranges = co_await asking;
    if (!ranges) co_return fail(ranges.error());
    if (room == 0 && !ranges->empty()) co_return fail(NtStatus::BUFFER_TOO_SMALL);
    FsctlOutput output;
    const std::size_t count = std::min({ranges->size(), room, max_ranges});
    for (std::size_t i = 0; i < count; ++i) {
        const fscc::FileAllocatedRangeBuffer range{static_cast<std::int64_t>((*ranges)[i].offset),
                                                   static_cast<std::int64_t>((*ranges)[i].length)};
        if (!wire::append(range, output.small)) co_return fail(NtStatus::INTERNAL_ERROR);
    }
    if (count < ranges->size()) output.status = NtStatus::BUFFER_OVERFLOW;
    co_return output;
}

}  // namespace smb3d::engine
