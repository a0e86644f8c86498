// smb3d: the server's command line.
#include <cstdio>
#include <string>
#include <utility>

#include <unistd.h>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "daemon/config_file.h"
#include "daemon/config_schema.h"
#include "daemon/daemon.h"
#include "daemon/demo.h"

namespace {

using namespace smb3d;
using namespace smb3d::daemon;

struct Arguments {
    std::string config{"/etc/smb3d/smb3d.toml"};
    std::string demo;
    bool check{false};
    bool print_default{false};
    bool print_reference{false};
};

void print_errors(const std::vector<ConfigError>& errors) {
    for (const ConfigError& error : errors) fmt::print(stderr, "{}\n", error.text());
}

int check_config(const std::string& path) {
    const LoadedConfig loaded = load_config(path);
    std::vector<ConfigError> errors = loaded.errors;
    if (loaded.config) errors = check_environment(*loaded.config);
    print_errors(errors);
    if (!errors.empty()) return 1;
    fmt::print("{}: OK\n", path);
    return 0;
}

int fail(const std::string& message) {
    fmt::print(stderr, "smb3d: {}\n", message);
    return 1;
}

bool to_journal(const Config& config) {
    return config.log_target == LogTarget::journal ||
           (config.log_target == LogTarget::automatic && stderr_is_journal());
}

int serve(std::shared_ptr<const Config> config, Daemon::Load load, const std::string& file,
          const std::string& welcome) {
    block_signals();  // before the log's thread, which would otherwise take them
    apply_log_levels(*config);
    log::start(to_journal(*config));
    int code = 1;
    std::string problem;
    if (auto daemon = Daemon::start(std::move(config), std::move(load), file)) {
        if (!welcome.empty()) {
            fmt::print("{}", welcome);
            std::fflush(stdout);
        }
        code = (*daemon)->run();
    } else {
        problem = daemon.error();
    }
    log::stop();
    return problem.empty() ? code : fail(problem);
}

int serve_file(const std::string& path) {
    const LoadedConfig loaded = load_config(path);
    if (!loaded.config) {
        print_errors(loaded.errors);
        if (::access(path.c_str(), F_OK) != 0) {
            fmt::print(stderr, "smb3d: give --config FILE, or --demo DIRECTORY to try it out\n");
        }
        return 1;
    }
    return serve(
        loaded.config, [path] { return load_config(path); }, path, "");
}

int serve_demo(const std::string& directory) {
    const auto demo = make_demo(directory);
    if (!demo) return fail(demo.error());
    const auto config = demo->config;
    const auto again = [config] {
        LoadedConfig loaded;
        loaded.config = config;
        return loaded;
    };
    return serve(config, again, "(demonstration)", demo->welcome);
}

int run(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{
        "smb3d serves files over SMB 2 and 3.  It runs in the foreground and logs to standard "
        "error; "
        "see smb3d(8).",
        "smb3d"};
    app.set_version_flag("--version", std::string("smb3d ") + SMB3D_VERSION);
    app.add_option("--config", arguments.config, "the configuration file")->capture_default_str();
    app.add_flag("--check-config", arguments.check,
                 "check the configuration and exit: 0 if it is good");
    app.add_option(
        "--demo", arguments.demo,
        "serve a folder below DIRECTORY with an embedded configuration and a made-up password");
    app.add_flag("--print-default-config", arguments.print_default,
                 "print a configuration with every key and its default, and exit");
    app.add_flag("--print-reference", arguments.print_reference,
                 "print the keys as smb3d.toml(5) explains them, and exit");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (arguments.print_default) return fmt::print("{}", example_configuration()), 0;
    if (arguments.print_reference) return fmt::print("{}", reference_manual()), 0;
    if (arguments.check) return check_config(arguments.config);
    if (!arguments.demo.empty()) return serve_demo(arguments.demo);
    return serve_file(arguments.config);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        // Out of memory at start, in effect.
        std::fprintf(stderr, "smb3d: %s\n", error.what());
        return 1;
    }
}
