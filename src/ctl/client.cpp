#include "ctl/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace smb3d::ctl {

namespace {

using nlohmann::json;

constexpr int reply_seconds = 60;  // a reload waits for loops and for name services

class Socket {
  public:
    explicit Socket(int fd) : fd_(fd) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

std::unexpected<Failure> failed(std::string message, bool not_running = false) {
    return std::unexpected(Failure{std::move(message), not_running});
}

std::unexpected<Failure> not_connected(const std::string& path, int error) {
    if (error == EACCES || error == EPERM) {
        return failed(fmt::format("no permission for {}: run smb3dctl as root", path));
    }
    if (error == ENOENT)
        return failed(fmt::format("smb3d is not running (no socket at {})", path), true);
    if (error == ECONNREFUSED) {
        return failed(fmt::format("smb3d is not running (nobody answers at {})", path), true);
    }
    return failed(fmt::format("cannot reach smb3d at {}: {}", path, std::strerror(error)));
}

std::expected<std::string, Failure> exchange(int fd, const std::string& request) {
    std::size_t sent = 0;
    while (sent < request.size()) {
        const ::ssize_t count =
            ::send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return failed(fmt::format("smb3d hung up: {}", std::strerror(errno)));
        sent += static_cast<std::size_t>(count);
    }
    std::string reply;
    std::array<char, 65536> part;
    while (true) {
        const ::ssize_t count = ::recv(fd, part.data(), part.size(), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return failed(fmt::format("smb3d did not answer within {} seconds", reply_seconds));
        }
        if (count <= 0) return failed("smb3d hung up before it answered");
        reply.append(part.data(), static_cast<std::size_t>(count));
        if (reply.back() == '\n') return reply;
    }
}

}  // namespace

std::expected<json, Failure> ask(const std::string& socket_path, const std::string& command,
                                 const json& arguments) {
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.size() >= sizeof address.sun_path) {
        return failed(fmt::format("the path {} is too long for a UNIX socket", socket_path));
    }
    std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size());
    const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.get() < 0)
        return failed(fmt::format("cannot make a socket: {}", std::strerror(errno)));
    const ::timeval limit{reply_seconds, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (::connect(socket.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof address) !=
        0) {
        return not_connected(socket_path, errno);
    }
    const json request = {{"command", command}, {"arguments", arguments}};
    const auto text =
        exchange(socket.get(), request.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    if (!text) return std::unexpected(text.error());
    json reply = json::parse(*text, nullptr, false);
    if (!reply.is_object() || !reply.contains("ok") || !reply["ok"].is_boolean()) {
        return failed(
            "smb3d's answer cannot be understood: are smb3d and smb3dctl of the same version?");
    }
    if (!reply["ok"].get<bool>()) return failed(reply.value("error", "smb3d refused"));
    return reply["result"];
}

}  // namespace smb3d::ctl
