// WRITE.
//
// Spec: [MS-SMB2] 2.2.21, 2.2.22.  Channel: read.h.
// Lifetime: data and channel information are views into the message.
#pragma once

#include "wire/read.h"

namespace smb3d::wire {

namespace write_flags {
inline constexpr std::uint32_t write_through = 0x00000001;
inline constexpr std::uint32_t write_unbuffered = 0x00000002;
}  // namespace write_flags

struct WriteRequest {
    static constexpr Command command = Command::write;

    std::uint64_t offset{0};
    FileId file_id;
    std::uint32_t channel{0};
    std::uint32_t remaining_bytes{0};
    std::uint32_t flags{0};
    Bytes write_channel_info;
    Payload data;  // exactly what was received: its length is never more than the message holds

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(49);
        w.offset16(self.data);
        w.length32(self.data);
        w.field(self.offset);
        w.field(self.file_id);
        w.field(self.channel);
        w.field(self.remaining_bytes);
        w.offset16(self.write_channel_info);
        w.length16(self.write_channel_info);
        w.field(self.flags);
        if (self.channel != channel::none) w.optional_payload(self.write_channel_info);
        w.payload(self.data);
    }
};

struct WriteResponse {
    static constexpr Command command = Command::write;

    std::uint32_t count{0};
    std::uint32_t remaining{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(17);
        w.reserved(2);
        w.field(self.count);
        w.field(self.remaining);
        w.reserved(4);  // WriteChannelInfoOffset, WriteChannelInfoLength: must be zero
    }
};

}  // namespace smb3d::wire
