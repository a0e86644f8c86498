// File information classes, as a QUERY_INFO answers and a SET_INFO sends them.
//
// Purpose: one structure a class.  Directory entries are in directory_writer.h; entries of lists
//   (streams, extended attributes, links) are read and written with wire/next_list.h, and are
//   declared here without their NextEntryOffset.
// Spec: [MS-FSCC] 2.4.  The numbers are those of the revision with the Id64 and IdAll classes; a
//   structure's name is its section's title in all of them.
// Lifetime: names and values are views.
// Errors: parse<T>(bytes, INFO_LENGTH_MISMATCH) and the like; extra bytes behind a structure are
//   ignored.
#pragma once

#include "fscc/info_class.h"
#include "wire/codec.h"

namespace smb3d::fscc {

using wire::FileTime;
using wire::Guid;
// [MS-FSCC] 2.1.10
using FileId128 = std::array<std::uint8_t, 16>;

// 2.4.7.  In a SET_INFO a time of 0 leaves it, -1 stops updates through this handle, -2 resumes
// them.
struct FileBasicInformation {
    FileTime creation_time{0};
    FileTime last_access_time{0};
    FileTime last_write_time{0};
    FileTime change_time{0};
    std::uint32_t file_attributes{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.creation_time);
        w.field(self.last_access_time);
        w.field(self.last_write_time);
        w.field(self.change_time);
        w.field(self.file_attributes);
        w.reserved(4);
    }
};

// 2.4.45
struct FileStandardInformation {
    std::uint64_t allocation_size{0};
    std::uint64_t end_of_file{0};
    std::uint32_t number_of_links{0};
    std::uint8_t delete_pending{0};
    std::uint8_t directory{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.allocation_size);
        w.field(self.end_of_file);
        w.field(self.number_of_links);
        w.field(self.delete_pending);
        w.field(self.directory);
        w.reserved(2);
    }
};

// 2.4.26
struct FileInternalInformation {
    std::uint64_t index_number{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.index_number);
    }
};

// 2.4.13
struct FileEaInformation {
    std::uint32_t ea_size{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.ea_size);
    }
};

// 2.4.1
struct FileAccessInformation {
    std::uint32_t access_flags{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.access_flags);
    }
};

// 2.4.39
struct FilePositionInformation {
    std::uint64_t current_byte_offset{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.current_byte_offset);
    }
};

// 2.4.30
struct FileModeInformation {
    std::uint32_t mode{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.mode);
    }
};

// 2.4.3
struct FileAlignmentInformation {
    std::uint32_t alignment_requirement{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.alignment_requirement);
    }
};

// 2.1.7 FILE_NAME_INFORMATION: FileNameInformation, and the form of 2.4.5 FileAlternateName, 2.4.34
// FileNormalizedName and 2.4.44 FileShortName.
struct FileNameInformation {
    Bytes file_name;  // UTF-16LE

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.length32(self.file_name);
        w.inline_utf16(self.file_name);
    }
};
using FileAlternateNameInformation = FileNameInformation;
using FileNormalizedNameInformation = FileNameInformation;
using FileShortNameInformation = FileNameInformation;

// 2.4.2
struct FileAllInformation {
    FileBasicInformation basic_information;
    FileStandardInformation standard_information;
    FileInternalInformation internal_information;
    FileEaInformation ea_information;
    FileAccessInformation access_information;
    FilePositionInformation position_information;
    FileModeInformation mode_information;
    FileAlignmentInformation alignment_information;
    FileNameInformation name_information;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.basic_information);
        w.field(self.standard_information);
        w.field(self.internal_information);
        w.field(self.ea_information);
        w.field(self.access_information);
        w.field(self.position_information);
        w.field(self.mode_information);
        w.field(self.alignment_information);
        w.field(self.name_information);
    }
};

// 2.4.41.2 FILE_RENAME_INFORMATION_TYPE_2, the form for SMB2; 2.4.27.2 FileLinkInformation has the
// same.
struct FileRenameInformation {
    std::uint8_t replace_if_exists{0};
    std::uint64_t root_directory{0};  // must be 0
    Bytes file_name;                  // UTF-16LE

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.replace_if_exists);
        w.reserved(7);
        w.field(self.root_directory);
        w.length32(self.file_name);
        w.inline_utf16(self.file_name);
    }
};
using FileLinkInformation = FileRenameInformation;

