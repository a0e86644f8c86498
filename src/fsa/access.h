// Access rights as [MS-FSA] uses them: what an operation needs, what takes part in sharing.
//
// Purpose: the tables of [MS-FSA] that map dispositions, options and operations to access rights.
// Spec: [MS-FSA] 2.1.5.1, 2.1.5.1.2, 2.1.5.1.2.1, 2.1.5.1.2.2; [MS-SMB2] 2.2.13, 2.2.13.1.
// Thread: pure functions, any.
// Lifetime: plain values.
// Errors: NtStatus where a rule can be broken.
#pragma once

#include <cstdint>

#include "smb3d/status.h"
#include "smb3d/vfs.h"

namespace smb3d::fsa {

// [MS-SMB2] 2.2.13.1.1; for directories the first three are list, add file, add subdirectory.
namespace access {
inline constexpr std::uint32_t read_data = 0x00000001;
inline constexpr std::uint32_t write_data = 0x00000002;
inline constexpr std::uint32_t append_data = 0x00000004;
inline constexpr std::uint32_t read_ea = 0x00000008;
inline constexpr std::uint32_t write_ea = 0x00000010;
inline constexpr std::uint32_t execute = 0x00000020;
inline constexpr std::uint32_t delete_child = 0x00000040;
inline constexpr std::uint32_t read_attributes = 0x00000080;
inline constexpr std::uint32_t write_attributes = 0x00000100;
inline constexpr std::uint32_t delete_ = 0x00010000;
inline constexpr std::uint32_t read_control = 0x00020000;
inline constexpr std::uint32_t write_dac = 0x00040000;
inline constexpr std::uint32_t write_owner = 0x00080000;
inline constexpr std::uint32_t synchronize = 0x00100000;
inline constexpr std::uint32_t system_security = 0x01000000;
inline constexpr std::uint32_t maximum_allowed = 0x02000000;
inline constexpr std::uint32_t generic_all = 0x10000000;
inline constexpr std::uint32_t generic_execute = 0x20000000;
inline constexpr std::uint32_t generic_write = 0x40000000;
inline constexpr std::uint32_t generic_read = 0x80000000;

inline constexpr std::uint32_t file_all = 0x001F01FF;
inline constexpr std::uint32_t generic_bits =
    generic_all | generic_execute | generic_write | generic_read;
// What may stand in DesiredAccess at all; other bits are ACCESS_DENIED.
inline constexpr std::uint32_t valid = file_all | system_security | maximum_allowed | generic_bits;
// Rights that change what is stored: refused on a read-only share.
inline constexpr std::uint32_t modifying = write_data | append_data | write_ea | delete_child |
                                           write_attributes | delete_ | write_dac | write_owner;
// [MS-FSA] 2.1.5.1.2.2: only opens with one of these take part in share-mode conflicts.
inline constexpr std::uint32_t sharing = read_data | write_data | append_data | execute | delete_;
}  // namespace access

// [MS-SMB2] 2.2.13 ShareAccess.
namespace share {
inline constexpr std::uint32_t read = 1;
inline constexpr std::uint32_t write = 2;
inline constexpr std::uint32_t delete_ = 4;
inline constexpr std::uint32_t all = read | write | delete_;
}  // namespace share

// [MS-SMB2] 2.2.13 CreateDisposition.
enum class CreateDisposition : std::uint32_t {
    supersede = 0,
    open = 1,
    create = 2,
    open_if = 3,
    overwrite = 4,
    overwrite_if = 5,
};

// [MS-SMB2] 2.2.13 CreateOptions.
namespace option {
inline constexpr std::uint32_t directory_file = 0x00000001;
inline constexpr std::uint32_t write_through = 0x00000002;
inline constexpr std::uint32_t sequential_only = 0x00000004;
inline constexpr std::uint32_t no_intermediate_buffering = 0x00000008;
inline constexpr std::uint32_t synchronous_io_alert = 0x00000010;
inline constexpr std::uint32_t synchronous_io_nonalert = 0x00000020;
inline constexpr std::uint32_t non_directory_file = 0x00000040;
inline constexpr std::uint32_t complete_if_oplocked = 0x00000100;
inline constexpr std::uint32_t no_ea_knowledge = 0x00000200;
inline constexpr std::uint32_t random_access = 0x00000800;
inline constexpr std::uint32_t delete_on_close = 0x00001000;
inline constexpr std::uint32_t open_by_file_id = 0x00002000;
inline constexpr std::uint32_t open_for_backup_intent = 0x00004000;
inline constexpr std::uint32_t no_compression = 0x00008000;
inline constexpr std::uint32_t open_remote_instance = 0x00000400;
inline constexpr std::uint32_t open_requiring_oplock = 0x00010000;
inline constexpr std::uint32_t disallow_exclusive = 0x00020000;
inline constexpr std::uint32_t reserve_opfilter = 0x00100000;
inline constexpr std::uint32_t open_reparse_point = 0x00200000;
inline constexpr std::uint32_t open_no_recall = 0x00400000;
inline constexpr std::uint32_t open_for_free_space_query = 0x00800000;
}  // namespace option

// The access a disposition needs on an existing file besides what is asked for
// ([MS-FSA] 2.1.5.1.2.1): it takes part in the access check and in the share-mode check, but is not
// granted.
constexpr std::uint32_t access_added_by(CreateDisposition disposition) {
    switch (disposition) {
        case CreateDisposition::supersede:
            return access::delete_ | access::write_data;
        case CreateDisposition::overwrite:
        case CreateDisposition::overwrite_if:
            return access::write_data | access::write_ea | access::write_attributes;
        case CreateDisposition::open:
        case CreateDisposition::create:
        case CreateDisposition::open_if:
            break;
    }
    return 0;
}

constexpr bool overwrites(CreateDisposition disposition) {
    return disposition == CreateDisposition::supersede ||
           disposition == CreateDisposition::overwrite ||
           disposition == CreateDisposition::overwrite_if;
}
// May a file come into being through this disposition?
constexpr bool may_create(CreateDisposition disposition) {
    return disposition != CreateDisposition::open && disposition != CreateDisposition::overwrite;
}
// The right on the parent directory that creating needs.
constexpr std::uint32_t parent_access_to_create(bool directory) {
    return directory ? access::append_data : access::write_data;
}

// True if an open with this access takes part in share-mode conflicts.
constexpr bool takes_part_in_sharing(std::uint32_t granted) {
    return (granted & access::sharing) != 0;
}

// What the back end has to open the file for, so that `granted` can be exercised.
constexpr std::uint32_t vfs_access(std::uint32_t granted, bool will_truncate) {
    std::uint32_t wanted = vfs::access_attributes;
    if ((granted & (access::read_data | access::execute)) != 0) wanted |= vfs::access_read_data;
    if ((granted & (access::write_data | access::append_data)) != 0 || will_truncate) {
        wanted |= vfs::access_write_data;
    }
    // FILE_APPEND_DATA alone does not move writes to the end: the offset counts (smbtorture
    // smb2.rw.append).
    return wanted;
}

// The rules of [MS-FSA] 2.1.5.1 phase 1 on create parameters as such (before any lookup). `desired`
// has its generic bits still in or already expanded.  Statuses: INVALID_PARAMETER, ACCESS_DENIED,
// NOT_SUPPORTED.
Result<void> check_create_parameters(std::uint32_t desired, std::uint32_t share_access,
                                     std::uint32_t disposition, std::uint32_t options,
                                     std::uint32_t attributes);

// Operations, and the rights one of which (`any`) or all of which the open must have been granted.
enum class Operation : std::uint8_t {
    read,
    write,
    flush,
    lock,
    list,
    notify,
    query_basic,  // and network-open, all, attribute-tag
    set_basic,
    set_size,  // end of file, allocation, valid data length
    rename,
    link,
    set_disposition,
    query_ea,
    set_ea,
    set_sparse,  // FSCTL_SET_SPARSE, compression
    zero_data,
    query_ranges,
};
// ACCESS_DENIED unless `granted` has what `operation` needs.
Result<void> check_operation(Operation operation, std::uint32_t granted);

}  // namespace smb3d::fsa
