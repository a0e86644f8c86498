#include "ctl/users.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "auth/accounts.h"
#include "ctl/client.h"
#include "daemon/directories.h"

namespace smb3d::ctl {

namespace {

using nlohmann::json;
using Text = std::expected<std::string, std::string>;

constexpr std::size_t max_password = 4096;  // bytes read; the account file has its own, lower limit

// One line from `fd`, without its end.
Text read_line(int fd) {
    std::string line;
    char c = 0;
    while (line.size() <= max_password) {
        const ::ssize_t count = ::read(fd, &c, 1);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            return std::unexpected(
                fmt::format("cannot read the password: {}", std::strerror(errno)));
        if (count == 0 || c == '\n') break;
        line += c;
    }
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) return std::unexpected("the password is empty");
    return line;
}

// Asks on the terminal, without echo.
class Terminal {
  public:
    Terminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
        if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) return;
        ::termios quiet = before_;
        quiet.c_lflag &= ~static_cast<::tcflag_t>(ECHO);
        restore_ = ::tcsetattr(fd_, TCSAFLUSH, &quiet) == 0;
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal() {
        if (restore_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
        if (fd_ >= 0) ::close(fd_);
    }
    Text ask(const std::string& prompt) const {
        if (!restore_) return std::unexpected("there is no terminal: pass --password-stdin");
        say(prompt);
        auto line = read_line(fd_);
        say("\n");
        return line;
    }

  private:
    void say(const std::string& text) const {
        // A prompt that cannot be shown is not worth failing for.
        [[maybe_unused]] const ::ssize_t count = ::write(fd_, text.data(), text.size());
    }
    int fd_;
    ::termios before_{};
    bool restore_{false};
};

Text password_for(const UserRequest& request) {
    if (request.password_stdin) return read_line(0);
    const Terminal terminal;
    auto first = terminal.ask(fmt::format("Password for {}: ", request.name));
    if (!first) return first;
    const auto second = terminal.ask("Once more: ");
    if (!second) return second;
    if (*first != *second) return std::unexpected("the passwords differ");
    return first;
}

std::expected<void, std::string> change(const auth::AccountFile& accounts,
                                        const UserRequest& request) {
    if (request.action == "disable") return accounts.set_disabled(request.name, true);
    if (request.action == "enable") return accounts.set_disabled(request.name, false);
    if (request.action == "delete") return accounts.remove(request.name);
    const auto password = password_for(request);
    if (!password) return std::unexpected(password.error());
    if (request.action == "passwd") return accounts.set_password(request.name, *password);
    return accounts.add(request.name, *password, request.full_name);
}

std::expected<json, std::string> list(const auth::AccountFile& accounts) {
    const auto all = accounts.list();
    if (!all) return std::unexpected(all.error());
    json result = json::array();
    for (const auto& account : *all) {
        result.push_back({{"name", account.name},
                          {"full_name", account.full_name},
                          {"created", account.created},
                          {"disabled", account.disabled},
                          {"state", account.disabled ? "disabled" : "enabled"}});
    }
    return result;
}

}  // namespace

std::expected<json, std::string> run_user(const UserRequest& request, const std::string& state_dir,
                                          const std::string& socket_path) {
    if (auto made = daemon::ensure_directory(state_dir, 0700); !made)
        return std::unexpected(made.error());
    const auth::AccountFile accounts(state_dir + "/accounts.toml");
    if (request.action == "list") return list(accounts);
    if (auto changed = change(accounts, request); !changed) return std::unexpected(changed.error());
    json result = {{"name", request.name}, {"action", request.action}, {"sessions_ended", 0}};
    const bool end_sessions = request.action == "disable" || request.action == "delete";
    const json arguments = {{"name", request.name}, {"end_sessions", end_sessions}};
    const auto told = ask(socket_path, "user.changed", arguments);
    result["daemon_running"] = told.has_value();
    if (told) {
        result["sessions_ended"] = told->value("sessions_ended", 0);
    } else if (!told.error().not_running) {
        return std::unexpected(
            fmt::format("the account file has been changed, but smb3d could not be told: {}",
                        told.error().message));
    }
    return result;
}

}  // namespace smb3d::ctl