// FileRenameInformationEx, FileLinkInformationEx
namespace rename_flags {
inline constexpr std::uint32_t replace_if_exists = 0x00000001;
inline constexpr std::uint32_t posix_semantics = 0x00000002;
inline constexpr std::uint32_t suppress_pin_state_inheritance = 0x00000004;
inline constexpr std::uint32_t ignore_readonly_attribute = 0x00000040;
}  // namespace rename_flags

struct FileRenameInformationEx {
    std::uint32_t flags{0};
    std::uint64_t root_directory{0};
    Bytes file_name;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.flags);
        w.reserved(4);
        w.field(self.root_directory);
        w.length32(self.file_name);
        w.inline_utf16(self.file_name);
    }
};
using FileLinkInformationEx = FileRenameInformationEx;

// 2.4.11
struct FileDispositionInformation {
    std::uint8_t delete_pending{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.delete_pending);
    }
};

// FileDispositionInformationEx
namespace disposition_flags {
inline constexpr std::uint32_t delete_ = 0x00000001;
inline constexpr std::uint32_t posix_semantics = 0x00000002;
inline constexpr std::uint32_t force_image_section_check = 0x00000004;
inline constexpr std::uint32_t on_close = 0x00000008;
inline constexpr std::uint32_t ignore_readonly_attribute = 0x00000010;
}  // namespace disposition_flags

struct FileDispositionInformationEx {
    std::uint32_t flags{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.flags);
    }
};

// 2.4.4
struct FileAllocationInformation {
    std::int64_t allocation_size{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.allocation_size);
    }
};

// 2.4.14
struct FileEndOfFileInformation {
    std::int64_t end_of_file{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.end_of_file);
    }
};

// 2.4.48
struct FileValidDataLengthInformation {
    std::int64_t valid_data_length{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.valid_data_length);
    }
};

// 2.4.47, an entry of the list; alignment 8.
struct FileStreamInformation {
    std::uint64_t stream_size{0};
    std::uint64_t stream_allocation_size{0};
    Bytes stream_name;  // UTF-16LE "::$DATA"

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.length32(self.stream_name);
        w.field(self.stream_size);
        w.field(self.stream_allocation_size);
        w.inline_utf16(self.stream_name);
    }
};
inline constexpr std::size_t stream_alignment = 8;

// 2.4.16, an entry of the list; alignment 4.
struct FileFullEaInformation {
    std::uint8_t flags{0};
    Bytes ea_name;  // 8-bit characters, without the terminator
    Bytes ea_value;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.flags);
        w.length8(self.ea_name);
        w.length16(self.ea_value);
        w.inline_bytes(self.ea_name);
        w.constant(std::uint8_t{0});
        w.inline_bytes(self.ea_value);
    }
};
inline constexpr std::size_t ea_alignment = 4;
inline constexpr std::size_t max_eas = 4096;
inline constexpr std::uint8_t ea_flag_need_ea = 0x80;

// 2.4.16.1 FILE_GET_EA_INFORMATION, an entry of the list; alignment 4.
struct FileGetEaInformation {
    Bytes ea_name;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.length8(self.ea_name);
        w.inline_bytes(self.ea_name);
        w.constant(std::uint8_t{0});
    }
};

// 2.4.36
struct FilePipeInformation {
    std::uint32_t read_mode{0};        // 0 byte stream, 1 message
    std::uint32_t completion_mode{0};  // 0 wait, 1 do not

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.read_mode);
        w.field(self.completion_mode);
    }
};

// 2.4.37
struct FilePipeLocalInformation {
    std::uint32_t named_pipe_type{0};
    std::uint32_t named_pipe_configuration{0};
    std::uint32_t maximum_instances{0};
    std::uint32_t current_instances{0};
    std::uint32_t inbound_quota{0};
    std::uint32_t read_data_available{0};
    std::uint32_t outbound_quota{0};
    std::uint32_t write_quota_available{0};
    std::uint32_t named_pipe_state{0};
    std::uint32_t named_pipe_end{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.named_pipe_type);
        w.field(self.named_pipe_configuration);
        w.field(self.maximum_instances);
        w.field(self.current_instances);
        w.field(self.inbound_quota);
        w.field(self.read_data_available);
        w.field(self.outbound_quota);
        w.field(self.write_quota_available);
        w.field(self.named_pipe_state);
        w.field(self.named_pipe_end);
    }
};

// 2.4.38
struct FilePipeRemoteInformation {
    std::uint64_t collect_data_time{0};
    std::uint32_t maximum_collection_count{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.collect_data_time);
        w.field(self.maximum_collection_count);
        w.reserved(4);
    }
};

