#include "transport/socket/socket_listener.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/socket/socket_link.h"

namespace smb3d::transport {

namespace {

constexpr auto retry_after = std::chrono::milliseconds(100);
constexpr std::uint64_t warn_every_ns = 10'000'000'000;

void set_option(int fd, int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof value);
}

int open_reserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

std::string system_error(const Address& address, const char* what, int error) {
    return fmt::format("{}: {}: {}", address.text, what, std::strerror(error));
}

}  // namespace

// Goes to the loop that the link shall live on, delivers it there, comes back and is done.
struct SocketListener::HandOver : Work {
    SocketListener* listener{nullptr};
    std::unique_ptr<Link> link;

    static void deliver(Work* work) {
        auto* self = static_cast<HandOver*>(work);
        self->listener->accept_(std::move(self->link));
        self->run = come_back;
        self->listener->loop_.post(*self);
    }
    static void come_back(Work* work) {
        const std::unique_ptr<HandOver> self(static_cast<HandOver*>(work));
        --self->listener->handing_over_;
        self->listener->finish_if_quiet();
    }
};

SocketListener::SocketListener(Loop& loop, const Limits& limits, SocketOptions options,
                               AdmitFunction admit, AcceptFunction accept)
    : loop_(loop),
      limits_(limits),
      options_(std::move(options)),
      admit_(std::move(admit)),
      accept_(std::move(accept)) {
    op_.listener = this;
    op_.done = [](IoOp* op, int result) {
        static_cast<AcceptOp*>(op)->listener->on_accepted(result);
    };
    retry_.listener = this;
    retry_.fire = [](Timer* timer) { static_cast<RetryTimer*>(timer)->listener->accept_next(); };
    stop_work_.listener = this;
    stop_work_.run = [](Work* work) {
        SocketListener& self = *static_cast<StopWork*>(work)->listener;
        self.stopping_ = true;
        self.loop_.disarm(self.retry_);
        if (self.op_.busy) self.loop_.cancel(self.op_);
        self.finish_if_quiet();
    };
}

SocketListener::~SocketListener() {
    if (fd_ >= 0) ::close(fd_);
    if (reserve_ >= 0) ::close(reserve_);
}

std::expected<void, std::string> SocketListener::open(const Address& address, bool both) {
    const auto* sockaddr = reinterpret_cast<const ::sockaddr*>(&address.storage);
    fd_ = ::socket(sockaddr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) return std::unexpected(system_error(address, "cannot make a socket", errno));
    // So that a restart need not wait for the connections of the last run to time out.
    set_option(fd_, SOL_SOCKET, SO_REUSEADDR, 1);
    if (sockaddr->sa_family == AF_INET6) {
        set_option(fd_, IPPROTO_IPV6, IPV6_V6ONLY, both ? 0 : 1);
    }
    if (::bind(fd_, sockaddr, address.length) != 0) {
        return std::unexpected(system_error(address, "cannot be used", errno));
    }
    // [tcp(7)] What a listening socket has, the sockets that it accepts have: no calls for each.
    if (options_.no_delay) set_option(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options_.keepalive_s != 0) {
        set_option(fd_, SOL_SOCKET, SO_KEEPALIVE, 1);
        set_option(fd_, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(options_.keepalive_s));
        set_option(fd_, IPPROTO_TCP, TCP_KEEPINTVL,
                   static_cast<int>(options_.keepalive_interval_s));
        set_option(fd_, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(options_.keepalive_probes));
    }
    if (::listen(fd_, SOMAXCONN) != 0) {
        return std::unexpected(system_error(address, "cannot listen", errno));
    }
    address_.length = sizeof address_.storage;
    if (::getsockname(fd_, reinterpret_cast<::sockaddr*>(&address_.storage), &address_.length) !=
        0) {
        return std::unexpected(system_error(address, "has no name", errno));
    }
    describe(address_);
    reserve_ = open_reserve();
    accept_next();
    return {};
}

void SocketListener::accept_next() {
    if (stopping_) return;
    op_.busy = true;
    loop_.accept(op_, fd_);
}

void SocketListener::on_accepted(int result) {
    op_.busy = false;
    if (result >= 0 && stopping_) ::close(result);
    if (stopping_) {
        finish_if_quiet();
        return;
    }
    if (result < 0) {
        on_refused(-result);
        return;
    }
    accept_next();
    adopt(result);
}

void SocketListener::on_refused(int error) {
    switch (error) {
        // accept(2): errors of the new connection, and ones that TCP passes on.  The next may be
        // fine.
        case ECONNABORTED:
        case EINTR:
        case EAGAIN:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case ENETUNREACH:
            accept_next();
            return;
        case EMFILE:
        case ENFILE:
            turn_one_away();
            break;
        default:
            break;
    }
    warn(fmt::format("{}: cannot accept connections for now: {}", address_.text,
                     std::strerror(error)));
    loop_.arm(retry_, retry_after);
}

// Without a descriptor a connection cannot even be refused: the reserve makes room for that.
void SocketListener::turn_one_away() {
    if (reserve_ < 0) {
        reserve_ = open_reserve();
        return;
    }
    ::close(reserve_);
    const int refused = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (refused >= 0) ::close(refused);
    reserve_ = open_reserve();
}

void SocketListener::warn(const std::string& what) {
    if (!options_.warn) return;
    const std::uint64_t now = loop_.now_ns();
    if (warned_ns_ != 0 && now - warned_ns_ < warn_every_ns) return;
    warned_ns_ = now;
    options_.warn(what);
}

void SocketListener::adopt(int fd) {
    Address peer;
    peer.length = sizeof peer.storage;
    Address local;
    local.length = sizeof local.storage;
    if (::getpeername(fd, reinterpret_cast<::sockaddr*>(&peer.storage), &peer.length) != 0 ||
        ::getsockname(fd, reinterpret_cast<::sockaddr*>(&local.storage), &local.length) != 0) {
        ::close(fd);  // gone already
        return;
    }
    describe(peer);
    Loop* home = admit_(peer);
    if (home == nullptr) {
        ::close(fd);
        return;
    }
    describe(local);
    auto link = std::make_unique<SocketLink>(*home, fd, limits_, std::move(peer), std::move(local));
    if (home == &loop_) {
        accept_(std::move(link));
        return;
    }
    auto hand_over = std::make_unique<HandOver>();
    hand_over->run = HandOver::deliver;
    hand_over->listener = this;
    hand_over->link = std::move(link);
    ++handing_over_;
    home->post(*hand_over.release());
}

void SocketListener::stop(std::function<void()> closed) {
    assert(!closed_);
    closed_ = std::move(closed);
    loop_.post(stop_work_);
}

// Called from the loop's top only, as the last thing: the listener may be gone afterwards.
void SocketListener::finish_if_quiet() {
    if (!stopping_ || op_.busy || handing_over_ != 0 || fd_ < 0) return;
    ::close(std::exchange(fd_, -1));
    const auto closed = std::move(closed_);
    if (closed) closed();
}

}  // namespace smb3d::transport
