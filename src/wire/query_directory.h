// QUERY_DIRECTORY.  The entries are in fscc/directory_writer.h.
//
// Spec: [MS-SMB2] 2.2.33, 2.2.34.
// Lifetime: the pattern and the output are views into the message.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

namespace query_directory_flags {
inline constexpr std::uint8_t restart_scans = 0x01;
inline constexpr std::uint8_t return_single_entry = 0x02;
inline constexpr std::uint8_t index_specified = 0x04;
inline constexpr std::uint8_t reopen = 0x10;
}  // namespace query_directory_flags

struct QueryDirectoryRequest {
    static constexpr Command command = Command::query_directory;

    std::uint8_t file_information_class{0};
    std::uint8_t flags{0};
    std::uint32_t file_index{0};
    FileId file_id;
    std::uint32_t output_buffer_length{0};
    Bytes file_name;  // UTF-16LE search pattern

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(33);
        w.field(self.file_information_class);
        w.field(self.flags);
        w.field(self.file_index);
        w.field(self.file_id);
        w.offset16(self.file_name);
        w.length16(self.file_name);
        w.field(self.output_buffer_length);
        w.payload_utf16(self.file_name);
    }
};

struct QueryDirectoryResponse {
    static constexpr Command command = Command::query_directory;

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
