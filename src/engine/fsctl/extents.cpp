// FSCTL_DUPLICATE_EXTENTS_TO_FILE, FSCTL_FILE_LEVEL_TRIM: [MS-FSCC] 2.3.7, 2.3.13; [MS-FSA]
// 2.1.5.10.4, 2.1.5.10.6.
#include <algorithm>

#include "engine/fsa_wait.h"
#include "engine/fsctl/copy_source.h"
#include "engine/fsctl/fsctl.h"
#include "fsa/access.h"
#include "fsa/attributes.h"

namespace smb3d::engine {

namespace {

constexpr std::uint64_t page = 4096;

struct Duplicate {
    vfs::CopyRequest range;
    vfs::FileStat source;
    vfs::FileStat target;
    bool one_file{false};
};

// [MS-FSCC] 2.3.8: which ranges cannot be duplicated.
NtStatus check_ranges(const Duplicate& wanted) {
    const vfs::CopyRequest& range = wanted.range;
    if (range.source_offset + range.length > wanted.source.end_of_file ||
        range.offset + range.length > wanted.target.end_of_file) {
        return NtStatus::NOT_SUPPORTED;
    }
    const bool overlap = range.source_offset < range.offset + range.length &&
                         range.offset < range.source_offset + range.length;
    if (wanted.one_file && overlap) return NtStatus::NOT_SUPPORTED;
    const bool from_sparse = (wanted.source.attributes & fsa::attribute::sparse_file) != 0;
    const bool to_sparse = (wanted.target.attributes & fsa::attribute::sparse_file) != 0;
    if (from_sparse && !to_sparse) return NtStatus::NOT_SUPPORTED;
    return NtStatus::SUCCESS;
}

NtStatus check_locks(const Call& call, const Open& source, const vfs::CopyRequest& range) {
    const auto read = source.fsa->file().check_read(*source.fsa, range.source_offset, range.length);
    if (!read) return read.error();
    const auto write =
        call.open->fsa->file().check_write(*call.open->fsa, range.offset, range.length);
    return write ? NtStatus::SUCCESS : write.error();
}

Task<NtStatus> duplicate(Call& call, Open& source, vfs::CopyRequest range) {
    Duplicate wanted;
    wanted.range = range;
    wanted.one_file = source.file_id == call.open->file_id;
    Pending<vfs::FileStat> looking(call.loop());
    source.file->stat(call.op(Lane::metadata), looking.done());
    const Result<vfs::FileStat> from = co_await looking;
    if (!from) co_return from.error();
    wanted.source = *from;
    Pending<vfs::FileStat> looking_again(call.loop());
    call.open->file->stat(call.op(Lane::metadata), looking_again.done());
    const Result<vfs::FileStat> to = co_await looking_again;
    if (!to) co_return to.error();
    wanted.target = *to;
    NtStatus status = check_ranges(wanted);
    if (status == NtStatus::SUCCESS) status = check_locks(call, source, range);
    if (status != NtStatus::SUCCESS) co_return status;
    range.source = source.file.get();
    range.clone = true;
    Task<bool> before = break_readers_recorded(call);
    co_await before;
    Pending<std::uint64_t> cloning(call.loop());
    call.open->file->copy_range(call.op(Lane::bulk_io), range, cloning.done());
    const Result<std::uint64_t> cloned = co_await cloning;
    if (!cloned) {
        Task<bool> after = break_readers_recorded(call);
        co_await after;
        co_return cloned.error();
    }
    Task<bool> keeping = keep_copy_times(call, source);
    co_await keeping;
    co_return NtStatus::SUCCESS;
}

}  // namespace

FsctlReply fsctl_duplicate_extents(Call& call, const wire::IoctlRequest& request) {
    if (!call.tree->capabilities.block_cloning) co_return fail(NtStatus::INVALID_DEVICE_REQUEST);
    const auto input = wire::parse<fscc::DuplicateExtentsData>(request.input);
    if (!input) co_return fail(NtStatus::BUFFER_TOO_SMALL);
    const OpenRef source(
        call.session->find_open(input->source_volatile_id, input->source_persistent_id));
    // Deviation: [MS-FSCC] 2.3.8 has INVALID_PARAMETER; servers and smbtorture
    // (smb2.ioctl.dup_extents_bad_handle) have this.
    if (!source || !source->fsa) co_return fail(NtStatus::INVALID_HANDLE);
    if (source->is_directory() || call.open->is_directory()) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    const auto readable = fsa::check_operation(fsa::Operation::read, source->granted_access);
    if (!readable) co_return fail(readable.error());
    constexpr std::int64_t most = 0x7FFF'FFFF'FFFF'FFFF;
    if (input->source_file_offset < 0 || input->target_file_offset < 0 || input->byte_count < 0 ||
        input->byte_count > most - input->source_file_offset ||
        input->byte_count > most - input->target_file_offset) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    if (input->byte_count == 0) co_return FsctlOutput{};
    vfs::CopyRequest range;
    range.source_offset = static_cast<std::uint64_t>(input->source_file_offset);
    range.offset = static_cast<std::uint64_t>(input->target_file_offset);
    range.length = static_cast<std::uint64_t>(input->byte_count);
    Task<NtStatus> running = duplicate(call, *source, range);
    const NtStatus status = co_await running;
    if (status != NtStatus::SUCCESS) co_return fail(status);
    co_return FsctlOutput{};
}

// What is trimmed reads as zeros afterwards, and takes no space where the file is sparse.
FsctlReply fsctl_file_level_trim(Call& call, const wire::IoctlRequest& request) {
    if (call.open->is_directory()) co_return fail(NtStatus::INVALID_PARAMETER);
    const auto input = wire::parse<fscc::FileLevelTrim>(request.input);
    if (!input || input->ranges.empty()) co_return fail(NtStatus::INVALID_PARAMETER);
    const fscc::FileLevelTrimOutput none;
    FsctlOutput output;
    output.small = wire::to_bytes(none);
    if (request.max_output_response < output.small.size()) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    fscc::FileLevelTrimOutput processed;
    for (const fscc::FileLevelTrimRange& range : input->ranges) {
        if (call.cancellation.requested()) break;
        if (range.length > ~range.offset) co_return fail(NtStatus::INTEGER_OVERFLOW);
        // 2.1.5.10.6: only whole pages.
        const std::uint64_t begin = range.offset + (page - range.offset % page) % page;
        const std::uint64_t end = (range.offset + range.length) / page * page;
        if (begin < range.offset || begin >= end) {
            ++processed.num_ranges_processed;
            continue;
        }
        const auto lock = call.open->fsa->file().check_write(*call.open->fsa, begin, end - begin);
        if (!lock) break;
        Pending<void> zeroing(call.loop());
        call.open->file->zero_range(call.op(Lane::bulk_io), {begin, end - begin}, zeroing.done());
        const Result<void> zeroed = co_await zeroing;
        if (!zeroed) break;
        ++processed.num_ranges_processed;
    }
    if (processed.num_ranges_processed == 0) co_return fail(NtStatus::NO_RANGES_PROCESSED);
    output.small = wire::to_bytes(processed);
    co_return output;
}

}  // namespace smb3d::engine
