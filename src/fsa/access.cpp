#include "fsa/access.h"

namespace smb3d::fsa {

namespace {

constexpr std::uint32_t valid_attributes = 0x00007FB7;  // attribute::valid, see attributes.h

Result<void> check_options(std::uint32_t desired, CreateDisposition disposition,
                           std::uint32_t options) {
    // [MS-SMB2] 3.3.5.9: reserved bits, then options that no SMB2 server offers.
    if ((options & 0xFF000000) != 0) return fail(NtStatus::INVALID_PARAMETER);
    constexpr std::uint32_t create_tree_connection = 0x00000080;
    if ((options & (create_tree_connection | option::open_by_file_id | option::reserve_opfilter)) !=
        0) {
        return fail(NtStatus::NOT_SUPPORTED);
    }
    // [MS-FSA] 2.1.5.1 phase 1.
    const bool directory = (options & option::directory_file) != 0;
    if (directory && (options & option::non_directory_file) != 0) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if (directory && overwrites(disposition)) return fail(NtStatus::INVALID_PARAMETER);
    constexpr std::uint32_t may_delete =
        access::delete_ | access::generic_all | access::maximum_allowed;
    if ((options & option::delete_on_close) != 0 && (desired & may_delete) == 0) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    // Deviation: NO_INTERMEDIATE_BUFFERING together with FILE_APPEND_DATA is not refused: Windows'
    // redirector sends the two after it has expanded generic rights, and buffering is the server's
    // own affair.
    return {};
}

}  // namespace

Result<void> check_create_parameters(std::uint32_t desired, std::uint32_t share_access,
                                     std::uint32_t disposition, std::uint32_t options,
                                     std::uint32_t attributes) {
    // [MS-FSA] 2.1.5.1 phase 1.  Deviation: SYNCHRONIZE alone is an access, as smbd has it
    // (smbtorture smb2.sharemode; smb2.create.gentest, which smbd fails, would have ACCESS_DENIED).
    if ((desired & ~access::valid) != 0) return fail(NtStatus::ACCESS_DENIED);
    if (desired == 0) return fail(NtStatus::ACCESS_DENIED);
    if ((share_access & ~share::all) != 0) return fail(NtStatus::INVALID_PARAMETER);
    if (disposition > static_cast<std::uint32_t>(CreateDisposition::overwrite_if)) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if ((attributes & ~valid_attributes) != 0) return fail(NtStatus::INVALID_PARAMETER);
    return check_options(desired, static_cast<CreateDisposition>(disposition), options);
}

Result<void> check_operation(Operation operation, std::uint32_t granted) {
    std::uint32_t any = 0;
    switch (operation) {
        // Deviation: [MS-SMB2] 3.3.5.12 names FILE_READ_DATA only; executing is reading over the
        // wire, and Windows reads for FILE_EXECUTE too (smbtorture smb2.read.access).
        case Operation::read:
            any = access::read_data | access::execute;
            break;
        case Operation::write:
        case Operation::flush:
            any = access::write_data | access::append_data;
            break;
        // NtLockFile's rule; [MS-FSA] 2.1.5.8 leaves it to the I/O manager.
        case Operation::lock:
            any = access::read_data | access::write_data | access::append_data | access::execute;
            break;
        case Operation::list:
        case Operation::notify:
        case Operation::query_ranges:
            any = access::read_data;
            break;
        case Operation::query_basic:
            any = access::read_attributes;
            break;
        case Operation::set_basic:
            any = access::write_attributes;
            break;
        case Operation::set_size:
        case Operation::zero_data:
            any = access::write_data;
            break;
        case Operation::rename:
        case Operation::set_disposition:
            any = access::delete_;
            break;
        case Operation::link:
            return {};  // [MS-FSA] 2.1.5.15.6 asks nothing of the open
        case Operation::query_ea:
            any = access::read_ea;
            break;
        case Operation::set_ea:
            any = access::write_ea;
            break;
        case Operation::set_sparse:
            any = access::write_data | access::append_data | access::write_attributes;
            break;
    }
    if ((granted & any) == 0) return fail(NtStatus::ACCESS_DENIED);
    return {};
}

}  // namespace smb3d::fsa
