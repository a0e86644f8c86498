// IOCTL.  The control codes and their payloads are in fscc/fsctl.h.
//
// Spec: [MS-SMB2] 2.2.31, 2.2.32.
// Lifetime: input and output are views into the message.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

inline constexpr std::uint32_t ioctl_is_fsctl = 0x00000001;

struct IoctlRequest {
    static constexpr Command command = Command::ioctl;

    std::uint32_t ctl_code{0};
    FileId file_id;
    std::uint32_t max_input_response{0};
    std::uint32_t max_output_response{0};
    std::uint32_t flags{0};
    Bytes input;
    Bytes output;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(57);
        w.reserved(2);
        w.field(self.ctl_code);
        w.field(self.file_id);
        w.offset32(self.input);
        w.length32(self.input);
        w.field(self.max_input_response);
        w.offset32(self.output);
        w.length32(self.output);
        w.field(self.max_output_response);
        w.field(self.flags);
        w.reserved(4);
        w.payload(self.input);
        w.optional_payload(self.output);
    }
};

struct IoctlResponse {
    static constexpr Command command = Command::ioctl;

    std::uint32_t ctl_code{0};
    FileId file_id;
    std::uint32_t flags{0};
    Bytes input;
    Payload output;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(49);
        w.reserved(2);
        w.field(self.ctl_code);
        w.field(self.file_id);
        w.offset32(self.input);
        w.length32(self.input);
        w.offset32(self.output);
        w.length32(self.output);
        w.field(self.flags);
        w.reserved(4);
        w.payload(self.input);
        w.payload(self.output, message_alignment);
    }
};

}  // namespace smb3d::wire
