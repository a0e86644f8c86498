#include "transport/socket/socket_transport.h"

#include <sys/socket.h>

#include "transport/socket/socket_link.h"
#include "transport/socket/socket_listener.h"

namespace smb3d::transport {

std::expected<std::unique_ptr<Listener>, std::string> SocketTransport::listen(
    Loop& loop, const std::string& address, const Limits& limits, AdmitFunction admit,
    AcceptFunction accept) {
    const auto parsed = parse_address(address);
    if (!parsed) return std::unexpected(parsed.error());
    auto listener = std::make_unique<SocketListener>(loop, limits, options_, std::move(admit),
                                                     std::move(accept));
    const bool both = address.starts_with(':') || address.starts_with('*');
    if (const auto opened = listener->open(*parsed, both); !opened) {
        return std::unexpected(opened.error());
    }
    return listener;
}

std::unique_ptr<Link> SocketTransport::adopt(Loop& loop, int fd, const Limits& limits) {
    Address peer;
    peer.length = sizeof peer.storage;
    Address local;
    local.length = sizeof local.storage;
    ::getpeername(fd, reinterpret_cast<::sockaddr*>(&peer.storage), &peer.length);
    ::getsockname(fd, reinterpret_cast<::sockaddr*>(&local.storage), &local.length);
    describe(peer);
    describe(local);
    return std::make_unique<SocketLink>(loop, fd, limits, std::move(peer), std::move(local));
}

}  // namespace smb3d::transport
