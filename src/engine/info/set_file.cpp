// File information classes that are set in place: [MS-FSCC] 2.4, [MS-FSA] 2.1.5.15.
#include <array>

#include "engine/change_report.h"
#include "engine/connection.h"
#include "engine/fsa_wait.h"
#include "engine/info/set.h"
#include "engine/server_impl.h"
#include "fsa/access.h"
#include "fscc/file_info.h"

namespace smb3d::engine {

namespace {

void report_modified(Call& call, std::uint32_t filter) {
    report_change(call.server(), *call.open, fsa::ChangeAction::modified, filter);
}

// [MS-FSA] 2.1.5.15.2
std::uint32_t filter_of(const vfs::StatChange& change) {
    std::uint32_t filter = 0;
    if (change.attributes) filter |= fsa::change::attributes;
    if (change.creation_time) filter |= fsa::change::creation;
    if (change.last_access_time) filter |= fsa::change::last_access;
    if (change.last_write_time) filter |= fsa::change::last_write;
    return filter;
}

Task<NtStatus> set_basic(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FileBasicInformation>(input);
    if (!info) co_return info.error();
    vfs::File& file = *call.open->file;
    Pending<vfs::FileStat> asking(call.loop());
    file.stat(call.op(Lane::metadata), asking.done());
    const Result<vfs::FileStat> stat = co_await asking;
    if (!stat) co_return stat.error();
    const fsa::BasicInformation wanted{static_cast<std::int64_t>(info->creation_time),
                                       static_cast<std::int64_t>(info->last_access_time),
                                       static_cast<std::int64_t>(info->last_write_time),
                                       static_cast<std::int64_t>(info->change_time),
                                       info->file_attributes};
    const Result<vfs::StatChange> change = call.open->time_pins.lock()->apply(wanted, *stat);
    if (!change) co_return change.error();
    Pending<void> setting(call.loop());
    file.set_stat(call.op(Lane::metadata), *change, setting.done());
    const Result<void> set = co_await setting;
    if (!set) co_return set.error();
    report_modified(call, filter_of(*change));
    co_return NtStatus::SUCCESS;
}

NtStatus check_size(const Call& call, std::int64_t size) {
    if (!call.open->fsa || call.open->is_directory() || size < 0) {
        return NtStatus::INVALID_PARAMETER;
    }
    return NtStatus::SUCCESS;
}

// [MS-FSA]: a size change is a write as far as the handle's own times go.
Task<NtStatus> keep_times(Call& call) {
    const auto change = call.open->time_pins.lock()->after_write();
    if (!change) co_return NtStatus::SUCCESS;
    Pending<void> setting(call.loop());
    call.open->file->set_stat(call.op(Lane::metadata), *change, setting.done());
    const Result<void> set = co_await setting;
    co_return set ? NtStatus::SUCCESS : set.error();
}

Task<NtStatus> set_end_of_file(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FileEndOfFileInformation>(input);
    if (!info) co_return info.error();
    const NtStatus valid = check_size(call, info->end_of_file);
    if (valid != NtStatus::SUCCESS) co_return valid;
    Task<bool> before = break_readers_recorded(call);
    co_await before;
    Pending<void> sizing(call.loop());
    call.open->file->set_size(call.op(Lane::metadata),
                              static_cast<std::uint64_t>(info->end_of_file), sizing.done());
    const Result<void> sized = co_await sizing;
    Task<bool> after = break_readers_recorded(call);
    co_await after;
    if (!sized) co_return sized.error();
    report_modified(call, fsa::change::size | fsa::change::last_write);
    Task<NtStatus> keep = keep_times(call);
    co_return co_await keep;
}

Task<NtStatus> set_allocation(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FileAllocationInformation>(input);
    if (!info) co_return info.error();
    const NtStatus valid = check_size(call, info->allocation_size);
    if (valid != NtStatus::SUCCESS) co_return valid;
    Task<bool> before = break_readers_recorded(call);
    co_await before;
    Pending<void> allocating(call.loop());
    call.open->file->allocate(call.op(Lane::metadata),
                              static_cast<std::uint64_t>(info->allocation_size), allocating.done());
    const Result<void> allocated = co_await allocating;
    Task<bool> after = break_readers_recorded(call);
    co_await after;
    if (!allocated) co_return allocated.error();
    report_modified(call, fsa::change::size);
    Task<NtStatus> keep = keep_times(call);
    co_return co_await keep;
}

// [MS-FSA] 2.1.5.15.14: beyond the valid data a POSIX file reads zeros anyway; the range is
// checked, nothing is to be done.
Task<NtStatus> set_valid_data_length(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FileValidDataLengthInformation>(input);
    if (!info) co_return info.error();
    const NtStatus valid = check_size(call, info->valid_data_length);
    if (valid != NtStatus::SUCCESS) co_return valid;
    Pending<vfs::FileStat> asking(call.loop());
    call.open->file->stat(call.op(Lane::metadata), asking.done());
    const Result<vfs::FileStat> stat = co_await asking;
    if (!stat) co_return stat.error();
    const bool inside = static_cast<std::uint64_t>(info->valid_data_length) <= stat->end_of_file;
    co_return inside ? NtStatus::SUCCESS : NtStatus::INVALID_PARAMETER;
}

Task<NtStatus> set_position(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FilePositionInformation>(input);
    if (!info) co_return info.error();
    if (info->current_byte_offset > 0x7FFF'FFFF'FFFF'FFFF) co_return NtStatus::INVALID_PARAMETER;
    if (!call.open->fsa) co_return NtStatus::INVALID_PARAMETER;
    call.open->fsa->set_position(info->current_byte_offset);
    co_return NtStatus::SUCCESS;
}

Task<NtStatus> set_mode(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FileModeInformation>(input);
    if (!info) co_return info.error();
    if (!call.open->fsa) co_return NtStatus::INVALID_PARAMETER;
    const Result<void> set = call.open->fsa->set_mode(info->mode);
    co_return set ? NtStatus::SUCCESS : set.error();
}

Task<NtStatus> set_full_ea(Call& call, Bytes input) {
    // An empty list changes nothing.
    const bool nothing = input.empty();
    co_return nothing&& call.open->fsa ? NtStatus::SUCCESS : NtStatus::EAS_NOT_SUPPORTED;
}

// Windows' RPC asks for message mode, which our pipes always have.
Task<NtStatus> set_pipe(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FilePipeInformation>(input);
    if (!info) co_return info.error();
    const bool possible = !call.open->fsa && info->read_mode <= 1 && info->completion_mode <= 1;
    co_return possible ? NtStatus::SUCCESS : NtStatus::INVALID_PARAMETER;
}

using C = fscc::FileInfoClass;
constexpr std::uint8_t code(C info_class) { return static_cast<std::uint8_t>(info_class); }
namespace a = fsa::access;
constexpr std::array rows = {
    InfoSetRow{code(C::basic), a::write_attributes, set_basic},
    InfoSetRow{code(C::end_of_file), a::write_data, set_end_of_file},
    InfoSetRow{code(C::allocation), a::write_data, set_allocation},
    InfoSetRow{code(C::valid_data_length), a::write_data, set_valid_data_length},
    InfoSetRow{code(C::disposition), a::delete_, set_disposition},
    InfoSetRow{code(C::disposition_ex), a::delete_, set_disposition_ex},
    InfoSetRow{code(C::rename), a::delete_, set_rename},
    InfoSetRow{code(C::rename_ex), a::delete_, set_rename_ex},
    InfoSetRow{code(C::link), 0, set_link},
    InfoSetRow{code(C::link_ex), 0, set_link_ex},
    InfoSetRow{code(C::position), 0, set_position},
    InfoSetRow{code(C::mode), 0, set_mode},
    InfoSetRow{code(C::full_ea), a::write_ea, set_full_ea},
    InfoSetRow{code(C::pipe), 0, set_pipe},
};

}  // namespace

const InfoSetRow* find_file_set(std::uint8_t info_class) {
    for (const InfoSetRow& row : rows) {
        if (row.info_class == info_class) return &row;
    }
    return nullptr;
}

}  // namespace smb3d::engine
