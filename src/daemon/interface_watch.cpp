#include "daemon/interface_watch.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <tuple>

#include <fmt/core.h>

namespace smb3d::daemon {

namespace {

namespace fs = std::filesystem;

// What an adapter that does not say is taken for; Windows compares speeds to choose.
constexpr std::uint64_t default_speed = 1'000'000'000;
constexpr std::uint64_t mbit = 1'000'000;
// 152 bytes each: clients have room for 64 KiB.
constexpr std::size_t max_listed = 256;
constexpr int receive_buffer = 1 << 20;

std::string first_line(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

template <class Each>
void for_each_entry(const fs::path& directory, Each each) {
    std::error_code failed;
    for (fs::directory_iterator it(directory, failed), end; !failed && it != end;
         it.increment(failed)) {
        each(it->path());
    }
}

bool has_rdma(const fs::path& sysfs, const std::string& name) {
    std::error_code failed;
    if (fs::exists(sysfs / "class/net" / name / "device/infiniband", failed)) return true;
    bool found = false;
    // Software adapters say their parent, others the device behind the first address of a port.
    for_each_entry(sysfs / "class/infiniband", [&](const fs::path& device) {
        found = found || first_line(device / "parent") == name;
        for_each_entry(device / "ports", [&](const fs::path& port) {
            found = found || first_line(port / "gid_attrs/ndevs/0") == name;
        });
    });
    return found;
}

bool is_excluded(const engine::NetworkInterface& interface, const InterfaceRules& rules) {
    const std::string address = address_text(interface);
    return std::any_of(rules.exclude.begin(), rules.exclude.end(), [&](const std::string& pattern) {
        return pattern == address || ::fnmatch(pattern.c_str(), interface.name.c_str(), 0) == 0;
    });
}

bool is_link_local(const engine::NetworkInterface& interface) {
    return interface.ipv6 && interface.address[0] == 0xFE && (interface.address[1] & 0xC0) == 0x80;
}

bool serves(const ServedAddress& served, const engine::NetworkInterface& interface) {
    const ::sockaddr_storage& storage = served.address.storage;
    if (storage.ss_family == AF_INET) {
        ::sockaddr_in own{};
        std::memcpy(&own, &storage, sizeof own);
        if (interface.ipv6) return false;
        return own.sin_addr.s_addr == INADDR_ANY ||
               std::memcmp(&own.sin_addr, interface.address.data(), 4) == 0;
    }
    if (storage.ss_family != AF_INET6) return false;
    ::sockaddr_in6 own{};
    std::memcpy(&own, &storage, sizeof own);
    const bool any = IN6_IS_ADDR_UNSPECIFIED(&own.sin6_addr);
    if (!interface.ipv6) return any && served.both_families;
    return any || std::memcmp(&own.sin6_addr, interface.address.data(), 16) == 0;
}

template <class T>
T said_or(const std::map<std::string, T>& said, const std::string& name, T otherwise) {
    const auto it = said.find(name);
    return it == said.end() ? otherwise : it->second;
}

void describe(engine::NetworkInterface& interface, const InterfaceRules& rules, bool rdma_served,
              const InterfaceHardware& hardware) {
    const std::uint64_t speed = hardware.speed == 0 ? default_speed : hardware.speed;
    const auto said = rules.speed.find(interface.name);
    interface.speed = said == rules.speed.end() ? speed : said->second * mbit;
    interface.rss = said_or(rules.rss, interface.name, hardware.receive_queues > 1);
    // A client that is promised RDMA tries it first: only where somebody listens for it.
    interface.rdma = said_or(rules.rdma, interface.name, hardware.rdma && rdma_served);
}

}  // namespace

std::string address_text(const engine::NetworkInterface& interface) {
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(interface.ipv6 ? AF_INET6 : AF_INET, interface.address.data(), text, sizeof text);
    return text;
}

InterfaceHardware read_hardware(const std::string& sysfs, const std::string& name) {
    InterfaceHardware hardware;
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
        return hardware;
    }
    const fs::path device = fs::path(sysfs) / "class/net" / name;
    // Unreadable while the link is down, -1 if the driver does not know.
    const std::string speed = first_line(device / "speed");
    std::int64_t number = 0;
    std::from_chars(speed.data(), speed.data() + speed.size(), number);
    if (number > 0 && number < 100'000'000) {
        hardware.speed = static_cast<std::uint64_t>(number) * mbit;
    }
    for_each_entry(device / "queues", [&](const fs::path& queue) {
        if (queue.filename().string().starts_with("rx-")) ++hardware.receive_queues;
    });
    hardware.rdma = has_rdma(sysfs, name);
    return hardware;
}

engine::NetworkInterfaces list_interfaces(const NetlinkTable& table, const InterfaceRules& rules,
                                          const std::vector<ServedAddress>& served,
                                          const ReadHardware& hardware) {
    engine::NetworkInterfaces real;
    engine::NetworkInterfaces loopback;
    std::map<std::uint32_t, InterfaceHardware> known;
    for (const NetworkAddress& address : table.addresses()) {
        const auto link = table.links().find(address.index);
        if (link == table.links().end() || !link->second.up || !address.usable) continue;
        engine::NetworkInterface entry;
        entry.index = address.index;
        entry.name = link->second.name;
        entry.ipv6 = address.ipv6;
        entry.address = address.bytes;
        bool is_served = false;
        bool rdma_served = false;
        for (const ServedAddress& one : served) {
            if (!serves(one, entry)) continue;
            is_served = true;
            rdma_served = rdma_served || one.rdma;
        }
        if (!is_served || is_link_local(entry) || is_excluded(entry, rules)) continue;
        auto [it, is_new] = known.try_emplace(address.index);
        if (is_new) it->second = hardware(entry.name);
        describe(entry, rules, rdma_served, it->second);
        (link->second.loopback ? loopback : real).push_back(std::move(entry));
    }
    engine::NetworkInterfaces list = real.empty() ? std::move(loopback) : std::move(real);
    std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
        return std::tie(b.speed, a.index, a.ipv6, a.address) <
               std::tie(a.speed, b.index, b.ipv6, b.address);
    });
    if (list.size() > max_listed) list.resize(max_listed);
    return list;
}