// 2.4.9
struct FileCompressionInformation {
    std::uint64_t compressed_file_size{0};
    std::uint16_t compression_format{0};
    std::uint8_t compression_unit_shift{0};
    std::uint8_t chunk_shift{0};
    std::uint8_t cluster_shift{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.compressed_file_size);
        w.field(self.compression_format);
        w.field(self.compression_unit_shift);
        w.field(self.chunk_shift);
        w.field(self.cluster_shift);
        w.reserved(3);
    }
};

// 2.4.33
struct FileNetworkOpenInformation {
    FileTime creation_time{0};
    FileTime last_access_time{0};
    FileTime last_write_time{0};
    FileTime change_time{0};
    std::uint64_t allocation_size{0};
    std::uint64_t end_of_file{0};
    std::uint32_t file_attributes{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.creation_time);
        w.field(self.last_access_time);
        w.field(self.last_write_time);
        w.field(self.change_time);
        w.field(self.allocation_size);
        w.field(self.end_of_file);
        w.field(self.file_attributes);
        w.reserved(4);
    }
};

// 2.4.6
struct FileAttributeTagInformation {
    std::uint32_t file_attributes{0};
    std::uint32_t reparse_tag{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.file_attributes);
        w.field(self.reparse_tag);
    }
};

// FileHardLinkInformation: an entry of the list that follows the head; alignment 8.
struct FileLinkEntryInformation {
    std::uint64_t parent_file_id{0};
    Bytes file_name;  // UTF-16LE; the length before it counts characters

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.reserved(4);
        w.field(self.parent_file_id);
        auto characters = static_cast<std::uint32_t>(self.file_name.size() / sizeof(char16_t));
        w.field(characters);
        w.take(self.file_name, std::size_t{characters} * sizeof(char16_t));
    }
};
struct FileHardLinkInformation {
    std::uint32_t bytes_needed{0};
    std::uint32_t entries_returned{0};
    Bytes entries;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.bytes_needed);
        w.field(self.entries_returned);
        w.rest(self.entries);
    }
};

// 2.4.46
struct FileStandardLinkInformation {
    std::uint32_t number_of_accessible_links{0};
    std::uint32_t total_number_of_links{0};
    std::uint8_t delete_pending{0};
    std::uint8_t directory{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.number_of_accessible_links);
        w.field(self.total_number_of_links);
        w.field(self.delete_pending);
        w.field(self.directory);
        w.reserved(2);
    }
};

// 2.4.25
struct FileIdInformation {
    std::uint64_t volume_serial_number{0};
    FileId128 file_id{};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.volume_serial_number);
        w.field(self.file_id);
    }
};

// FILE_STAT_INFORMATION
struct FileStatInformation {
    std::uint64_t file_id{0};
    FileTime creation_time{0};
    FileTime last_access_time{0};
    FileTime last_write_time{0};
    FileTime change_time{0};
    std::uint64_t allocation_size{0};
    std::uint64_t end_of_file{0};
    std::uint32_t file_attributes{0};
    std::uint32_t reparse_tag{0};
    std::uint32_t number_of_links{0};
    std::uint32_t effective_access{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.file_id);
        w.field(self.creation_time);
        w.field(self.last_access_time);
        w.field(self.last_write_time);
        w.field(self.change_time);
        w.field(self.allocation_size);
        w.field(self.end_of_file);
        w.field(self.file_attributes);
        w.field(self.reparse_tag);
        w.field(self.number_of_links);
        w.field(self.effective_access);
    }
};

// FILE_CASE_SENSITIVE_INFORMATION
struct FileCaseSensitiveInformation {
    std::uint32_t flags{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.flags);
    }
};

// 2.1.3.1 FILE_OBJECTID_BUFFER_TYPE_1: FileObjectIdInformation (2.4.35) and
// FSCTL_CREATE_OR_GET_OBJECT_ID.
struct FileObjectIdBuffer {
    Guid object_id{};
    Guid birth_volume_id{};
    Guid birth_object_id{};
    Guid domain_id{};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.object_id);
        w.field(self.birth_volume_id);
        w.field(self.birth_object_id);
        w.field(self.domain_id);
    }
};

// [MS-FSCC] 2.1.10: a file system with 64-bit ids extends them with zeros.
inline FileId128 file_id_128(std::uint64_t id) {
    FileId128 wide{};
    for (std::size_t i = 0; i < sizeof id; ++i) wide[i] = static_cast<std::uint8_t>(id >> (8 * i));
    return wide;
}

}  // namespace smb3d::fscc
