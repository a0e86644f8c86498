// READ.
//
// Spec: [MS-SMB2] 2.2.19, 2.2.20.
// Lifetime: data and channel information are views into the message.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

// Channel, of READ and WRITE
namespace channel {
inline constexpr std::uint32_t none = 0x00000000;
inline constexpr std::uint32_t rdma_v1 = 0x00000001;
inline constexpr std::uint32_t rdma_v1_invalidate = 0x00000002;
inline constexpr std::uint32_t rdma_transform = 0x00000003;
}  // namespace channel

namespace read_flags {
inline constexpr std::uint8_t read_unbuffered = 0x01;
inline constexpr std::uint8_t request_compressed = 0x02;
}  // namespace read_flags

struct ReadRequest {
    static constexpr Command command = Command::read;

    std::uint8_t padding{0};  // where the client wants the data: offset from the response's header
    std::uint8_t flags{0};
    std::uint32_t length{0};
    std::uint64_t offset{0};
    FileId file_id;
    std::uint32_t minimum_count{0};
    std::uint32_t channel{0};
    std::uint32_t remaining_bytes{0};
    Bytes read_channel_info;  // BufferDescriptorV1 [MS-SMBD] 2.2.3.1, if channel is not none

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(49);
        w.field(self.padding);
        w.field(self.flags);
        w.field(self.length);
        w.field(self.offset);
        w.field(self.file_id);
        w.field(self.minimum_count);
        w.field(self.channel);
        w.field(self.remaining_bytes);
        w.offset16(self.read_channel_info);
        w.length16(self.read_channel_info);
        // Without a channel the two fields mean nothing.
        if (self.channel != channel::none) w.optional_payload(self.read_channel_info);
    }
};

inline constexpr std::uint32_t readflag_response_rdma_transform = 0x00000001;  // response Flags

struct ReadResponse {
    static constexpr Command command = Command::read;

    std::uint32_t data_remaining{0};
    std::uint32_t flags{0};
    Payload data;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(17);
        w.offset8(self.data);
        w.reserved(1);
        w.length32(self.data);
        w.field(self.data_remaining);
        w.field(self.flags);
        w.payload(self.data);
    }
};

}  // namespace smb3d::wire