// ---- the socket

std::expected<void, std::string> InterfaceWatch::open() {
    close();
    const auto failed = [this](const char* what) {
        std::string text = fmt::format("{}: {}", what, std::strerror(errno));
        close();
        return std::unexpected(std::move(text));
    };
    fd_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd_ < 0) return failed("cannot make a netlink socket");
    // A dump that the kernel does not finish must not hold the server up.
    const ::timeval patience{2, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    ::sockaddr_nl own{};
    own.nl_family = AF_NETLINK;
    own.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (::bind(fd_, reinterpret_cast<const ::sockaddr*>(&own), sizeof own) != 0) {
        return failed("cannot listen for changes of the network");
    }
    if (!dump()) return failed("cannot read the network's interfaces");
    return {};
}

void InterfaceWatch::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    table_.clear();
}

bool InterfaceWatch::request(std::uint16_t type) {
    struct {
        ::nlmsghdr head;
        ::rtgenmsg body;
        std::array<char, 3> padding;
    } message{};
    message.head.nlmsg_len = sizeof message;
    message.head.nlmsg_type = type;
    message.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.head.nlmsg_seq = ++sequence_;
    message.body.rtgen_family = AF_UNSPEC;
    ::sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    return ::sendto(fd_, &message, sizeof message, 0, reinterpret_cast<const ::sockaddr*>(&kernel),
                    sizeof kernel) == static_cast<::ssize_t>(sizeof message);
}

InterfaceWatch::Received InterfaceWatch::receive(bool wait, NetlinkTable::Outcome& outcome) {
    std::array<std::byte, 65536> room;
    while (true) {
        ::sockaddr_nl from{};
        ::socklen_t length = sizeof from;
        const ::ssize_t count = ::recvfrom(fd_, room.data(), room.size(), wait ? 0 : MSG_DONTWAIT,
                                           reinterpret_cast<::sockaddr*>(&from), &length);
        if (count < 0 && errno == EINTR) continue;
        // The kernel had more to tell than the buffer held.
        if (count < 0 && errno == ENOBUFS) return Received::lost;
        if (count < 0) return Received::nothing;
        // Any process may send here; only the kernel is believed.
        if (from.nl_pid != 0) continue;
        outcome = table_.take(Bytes(room.data(), static_cast<std::size_t>(count)));
        return outcome.lost ? Received::lost : Received::message;
    }
}

// Everything anew; a few times if the network changes meanwhile.
bool InterfaceWatch::dump() {
    for (int attempt = 0; attempt < 3; ++attempt) {
        table_.clear();
        bool lost = false;
        for (const std::uint16_t type : {RTM_GETLINK, RTM_GETADDR}) {
            if (!request(type)) return false;
            NetlinkTable::Outcome outcome;
            while (!outcome.done) {
                const Received received = receive(true, outcome);
                if (received == Received::nothing) return false;
                lost = lost || received == Received::lost;
            }
            if (outcome.error != 0) {
                errno = outcome.error;
                return false;
            }
        }
        if (!lost) return true;
    }
    return true;  // nearly right; the next notification mends it
}

bool InterfaceWatch::read() {
    bool changed = false;
    while (fd_ >= 0) {
        NetlinkTable::Outcome outcome;
        const Received received = receive(false, outcome);
        if (received == Received::nothing) return changed;
        changed = changed || outcome.changed || received == Received::lost;
        if (received == Received::lost && !dump()) return changed;
    }
    return changed;
}

}  // namespace smb3d::daemon
