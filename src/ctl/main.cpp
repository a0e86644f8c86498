// smb3dctl: the administrator's command line.
#include <cstdio>
#include <exception>
#include <string>

#include <fmt/core.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "ctl/client.h"
#include "ctl/render.h"
#include "ctl/render_stats.h"
#include "ctl/users.h"
#include "daemon/admin_commands.h"
#include "daemon/config_file.h"

namespace {

using namespace smb3d;
using nlohmann::json;

// What the command line asks for.
struct Request {
    std::string config{"/etc/smb3d/smb3d.toml"};
    std::string socket;
    bool as_json{false};
    bool as_prometheus{false};
    std::string command;  // as the daemon knows it, or "user.ACTION"
    json arguments = json::object();
    ctl::UserRequest user;
    std::string id;
    std::string component;
    std::string level;
};

CLI::App* group(CLI::App& app, const char* name, const char* about) {
    CLI::App* sub = app.add_subcommand(name, about);
    sub->require_subcommand(1);
    return sub;
}

CLI::App* command(CLI::App& parent, const char* name, const char* about, Request& request,
                  const char* daemon_name) {
    CLI::App* sub = parent.add_subcommand(name, about);
    sub->callback([&request, daemon_name] { request.command = daemon_name; });
    return sub;
}

void add_user_commands(CLI::App& app, Request& request) {
    CLI::App* user = group(app, "user", "accounts; also while smb3d does not run");
    const auto add = [&](const char* name, const char* about, const char* full) {
        CLI::App* sub = command(*user, name, about, request, full);
        sub->add_option("name", request.user.name, "the account")->required();
        return sub;
    };
    for (CLI::App* sub : {add("add", "give a user of the system an account", "user.add"),
                          add("passwd", "set an account's password", "user.passwd")}) {
        sub->add_flag("--password-stdin", request.user.password_stdin,
                      "read the password from standard input (one line)");
    }
    user->get_subcommand("add")->add_option("--full-name", request.user.full_name,
                                            "the person's name");
    add("disable", "keep an account from logging on, and end its sessions", "user.disable");
    add("enable", "undo disable", "user.enable");
    add("delete", "remove an account, and end its sessions", "user.delete");
    command(*user, "list", "all accounts", request, "user.list");
}

void add_commands(CLI::App& app, Request& request) {
    command(app, "status", "the server's state in figures", request, "status");
    CLI::App* stats =
        command(app, "stats", "requests, bytes and times by command, share and transport", request,
                "stats");
    stats->add_flag("--prometheus", request.as_prometheus, "print Prometheus' text format");
    CLI::App* connection = group(app, "connection", "network connections");
    command(*connection, "list", "all connections", request, "connection.list");
    CLI::App* session = group(app, "session", "who is logged on");
    command(*session, "list", "all sessions", request, "session.list");
    CLI::App* kill = command(*session, "kill", "end a session", request, "session.kill");
    kill->add_option("id", request.id, "as session list shows it")->required();
    CLI::App* share = group(app, "share", "shares");
    command(*share, "list", "all shares", request, "share.list");
    CLI::App* open = group(app, "open", "open files");
    command(*open, "list", "all open files", request, "open.list");
    CLI::App* close = command(*open, "close", "close an open file", request, "open.close");
    close->add_option("id", request.id, "as open list shows it")->required();
    CLI::App* lease = group(app, "lease", "what clients may cache");
    CLI::App* take =
        command(*lease, "break", "take back a client's oplock or lease", request, "lease.break");
    take->add_option("id", request.id, "the open file's, as open list shows it")->required();
    CLI::App* log = group(app, "log", "what is logged");
    CLI::App* level = command(*log, "level", "show or set the levels", request, "log.level");
    level->add_option("component", request.component, "a component, or \"all\"");
    level->add_option("level", request.level, "trace, debug, info, warn, error or off");
    command(app, "reload", "apply the configuration file", request, "reload");
    CLI::App* config = group(app, "config", "the configuration in force");
    command(*config, "show", "every key, its value and where it comes from", request,
            "config.show");
    add_user_commands(app, request);
}

int report_failure(const Request& request, const std::string& message) {
    if (request.as_json) {
        const json reply = {
            {"schema_version", daemon::admin_schema_version}, {"ok", false}, {"error", message}};
        fmt::print("{}\n", reply.dump(-1, ' ', false, json::error_handler_t::replace));
    } else {
        fmt::print(stderr, "smb3dctl: {}\n", message);
    }
    return 1;
}

int report(const Request& request, const json& result) {
    if (request.as_json) {
        const json reply = {
            {"schema_version", daemon::admin_schema_version}, {"ok", true}, {"result", result}};
        fmt::print("{}\n", reply.dump(-1, ' ', false, json::error_handler_t::replace));
    } else if (request.as_prometheus) {
        fmt::print("{}", ctl::render_prometheus(result));
    } else if (request.command == "stats") {
        fmt::print("{}", ctl::render_stats(result));
    } else {
        fmt::print("{}", ctl::render(request.command, result));
    }
    return request.command == "reload" && !result.value("applied", false) ? 1 : 0;
}

// The daemon and its files are found by the configuration; errors in it matter to nobody but
// `reload`, which the daemon itself answers.
struct Found {
    std::string state_dir;
    std::string socket;
    std::string problem;
};
Found find_daemon(const Request& request) {
    const daemon::LoadedConfig loaded = daemon::load_config(request.config);
    Found found;
    found.state_dir = loaded.state_dir;
    found.socket = request.socket.empty() ? loaded.runtime_dir + "/smb3d.sock" : request.socket;
    if (!loaded.errors.empty()) found.problem = loaded.errors.front().text();
    return found;
}

int run_command(Request& request) {
    const Found found = find_daemon(request);
    if (request.command.starts_with("user.")) {
        // Accounts written to a guessed place would be lost.
        if (!found.problem.empty()) return report_failure(request, found.problem);
        request.user.action = request.command.substr(5);
        const auto result = ctl::run_user(request.user, found.state_dir, found.socket);
        return result ? report(request, *result) : report_failure(request, result.error());
    }
    if (!request.id.empty()) request.arguments["id"] = request.id;
    if (!request.component.empty() && request.component != "all") {
        request.arguments["component"] = request.component;
    }
    if (!request.level.empty()) request.arguments["level"] = request.level;
    const auto result = ctl::ask(found.socket, request.command, request.arguments);
    if (result) return report(request, *result);
    std::string message = result.error().message;
    if (!found.problem.empty()) message += fmt::format("; and {}", found.problem);
    return report_failure(request, message);
}

int run(int argc, char** argv) {
    Request request;
    CLI::App app{"smb3dctl administers smb3d; see smb3dctl(8).", "smb3dctl"};
    app.fallthrough();
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("smb3dctl ") + SMB3D_VERSION);
    app.add_option("--config", request.config, "smb3d's configuration file")->capture_default_str();
    app.add_option("--socket", request.socket,
                   "smb3d's socket, if the configuration does not tell");
    app.add_flag("--json", request.as_json, "print JSON");
    add_commands(app, request);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    return run_command(request);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "smb3dctl: %s\n", error.what());
        return 1;
    }
}
