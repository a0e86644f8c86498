// Addresses as the administrator writes them, and as the log shows them.
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/socket/socket_transport.h"

namespace smb3d::transport {

namespace {

struct Parts {
    std::string_view host;
    std::uint16_t port{0};
};

std::unexpected<std::string> complain(std::string_view text, std::string_view why) {
    return std::unexpected(fmt::format("\"{}\": {}", text, why));
}

std::expected<Parts, std::string> split(std::string_view text) {
    Parts parts;
    std::string_view rest;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return complain(text, "\"[\" without \"]\"");
        parts.host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
        if (parts.host.empty()) return complain(text, "no address between \"[\" and \"]\"");
    } else {
        const std::size_t colon = text.find(':');
        if (colon != text.rfind(':')) {
            return complain(text, "an IPv6 address is written in brackets, as in \"[::1]:445\"");
        }
        parts.host = text.substr(0, colon);
        if (colon != std::string_view::npos) rest = text.substr(colon);
    }
    if (!rest.starts_with(':')) {
        return complain(text, "no port; write \"host:port\", \"[v6]:port\" or \":port\"");
    }
    rest.remove_prefix(1);
    unsigned port = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
    if (rest.empty() || error != std::errc{} || end != rest.data() + rest.size() || port > 65535) {
        return complain(text, fmt::format("\"{}\" is not a port (0 to 65535)", rest));
    }
    parts.port = static_cast<std::uint16_t>(port);
    return parts;
}

bool system_has_v6() {
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
}

Address any_address(std::uint16_t port) {
    Address address;
    if (system_has_v6()) {
        auto* v6 = reinterpret_cast<::sockaddr_in6*>(&address.storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_any;
        v6->sin6_port = htons(port);
        address.length = sizeof *v6;
    } else {
        auto* v4 = reinterpret_cast<::sockaddr_in*>(&address.storage);
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_ANY);
        v4->sin_port = htons(port);
        address.length = sizeof *v4;
    }
    describe(address);
    return address;
}

// A peer on a socket for both versions: it is an IPv4 host, and is to be treated and shown as one.
void unmap_v4(Address& address) {
    auto* v6 = reinterpret_cast<::sockaddr_in6*>(&address.storage);
    if (address.storage.ss_family != AF_INET6 || IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) == 0) return;
    ::sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = v6->sin6_port;
    std::memcpy(&v4.sin_addr, v6->sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
    address.storage = {};
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
}

}  // namespace

void describe(Address& address) {
    unmap_v4(address);
    char text[INET6_ADDRSTRLEN] = "";
    switch (address.storage.ss_family) {
        case AF_INET: {
            const auto* v4 = reinterpret_cast<const ::sockaddr_in*>(&address.storage);
            ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
            address.host = text;
            address.text = fmt::format("{}:{}", address.host, ntohs(v4->sin_port));
            break;
        }
        case AF_INET6: {
            const auto* v6 = reinterpret_cast<const ::sockaddr_in6*>(&address.storage);
            ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
            address.host = text;
            char name[IF_NAMESIZE] = "";
            if (v6->sin6_scope_id != 0) {
                const bool named = ::if_indextoname(v6->sin6_scope_id, name) != nullptr;
                address.host += '%';
                address.host += named ? std::string(name) : fmt::format("{}", v6->sin6_scope_id);
            }
            address.text = fmt::format("[{}]:{}", address.host, ntohs(v6->sin6_port));
            break;
        }
        default:
            address.host = "local";
            address.text = "local";
            break;
    }
}

std::expected<Address, std::string> parse_address(std::string_view text) {
    const auto parts = split(text);
    if (!parts) return std::unexpected(parts.error());
    if (parts->host.empty() || parts->host == "*") return any_address(parts->port);

    ::addrinfo hints{};
    hints.ai_family = text.starts_with('[') ? AF_INET6 : AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    ::addrinfo* found = nullptr;
    const std::string host(parts->host);
    const std::string port = fmt::format("{}", parts->port);
    const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    if (error != 0) {
        const char* why = error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error);
        return complain(text, fmt::format("cannot resolve \"{}\": {}", host, why));
    }
    Address address;
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.length = found->ai_addrlen;
    ::freeaddrinfo(found);
    describe(address);
    return address;
}

}  // namespace smb3d::transport
