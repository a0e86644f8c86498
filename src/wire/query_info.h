// QUERY_INFO.  What the classes hold is in fscc/file_info.h and fscc/fs_info.h.
//
// Spec: [MS-SMB2] 2.2.37, 2.2.38.
// Lifetime: input and output are views into the message.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

// InfoType, also of SET_INFO
enum class InfoType : std::uint8_t {
    file = 0x01,
    filesystem = 0x02,
    security = 0x03,
    quota = 0x04,
};

// AdditionalInformation for InfoType::security, also of SET_INFO
namespace security_information {
inline constexpr std::uint32_t owner = 0x00000001;
inline constexpr std::uint32_t group = 0x00000002;
inline constexpr std::uint32_t dacl = 0x00000004;
inline constexpr std::uint32_t sacl = 0x00000008;
inline constexpr std::uint32_t label = 0x00000010;
inline constexpr std::uint32_t attribute = 0x00000020;
inline constexpr std::uint32_t scope = 0x00000040;
inline constexpr std::uint32_t backup = 0x00010000;
}  // namespace security_information

// Flags, for FileFullEaInformation
namespace query_info_flags {
inline constexpr std::uint32_t restart_scan = 0x00000001;
inline constexpr std::uint32_t return_single_entry = 0x00000002;
inline constexpr std::uint32_t index_specified = 0x00000004;
}  // namespace query_info_flags

struct QueryInfoRequest {
    static constexpr Command command = Command::query_info;

    InfoType info_type{InfoType::file};
    std::uint8_t file_info_class{0};
    std::uint32_t output_buffer_length{0};
    std::uint32_t additional_information{0};
    std::uint32_t flags{0};
    FileId file_id;
    Bytes input;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(41);
        w.field(self.info_type);
        w.field(self.file_info_class);
        w.field(self.output_buffer_length);
        w.offset16(self.input);
        w.reserved(2);
        w.length32(self.input);
        w.field(self.additional_information);
        w.field(self.flags);
        w.field(self.file_id);
        w.optional_payload(self.input);
    }
};

struct QueryInfoResponse {
    static constexpr Command command = Command::query_info;

    Payload output;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(9);
        w.offset16(self.output);
        w.length32(self.output);
        w.payload(self.output);
    }
};

}  // namespace smb3d::wire
