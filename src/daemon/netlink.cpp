#include "daemon/netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace smb3d::daemon {

namespace {

// The messages are in the machine's own byte order and layout, and may lie anywhere.
template <class T>
std::optional<T> read(Bytes from) {
    if (from.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, from.data(), sizeof value);
    return value;
}

Bytes after(Bytes bytes, std::size_t size) {
    const std::size_t aligned = (size + 3) & ~std::size_t{3};
    return bytes.subspan(std::min(aligned, bytes.size()));
}

// Calls `each(type, value)` for the attributes; a malformed one ends the list.
template <class Each>
void for_each_attribute(Bytes list, Each each) {
    while (const auto head = read<::rtattr>(list)) {
        if (head->rta_len < sizeof(::rtattr) || head->rta_len > list.size()) return;
        each(head->rta_type, list.first(head->rta_len).subspan(sizeof(::rtattr)));
        list = after(list, head->rta_len);
    }
}

// The errno of an NLMSG_ERROR, which comes negated; of what is no errno, EPROTO.
int error_of(Bytes payload) {
    const int code = read<int>(payload).value_or(0);
    constexpr int max_errno = 4095;
    return code <= 0 && code >= -max_errno ? -code : EPROTO;
}

std::string text_of(Bytes value) {
    std::string text(reinterpret_cast<const char*>(value.data()), value.size());
    text.resize(std::min(text.find('\0'), text.size()));
    return text;
}

}  // namespace

void NetlinkTable::clear() {
    links_.clear();
    addresses_.clear();
}

bool NetlinkTable::take_link(Bytes payload, bool gone) {
    const auto info = read<::ifinfomsg>(payload);
    // Bridges tell of their ports with the same message and another family.
    if (!info || info->ifi_family != AF_UNSPEC || info->ifi_index <= 0) return false;
    const auto index = static_cast<std::uint32_t>(info->ifi_index);
    if (gone) {
        const bool had = links_.erase(index) != 0;
        const bool addresses =
            std::erase_if(addresses_, [&](const auto& a) { return a.index == index; }) != 0;
        return had || addresses;
    }
    NetworkLink link;
    link.up = (info->ifi_flags & IFF_UP) != 0 && (info->ifi_flags & IFF_RUNNING) != 0;
    link.loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
    for_each_attribute(after(payload, sizeof *info), [&](unsigned type, Bytes value) {
        if (type == IFLA_IFNAME && value.size() <= IFNAMSIZ) link.name = text_of(value);
    });
    if (link.name.empty()) return false;
    const auto known = links_.find(index);
    if (known == links_.end()) {
        if (links_.size() >= max_entries) return false;
        links_.emplace(index, std::move(link));
        return true;
    }
    if (known->second == link) return false;
    known->second = std::move(link);
    return true;
}

bool NetlinkTable::take_address(Bytes payload, bool gone) {
    const auto info = read<::ifaddrmsg>(payload);
    if (!info || (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)) return false;
    NetworkAddress address;
    address.index = info->ifa_index;
    address.ipv6 = info->ifa_family == AF_INET6;
    const std::size_t size = address.ipv6 ? 16 : 4;
    std::uint32_t flags = info->ifa_flags;
    Bytes own;  // IFA_LOCAL: of a point-to-point link, where IFA_ADDRESS is the other end's
    Bytes any;
    for_each_attribute(after(payload, sizeof *info), [&](unsigned type, Bytes value) {
        if (type == IFA_LOCAL && value.size() == size) own = value;
        if (type == IFA_ADDRESS && value.size() == size) any = value;
        if (type == IFA_FLAGS) flags = read<std::uint32_t>(value).value_or(flags);
    });
    const Bytes bytes = own.empty() ? any : own;
    if (bytes.empty() || address.index == 0) return false;
    std::memcpy(address.bytes.data(), bytes.data(), size);
    const bool tentative = (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0;
    // The bit means "secondary" for IPv4, which is as good as any.
    const bool temporary = address.ipv6 && (flags & IFA_F_TEMPORARY) != 0;
    address.usable =
        !tentative && !temporary && (flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED)) == 0;
    const auto known = std::find_if(addresses_.begin(), addresses_.end(),
                                    [&](const auto& a) { return a.same_address(address); });
    if (gone) {
        if (known == addresses_.end()) return false;
        addresses_.erase(known);
        return true;
    }
    if (known == addresses_.end()) {
        if (addresses_.size() >= max_entries) return false;
        addresses_.push_back(address);
        return true;
    }
    return std::exchange(known->usable, address.usable) != address.usable;
}

NetlinkTable::Outcome NetlinkTable::take(Bytes datagram) {
    Outcome outcome;
    while (const auto head = read<::nlmsghdr>(datagram)) {
        if (head->nlmsg_len < sizeof(::nlmsghdr) || head->nlmsg_len > datagram.size()) break;
        const Bytes payload = datagram.first(head->nlmsg_len).subspan(sizeof(::nlmsghdr));
        if ((head->nlmsg_flags & NLM_F_DUMP_INTR) != 0) outcome.lost = true;
        switch (head->nlmsg_type) {
            case RTM_NEWLINK:
            case RTM_DELLINK:
                outcome.changed |= take_link(payload, head->nlmsg_type == RTM_DELLINK);
                break;
            case RTM_NEWADDR:
            case RTM_DELADDR:
                outcome.changed |= take_address(payload, head->nlmsg_type == RTM_DELADDR);
                break;
            case NLMSG_DONE:
                outcome.done = true;
                break;
            case NLMSG_ERROR:
                outcome.error = error_of(payload);
                outcome.done = true;
                break;
            case NLMSG_OVERRUN:
                outcome.lost = true;
                break;
            default:
                break;
        }
        datagram = after(datagram, head->nlmsg_len);
    }
    return outcome;
}

}  // namespace smb3d::daemon
