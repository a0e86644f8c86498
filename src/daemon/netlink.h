// NetlinkTable: the network's links and addresses as the kernel tells of them.
//
// Purpose: reads rtnetlink messages and keeps what they say; opens no socket, so that it can be
//   tested and fuzzed with bytes.
// Spec: rtnetlink(7): RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR.
// Thread: one.
// Errors: a message that is cut off or makes no sense is skipped; lengths are checked before use.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "smb3d/buffer.h"

namespace smb3d::daemon {

struct NetworkLink {
    std::string name;
    bool up{false};  // administratively, and with a carrier
    bool loopback{false};

    friend bool operator==(const NetworkLink&, const NetworkLink&) = default;
};

struct NetworkAddress {
    std::uint32_t index{0};  // of its link
    bool ipv6{false};
    std::array<std::uint8_t, 16> bytes{};  // of IPv4 the first four
    // Not while it is checked for duplicates or when it has run out, nor a temporary one that a
    // client's next connection would not find.
    bool usable{true};

    bool same_address(const NetworkAddress& other) const {
        return index == other.index && ipv6 == other.ipv6 && bytes == other.bytes;
    }
    friend bool operator==(const NetworkAddress&, const NetworkAddress&) = default;
};

class NetlinkTable {
  public:
    // More links or addresses than this are left out.
    static constexpr std::size_t max_entries = 4096;

    struct Outcome {
        bool changed{false};
        bool done{false};  // a dump has ended
        bool lost{false};  // what is here may be incomplete: ask again
        int error{0};      // the errno of a refused request
    };
    // One datagram.
    Outcome take(Bytes datagram);
    void clear();

    const std::map<std::uint32_t, NetworkLink>& links() const { return links_; }
    const std::vector<NetworkAddress>& addresses() const { return addresses_; }

  private:
    bool take_link(Bytes payload, bool gone);
    bool take_address(Bytes payload, bool gone);

    std::map<std::uint32_t, NetworkLink> links_;
    std::vector<NetworkAddress> addresses_;
};

}  // namespace smb3d::daemon
