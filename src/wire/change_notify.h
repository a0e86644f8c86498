// CHANGE_NOTIFY.  The records are in fscc/notify.h.
//
// Spec: [MS-SMB2] 2.2.35, 2.2.36.
// Lifetime: the output is a view into the message.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

inline constexpr std::uint16_t watch_tree = 0x0001;

struct ChangeNotifyRequest {
    static constexpr Command command = Command::change_notify;

    std::uint16_t flags{0};
    std::uint32_t output_buffer_length{0};
    FileId file_id;
    std::uint32_t completion_filter{0};  // fsa::change

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(32);
        w.field(self.flags);
        w.field(self.output_buffer_length);
        w.field(self.file_id);
        w.field(self.completion_filter);
        w.reserved(4);
    }
};

struct ChangeNotifyResponse {
    static constexpr Command command = Command::change_notify;

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
