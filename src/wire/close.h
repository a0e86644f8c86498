// CLOSE.
//
// Spec: [MS-SMB2] 2.2.15, 2.2.16.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

inline constexpr std::uint16_t close_flag_postquery_attrib = 0x0001;

struct CloseRequest {
    static constexpr Command command = Command::close;

    std::uint16_t flags{0};
    FileId file_id;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(24);
        w.field(self.flags);
        w.reserved(4);
        w.field(self.file_id);
    }
};

struct CloseResponse {
    static constexpr Command command = Command::close;

    std::uint16_t flags{0};
    FileTime creation_time{0};
    FileTime last_access_time{0};
    FileTime last_write_time{0};
    FileTime change_time{0};
    std::uint64_t allocation_size{0};
    std::uint64_t end_of_file{0};
    std::uint32_t file_attributes{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(60);
        w.field(self.flags);
        w.reserved(4);
        w.field(self.creation_time);
        w.field(self.last_access_time);
        w.field(self.last_write_time);
        w.field(self.change_time);
        w.field(self.allocation_size);
        w.field(self.end_of_file);
        w.field(self.file_attributes);
    }
};

}  // namespace smb3d::wire
