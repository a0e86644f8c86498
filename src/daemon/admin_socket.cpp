#include "daemon/admin_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "base/log.h"

namespace smb3d::daemon {

namespace {

bool is_administrator(int fd) {
    ::ucred peer{};
    ::socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    if (peer.uid == 0 || peer.uid == ::geteuid()) return true;
    log::warn(log::Component::admin, "refused user {} on the administration socket", peer.uid);
    return false;
}

}  // namespace

std::expected<void, std::string> AdminSocket::open(const std::string& path, Handler handler) {
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return std::unexpected(fmt::format("the path {} is too long for a UNIX socket", path));
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return std::unexpected(fmt::format("cannot make a socket: {}", std::strerror(errno)));
    // The instance lock is ours, so that a socket found here is a dead one's.
    ::unlink(path.c_str());
    const ::mode_t before = ::umask(0177);
    const int bound = ::bind(fd, reinterpret_cast<const ::sockaddr*>(&address), sizeof address);
    ::umask(before);
    if (bound != 0 || ::listen(fd, 16) != 0) {
        const int error = errno;
        ::close(fd);
        return std::unexpected(fmt::format("cannot listen on {}: {}", path, std::strerror(error)));
    }
    path_ = path;
    fd_ = fd;
    handler_ = std::move(handler);
    return {};
}

void AdminSocket::close() {
    for (const Client& client : clients_) ::close(client.fd);
    clients_.clear();
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path_.c_str());
    fd_ = -1;
}

void AdminSocket::add_to(std::vector<::pollfd>& fds) const {
    if (fd_ < 0) return;
    // When full, who wants in waits in the kernel's queue.
    if (clients_.size() < max_clients) fds.push_back({fd_, POLLIN, 0});
    for (const Client& client : clients_) {
        fds.push_back({client.fd, static_cast<short>(client.output.empty() ? POLLIN : POLLOUT), 0});
    }
}

void AdminSocket::handle(const std::vector<::pollfd>& fds) {
    if (fd_ < 0) return;
    for (Client& client : clients_) {
        const auto it = std::find_if(fds.begin(), fds.end(),
                                     [&](const ::pollfd& p) { return p.fd == client.fd; });
        if (it == fds.end() || it->revents == 0) continue;
        if (!client.output.empty()) {
            serve(client);
        } else {
            read_from(client);
        }
    }
    drop_closed();
    const auto own =
        std::find_if(fds.begin(), fds.end(), [&](const ::pollfd& p) { return p.fd == fd_; });
    if (own != fds.end() && own->revents != 0) accept_all();
}

void AdminSocket::accept_all() {
    while (clients_.size() < max_clients) {
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) return;
        if (!is_administrator(fd)) {
            ::close(fd);
            continue;
        }
        Client client;
        client.fd = fd;
        client.deadline = Clock::now() + idle_limit;
        clients_.push_back(std::move(client));
    }
}

void AdminSocket::read_from(Client& client) {
    std::array<char, 16384> part;
    const ::ssize_t count = ::recv(client.fd, part.data(), part.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        client.closing = true;
        return;
    }
    client.input.append(part.data(), static_cast<std::size_t>(count));
    serve(client);
}

// One request at a time: the next one waits until the reply is out.
void AdminSocket::serve(Client& client) {
    while (!client.closing) {
        if (!client.output.empty() && !send_some(client)) return;
        if (!client.output.empty()) continue;
        const std::size_t end = client.input.find('\n');
        if (end == std::string::npos) {
            client.closing = client.input.size() > max_request;
            return;
        }
        const std::string request = client.input.substr(0, end);
        client.input.erase(0, end + 1);
        client.output = handler_(request) + "\n";
        client.sent = 0;
        client.deadline = Clock::now() + idle_limit;
    }
}

// False if the socket takes no more now.
bool AdminSocket::send_some(Client& client) {
    const ::ssize_t count = ::send(client.fd, client.output.data() + client.sent,
                                   client.output.size() - client.sent, MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count <= 0) {
        client.closing = true;
        return false;
    }
    client.sent += static_cast<std::size_t>(count);
    client.deadline = Clock::now() + idle_limit;
    if (client.sent == client.output.size()) client.output.clear();
    return true;
}

bool AdminSocket::expire(Clock::time_point now) {
    for (Client& client : clients_) {
        if (now >= client.deadline) client.closing = true;
    }
    drop_closed();
    return !clients_.empty();
}

void AdminSocket::drop_closed() {
    for (const Client& client : clients_) {
        if (client.closing) ::close(client.fd);
    }
    std::erase_if(clients_, [](const Client& client) { return client.closing; });
}

}  // namespace smb3d::daemon
