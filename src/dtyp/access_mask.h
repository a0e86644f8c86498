// ACCESS_MASK: the bits that rights are asked for and granted with.
//
// Spec: [MS-DTYP] 2.4.3, [MS-SMB2] 2.2.13.1.
// Thread: any (constants).
#pragma once

#include <cstdint>

namespace smb3d::dtyp {

using AccessMask = std::uint32_t;

// [MS-SMB2] 2.2.13.1.1 files, pipes, printers; 2.2.13.1.2 directories: the same bits under other
// names.
inline constexpr AccessMask file_read_data = 0x00000001;
inline constexpr AccessMask file_list_directory = file_read_data;
inline constexpr AccessMask file_write_data = 0x00000002;
inline constexpr AccessMask file_add_file = file_write_data;
inline constexpr AccessMask file_append_data = 0x00000004;
inline constexpr AccessMask file_add_subdirectory = file_append_data;
inline constexpr AccessMask file_read_ea = 0x00000008;
inline constexpr AccessMask file_write_ea = 0x00000010;
inline constexpr AccessMask file_execute = 0x00000020;
inline constexpr AccessMask file_traverse = file_execute;
inline constexpr AccessMask file_delete_child = 0x00000040;
inline constexpr AccessMask file_read_attributes = 0x00000080;
inline constexpr AccessMask file_write_attributes = 0x00000100;
inline constexpr AccessMask delete_access = 0x00010000;  // DELETE
inline constexpr AccessMask read_control = 0x00020000;
inline constexpr AccessMask write_dac = 0x00040000;
inline constexpr AccessMask write_owner = 0x00080000;
inline constexpr AccessMask synchronize = 0x00100000;
inline constexpr AccessMask access_system_security = 0x01000000;
inline constexpr AccessMask maximum_allowed = 0x02000000;
inline constexpr AccessMask generic_all = 0x10000000;
inline constexpr AccessMask generic_execute = 0x20000000;
inline constexpr AccessMask generic_write = 0x40000000;
inline constexpr AccessMask generic_read = 0x80000000;

inline constexpr AccessMask standard_rights_required = 0x000F0000;
inline constexpr AccessMask standard_rights_all = 0x001F0000;
inline constexpr AccessMask file_all_access = 0x001F01FF;
inline constexpr AccessMask file_generic_read = 0x00120089;
inline constexpr AccessMask file_generic_write = 0x00120116;
inline constexpr AccessMask file_generic_execute = 0x001200A0;
inline constexpr AccessMask generic_bits =
    generic_all | generic_execute | generic_write | generic_read;

// Every bit that means something in a request; others are reserved ([MS-SMB2] 3.3.5.9:
// ACCESS_DENIED).
inline constexpr AccessMask valid_bits =
    file_all_access | access_system_security | maximum_allowed | generic_bits;

// [MS-DTYP] 2.4.3: what the four generic bits stand for with a kind of object.
struct GenericMapping {
    AccessMask read{0};
    AccessMask write{0};
    AccessMask execute{0};
    AccessMask all{0};
};
inline constexpr GenericMapping file_generic_mapping{file_generic_read, file_generic_write,
                                                     file_generic_execute, file_all_access};

constexpr AccessMask map_generic(AccessMask mask,
                                 const GenericMapping& mapping = file_generic_mapping) {
    if ((mask & generic_read) != 0) mask |= mapping.read;
    if ((mask & generic_write) != 0) mask |= mapping.write;
    if ((mask & generic_execute) != 0) mask |= mapping.execute;
    if ((mask & generic_all) != 0) mask |= mapping.all;
    return mask & ~generic_bits;
}

}  // namespace smb3d::dtyp
