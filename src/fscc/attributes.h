// File attributes, file system attributes, device types and reparse tags.
//
// Spec: [MS-FSCC] 2.6, 2.5.1, 2.5.10, 2.1.2.1; [MS-SMB2] 2.2.13.1 (access masks).
#pragma once

#include <cstdint>

namespace smb3d::fscc {

namespace file_attribute {
inline constexpr std::uint32_t readonly = 0x00000001;
inline constexpr std::uint32_t hidden = 0x00000002;
inline constexpr std::uint32_t system = 0x00000004;
inline constexpr std::uint32_t directory = 0x00000010;
inline constexpr std::uint32_t archive = 0x00000020;
inline constexpr std::uint32_t normal = 0x00000080;
inline constexpr std::uint32_t temporary = 0x00000100;
inline constexpr std::uint32_t sparse_file = 0x00000200;
inline constexpr std::uint32_t reparse_point = 0x00000400;
inline constexpr std::uint32_t compressed = 0x00000800;
inline constexpr std::uint32_t offline = 0x00001000;
inline constexpr std::uint32_t not_content_indexed = 0x00002000;
inline constexpr std::uint32_t encrypted = 0x00004000;
inline constexpr std::uint32_t integrity_stream = 0x00008000;
inline constexpr std::uint32_t no_scrub_data = 0x00020000;
inline constexpr std::uint32_t recall_on_open = 0x00040000;
inline constexpr std::uint32_t pinned = 0x00080000;
inline constexpr std::uint32_t unpinned = 0x00100000;
inline constexpr std::uint32_t recall_on_data_access = 0x00400000;
inline constexpr std::uint32_t all = 0x005EFFB7;
// Those that a client sets by CREATE or FileBasicInformation ([MS-FSA] 2.1.5.1, 2.1.5.15.2).
inline constexpr std::uint32_t settable = readonly | hidden | system | archive | normal |
                                          temporary | offline | not_content_indexed | no_scrub_data;
}  // namespace file_attribute

// [MS-FSCC] 2.5.1 FileSystemAttributes
namespace fs_attribute {
inline constexpr std::uint32_t case_sensitive_search = 0x00000001;
inline constexpr std::uint32_t case_preserved_names = 0x00000002;
inline constexpr std::uint32_t unicode_on_disk = 0x00000004;
inline constexpr std::uint32_t persistent_acls = 0x00000008;
inline constexpr std::uint32_t file_compression = 0x00000010;
inline constexpr std::uint32_t volume_quotas = 0x00000020;
inline constexpr std::uint32_t supports_sparse_files = 0x00000040;
inline constexpr std::uint32_t supports_reparse_points = 0x00000080;
inline constexpr std::uint32_t supports_remote_storage = 0x00000100;
inline constexpr std::uint32_t volume_is_compressed = 0x00008000;
inline constexpr std::uint32_t supports_object_ids = 0x00010000;
inline constexpr std::uint32_t supports_encryption = 0x00020000;
inline constexpr std::uint32_t named_streams = 0x00040000;
inline constexpr std::uint32_t read_only_volume = 0x00080000;
inline constexpr std::uint32_t sequential_write_once = 0x00100000;
inline constexpr std::uint32_t supports_transactions = 0x00200000;
inline constexpr std::uint32_t supports_hard_links = 0x00400000;
inline constexpr std::uint32_t supports_extended_attributes = 0x00800000;
inline constexpr std::uint32_t supports_open_by_file_id = 0x01000000;
inline constexpr std::uint32_t supports_usn_journal = 0x02000000;
inline constexpr std::uint32_t supports_integrity_streams = 0x04000000;
inline constexpr std::uint32_t supports_block_refcounting = 0x08000000;
inline constexpr std::uint32_t supports_sparse_vdl = 0x10000000;
inline constexpr std::uint32_t supports_ghosting = 0x40000000;
}  // namespace fs_attribute

// [MS-FSCC] 2.5.10 DeviceType and Characteristics
namespace device {
inline constexpr std::uint32_t type_disk = 0x00000007;
inline constexpr std::uint32_t type_named_pipe = 0x00000011;
inline constexpr std::uint32_t characteristic_read_only = 0x00000002;
inline constexpr std::uint32_t characteristic_remote = 0x00000010;
inline constexpr std::uint32_t characteristic_mounted = 0x00000020;
}  // namespace device

// [MS-FSCC] 2.1.2.1
namespace reparse_tag {
inline constexpr std::uint32_t mount_point = 0xA0000003;
inline constexpr std::uint32_t symlink = 0xA000000C;
inline constexpr std::uint32_t dedup = 0x80000013;
inline constexpr std::uint32_t nfs = 0x80000014;
inline constexpr std::uint32_t appexeclink = 0x8000001B;
inline constexpr std::uint32_t lx_symlink = 0xA000001D;
inline constexpr std::uint32_t af_unix = 0x80000023;
inline constexpr std::uint32_t lx_fifo = 0x80000024;
inline constexpr std::uint32_t lx_chr = 0x80000025;
inline constexpr std::uint32_t lx_blk = 0x80000026;
}  // namespace reparse_tag

// [MS-SMB2] 2.2.13.1 access mask
namespace access {
inline constexpr std::uint32_t read_data = 0x00000001;  // list_directory
inline constexpr std::uint32_t list_directory = 0x00000001;
inline constexpr std::uint32_t write_data = 0x00000002;  // add_file
inline constexpr std::uint32_t add_file = 0x00000002;
inline constexpr std::uint32_t append_data = 0x00000004;  // add_subdirectory
inline constexpr std::uint32_t add_subdirectory = 0x00000004;
inline constexpr std::uint32_t read_ea = 0x00000008;
inline constexpr std::uint32_t write_ea = 0x00000010;
inline constexpr std::uint32_t execute = 0x00000020;  // traverse
inline constexpr std::uint32_t traverse = 0x00000020;
inline constexpr std::uint32_t delete_child = 0x00000040;
inline constexpr std::uint32_t read_attributes = 0x00000080;
inline constexpr std::uint32_t write_attributes = 0x00000100;
inline constexpr std::uint32_t delete_ = 0x00010000;
inline constexpr std::uint32_t read_control = 0x00020000;
inline constexpr std::uint32_t write_dac = 0x00040000;
inline constexpr std::uint32_t write_owner = 0x00080000;
inline constexpr std::uint32_t synchronize = 0x00100000;
inline constexpr std::uint32_t access_system_security = 0x01000000;
inline constexpr std::uint32_t maximum_allowed = 0x02000000;
inline constexpr std::uint32_t generic_all = 0x10000000;
inline constexpr std::uint32_t generic_execute = 0x20000000;
inline constexpr std::uint32_t generic_write = 0x40000000;
inline constexpr std::uint32_t generic_read = 0x80000000;
// What the generic rights stand for on files and directories.
inline constexpr std::uint32_t file_all = 0x001F01FF;
inline constexpr std::uint32_t file_generic_read = 0x00120089;
inline constexpr std::uint32_t file_generic_write = 0x00120116;
inline constexpr std::uint32_t file_generic_execute = 0x001200A0;
}  // namespace access

}  // namespace smb3d::fscc
