// InterfaceWatch: which of this machine's addresses clients may open further channels to; kept up
//   to date by the kernel's notifications.
//
// Spec: [MS-SMB2] 3.3.5.15.11 (what FSCTL_QUERY_NETWORK_INTERFACE_INFO answers); rtnetlink(7).
// Thread: the control thread.  What list() makes is handed to the engine as an immutable snapshot.
// Lifetime: the daemon's.
// Errors: sentences for the administrator; without netlink the server runs on, and clients stay
//   with one channel.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/netlink.h"
#include "engine/interfaces.h"
#include "smb3d/transport.h"

namespace smb3d::daemon {

// An address that the server listens on.
struct ServedAddress {
    transport::Address address;
    bool both_families{false};  // [::] for IPv4, too
    bool rdma{false};
};

// What the administrator says of interfaces, by their names.
struct InterfaceRules {
    std::vector<std::string> exclude;            // shell patterns of names, or addresses
    std::map<std::string, std::uint32_t> speed;  // Mbit/s
    std::map<std::string, bool> rss;
    std::map<std::string, bool> rdma;
};

// What the adapter can do, from sysfs.
struct InterfaceHardware {
    std::uint64_t speed{0};  // bits per second; 0: it does not say
    unsigned receive_queues{0};
    bool rdma{false};
};
InterfaceHardware read_hardware(const std::string& sysfs, const std::string& name);

std::string address_text(const engine::NetworkInterface& interface);

using ReadHardware = std::function<InterfaceHardware(const std::string& name)>;

// The addresses that are up, served and not excluded; the fastest first.  IPv6 link-local ones are
// left out, since a client cannot know which of its interfaces they are on; loopback ones are there
// only if there is nothing else.
engine::NetworkInterfaces list_interfaces(const NetlinkTable& table, const InterfaceRules& rules,
                                          const std::vector<ServedAddress>& served,
                                          const ReadHardware& hardware);

class InterfaceWatch {
  public:
    InterfaceWatch() = default;
    InterfaceWatch(const InterfaceWatch&) = delete;
    InterfaceWatch& operator=(const InterfaceWatch&) = delete;
    ~InterfaceWatch() { close(); }

    // Subscribes and reads all there is.
    std::expected<void, std::string> open();
    void close();
    // To be polled for reading; -1 if it is not open.
    int fd() const { return fd_; }
    // Reads what has come; true if the table has changed.
    bool read();
    const NetlinkTable& table() const { return table_; }

  private:
    bool dump();
    bool request(std::uint16_t type);
    enum class Received : std::uint8_t { nothing, message, lost };
    Received receive(bool wait, NetlinkTable::Outcome& outcome);

    int fd_{-1};
    std::uint32_t sequence_{0};
    NetlinkTable table_;
};

}  // namespace smb3d::daemon
