// CREATE.
//
// Spec: [MS-SMB2] 2.2.13, 2.2.14; create contexts in create_context.h.
// Lifetime: name and contexts are views into the message.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

enum class OplockLevel : std::uint8_t {
    none = 0x00,
    ii = 0x01,
    exclusive = 0x08,
    batch = 0x09,
    lease = 0xFF,
};

enum class ImpersonationLevel : std::uint32_t {
    anonymous = 0,
    identification = 1,
    impersonation = 2,
    delegate = 3,
};

namespace share_access {
inline constexpr std::uint32_t read = 0x00000001;
inline constexpr std::uint32_t write = 0x00000002;
inline constexpr std::uint32_t delete_ = 0x00000004;
inline constexpr std::uint32_t all = read | write | delete_;
}  // namespace share_access

enum class CreateDisposition : std::uint32_t {
    supersede = 0,
    open = 1,
    create = 2,
    open_if = 3,
    overwrite = 4,
    overwrite_if = 5,
};

enum class CreateAction : std::uint32_t {
    superseded = 0,
    opened = 1,
    created = 2,
    overwritten = 3,
};

// CreateOptions
namespace create_options {
inline constexpr std::uint32_t directory_file = 0x00000001;
inline constexpr std::uint32_t write_through = 0x00000002;
inline constexpr std::uint32_t sequential_only = 0x00000004;
inline constexpr std::uint32_t no_intermediate_buffering = 0x00000008;
inline constexpr std::uint32_t synchronous_io_alert = 0x00000010;
inline constexpr std::uint32_t synchronous_io_nonalert = 0x00000020;
inline constexpr std::uint32_t non_directory_file = 0x00000040;
inline constexpr std::uint32_t complete_if_oplocked = 0x00000100;
inline constexpr std::uint32_t no_ea_knowledge = 0x00000200;
inline constexpr std::uint32_t open_remote_instance = 0x00000400;
inline constexpr std::uint32_t random_access = 0x00000800;
inline constexpr std::uint32_t delete_on_close = 0x00001000;
inline constexpr std::uint32_t open_by_file_id = 0x00002000;
inline constexpr std::uint32_t open_for_backup_intent = 0x00004000;
inline constexpr std::uint32_t no_compression = 0x00008000;
inline constexpr std::uint32_t open_requiring_oplock = 0x00010000;
inline constexpr std::uint32_t disallow_exclusive = 0x00020000;
inline constexpr std::uint32_t reserve_opfilter = 0x00100000;
inline constexpr std::uint32_t open_reparse_point = 0x00200000;
inline constexpr std::uint32_t open_no_recall = 0x00400000;
inline constexpr std::uint32_t open_for_free_space_query = 0x00800000;
}  // namespace create_options

inline constexpr std::uint8_t create_flag_reparsepoint = 0x01;  // response Flags

struct CreateRequest {
    static constexpr Command command = Command::create;

    std::uint8_t security_flags{0};
    OplockLevel requested_oplock_level{OplockLevel::none};
    ImpersonationLevel impersonation_level{ImpersonationLevel::impersonation};
    std::uint64_t smb_create_flags{0};
    std::uint32_t desired_access{0};
    std::uint32_t file_attributes{0};
    std::uint32_t share_access{0};
    CreateDisposition create_disposition{CreateDisposition::open};
    std::uint32_t create_options{0};
    Bytes name;             // UTF-16LE
    Bytes create_contexts;  // CreateContextReader reads them, CreateContextBuilder makes them

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(57);
        w.field(self.security_flags);
        w.field(self.requested_oplock_level);
        w.field(self.impersonation_level);
        w.field(self.smb_create_flags);
        w.reserved(8);
        w.field(self.desired_access);
        w.field(self.file_attributes);
        w.field(self.share_access);
        w.field(self.create_disposition);
        w.field(self.create_options);
        w.offset16(self.name);
        w.length16(self.name);
        w.offset32(self.create_contexts);
        w.length32(self.create_contexts);
        w.payload_utf16(self.name);
        w.optional_payload(self.create_contexts, message_alignment);
    }
};

struct CreateResponse {
    static constexpr Command command = Command::create;

    OplockLevel oplock_level{OplockLevel::none};
    std::uint8_t flags{0};
    CreateAction create_action{CreateAction::opened};
    FileTime creation_time{0};
    FileTime last_access_time{0};
    FileTime last_write_time{0};
    FileTime change_time{0};
    std::uint64_t allocation_size{0};
    std::uint64_t end_of_file{0};
    std::uint32_t file_attributes{0};
    FileId file_id;
    Bytes create_contexts;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(89);
        w.field(self.oplock_level);
        w.field(self.flags);
        w.field(self.create_action);
        w.field(self.creation_time);
        w.field(self.last_access_time);
        w.field(self.last_write_time);
        w.field(self.change_time);
        w.field(self.allocation_size);
        w.field(self.end_of_file);
        w.field(self.file_attributes);
        w.reserved(4);
        w.field(self.file_id);
        w.offset32(self.create_contexts);
        w.length32(self.create_contexts);
        w.optional_payload(self.create_contexts, message_alignment);
    }
};

}  // namespace smb3d::wire
