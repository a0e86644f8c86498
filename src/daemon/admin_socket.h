// AdminSocket: the UNIX socket that smb3dctl talks to: one JSON request a line, one JSON reply a
// line.
//
// Purpose: accepts root and the daemon's own user only (file mode 0600, and SO_PEERCRED again);
// bounded in clients, request
//   size and time.
// Thread: the control thread, which polls its descriptors.
// Lifetime: removes the socket when closed.
// Errors: open() gives a sentence; a client that breaks a rule is cut off.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <string>
#include <vector>

namespace smb3d::daemon {

class AdminSocket {
  public:
    using Handler = std::function<std::string(const std::string& request)>;
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t max_clients = 16;
    static constexpr std::size_t max_request = 64 * 1024;
    static constexpr std::chrono::seconds idle_limit{10};

    AdminSocket() = default;
    AdminSocket(const AdminSocket&) = delete;
    AdminSocket& operator=(const AdminSocket&) = delete;
    ~AdminSocket() { close(); }

    std::expected<void, std::string> open(const std::string& path, Handler handler);
    void close();

    // Adds what to poll; `handle` gets the same entries back.
    void add_to(std::vector<::pollfd>& fds) const;
    void handle(const std::vector<::pollfd>& fds);
    // Cuts off clients that took too long.  True while there are any, so that the caller looks
    // again.
    bool expire(Clock::time_point now);

  private:
    struct Client {
        int fd{-1};
        std::string input;
        std::string output;
        std::size_t sent{0};  // of output
        Clock::time_point deadline;
        bool closing{false};
    };
    void accept_all();
    void read_from(Client& client);
    void serve(Client& client);
    bool send_some(Client& client);
    void drop_closed();

    std::string path_;
    int fd_{-1};
    Handler handler_;
    std::vector<Client> clients_;
};

}  // namespace smb3d::daemon
