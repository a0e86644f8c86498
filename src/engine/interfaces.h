// NetworkInterface: an address of this machine where clients may open further channels.
//
// Spec: [MS-SMB2] 2.2.32.5 (NETWORK_INTERFACE_INFO).
// Thread: immutable snapshots, any.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace smb3d::engine {

struct NetworkInterface {
    std::uint32_t index{0};  // the same for all addresses of one interface; never 0
    std::string name;
    std::uint64_t speed{0};  // bits per second
    bool rss{false};         // several queues: worth several connections
    bool rdma{false};
    bool ipv6{false};
    std::array<std::uint8_t, 16> address{};  // of IPv4 the first four

    friend bool operator==(const NetworkInterface&, const NetworkInterface&) = default;
};
using NetworkInterfaces = std::vector<NetworkInterface>;

}  // namespace smb3d::engine
