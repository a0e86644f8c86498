#include "daemon/demo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include <fmt/core.h>

#include "auth/accounts.h"
#include "daemon/config_file.h"
#include "daemon/daemon.h"
#include "daemon/directories.h"

namespace smb3d::daemon {

namespace {

constexpr const char* demo_configuration = R"([server]
listen = ["127.0.0.1:{port}"]
state_dir = "{directory}/state"
runtime_dir = "{directory}/run"
comment = "smb3d demonstration"
[share.demo]
path = "{directory}/share"
comment = "A folder to try"
)";

bool port_is_free(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free =
        ::bind(fd, reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return free;
}

std::expected<std::string, std::string> made_up_password() {
    // 32 signs, none that looks like another: five bits each, 80 bits in all.
    constexpr std::string_view signs = "abcdefghijkmnpqrstuvwxyz23456789";
    static_assert(signs.size() == 32);
    std::array<unsigned char, 16> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<::ssize_t>(random.size())) {
        return std::unexpected(fmt::format("no random numbers: {}", std::strerror(errno)));
    }
    std::string password;
    for (const unsigned char byte : random) password += signs[byte % signs.size()];
    return password;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
    return text;
}

std::expected<std::string, std::string> make_folders(const std::string& directory) {
    if (auto made = ensure_directory(directory, 0755); !made) return std::unexpected(made.error());
    std::array<char, PATH_MAX> buffer{};
    if (::realpath(directory.c_str(), buffer.data()) == nullptr) {
        return std::unexpected(fmt::format("{}: {}", directory, std::strerror(errno)));
    }
    std::string full = buffer.data();
    if (full.find_first_of("\"\\\n") != std::string::npos) {
        return std::unexpected(fmt::format("the path {} holds a quote or a backslash", full));
    }
    for (const auto& [name, mode] :
         {std::pair{"/share", 0755U}, {"/state", 0700U}, {"/run", 0755U}}) {
        if (auto made = ensure_directory(full + name, mode); !made)
            return std::unexpected(made.error());
    }
    return full;
}

}  // namespace

std::expected<Demo, std::string> make_demo(const std::string& directory) {
    const auto folder = make_folders(directory);
    if (!folder) return std::unexpected(folder.error());
    std::uint16_t port = 4450;
    while (port < 4550 && !port_is_free(port)) ++port;
    if (port == 4550) return std::unexpected("no port from 4450 to 4549 is free on 127.0.0.1");

    const ::passwd* user = ::getpwuid(::geteuid());
    if (user == nullptr) return std::unexpected("the current user has no entry in /etc/passwd");
    const std::string name = user->pw_name;
    const auto password = made_up_password();
    if (!password) return std::unexpected(password.error());

    std::string text = replaced(demo_configuration, "{port}", fmt::format("{}", port));
    const LoadedConfig loaded =
        parse_config(replaced(std::move(text), "{directory}", *folder), "(demonstration)");
    if (!loaded.config) return std::unexpected(loaded.errors.front().text());

    const auth::AccountFile accounts(account_path(*loaded.config));
    const auto known = accounts.list();
    if (!known) return std::unexpected(known.error());
    bool exists = false;
    for (const auto& account : *known) exists = exists || account.name == name;
    const auto kept =
        exists ? accounts.set_password(name, *password) : accounts.add(name, *password);
    if (!kept) return std::unexpected(kept.error());

    return Demo{loaded.config,
                fmt::format("smb3d serves {0}/share as the share \"demo\" to this machine.\n"
                            "Account: {1}   Password: {2}\n\n"
                            "smbclient //127.0.0.1/demo --port={3} --user='{1}%{2}'\n",
                            *folder, name, *password, port)};
}

}  // namespace smb3d::daemon
