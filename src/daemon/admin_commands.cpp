#include "daemon/admin_commands.h"

#include <ctime>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace smb3d::daemon {

namespace {

using nlohmann::json;

// A refusal, within this file only: run() turns it into a reply.
struct Refused {
    std::string message;
};

json reply(json result) {
    return {{"schema_version", admin_schema_version}, {"ok", true}, {"result", std::move(result)}};
}
json refusal(const std::string& message) {
    return {{"schema_version", admin_schema_version}, {"ok", false}, {"error", message}};
}

std::string text_argument(const json& arguments, const char* name) {
    const auto it = arguments.find(name);
    if (it == arguments.end() || !it->is_string()) {
        throw Refused{fmt::format("the argument \"{}\" must be a string", name)};
    }
    return it->get<std::string>();
}

// Ids are 64 bits wide and go as text: JSON readers keep 53.
std::uint64_t id_argument(const json& arguments) {
    const std::string text = text_argument(arguments, "id");
    char* end = nullptr;
    errno = 0;
    const auto id = std::strtoull(text.c_str(), &end, 0);
    if (text.empty() || *end != '\0' || errno != 0)
        throw Refused{fmt::format("\"{}\" is not an id", text)};
    return id;
}
std::string id_text(std::uint64_t id) { return fmt::format("{:#x}", id); }

json run_status(Control& control, const json&) {
    const DaemonStatus status = control.status();
    const engine::Totals totals = control.server().totals();
    return {{"version", status.version},
            {"pid", status.pid},
            {"io", status.io},
            {"loops", status.loops},
            {"workers", status.workers},
            {"listen", status.listen},
            {"crypto", status.crypto},
            {"config_file", status.config_file},
            {"last_reload", status.last_reload},
            {"buffer_bytes", status.buffer_bytes},
            {"buffer_ceiling", status.buffer_ceiling},
            {"handle_record_failures", status.handle_record_failures},
            {"handle_records_owed", status.handle_records_owed},
            {"started", time_text(totals.started)},
            {"connections", totals.connections},
            {"sessions", totals.sessions},
            {"trees", totals.trees},
            {"opens", totals.opens},
            {"requests", totals.requests},
            {"bytes_read", totals.bytes_read},
            {"bytes_written", totals.bytes_written}};
}

json activities(const std::vector<engine::ActivityTotals>& rows) {
    json list = json::array();
    for (const engine::ActivityTotals& row : rows) {
        json latency =
            json::array();  // [end of the bucket in ns, requests], the empty ones left out
        for (std::size_t i = 0; i < row.latency.size(); ++i) {
            if (row.latency[i] == 0) continue;
            latency.push_back(json::array({engine::Histogram::end_of(i), row.latency[i]}));
        }
        list.push_back({{"name", row.name},
                        {"requests", row.requests},
                        {"errors", row.errors},
                        {"waited", row.waited},
                        {"bytes_in", row.bytes_in},
                        {"bytes_out", row.bytes_out},
                        {"connections", row.connections},
                        {"total_ns", row.total_ns},
                        {"latency", std::move(latency)}});
    }
    return list;
}

json run_stats(Control& control, const json&) {
    const engine::Statistics statistics = control.server().statistics();
    const engine::Totals totals = control.server().totals();
    const DaemonStatus status = control.status();
    // [MS-DTYP] 2.3.3: 100 ns since 1601.
    constexpr std::uint64_t unix_epoch = 116444736000000000ULL;
    const std::uint64_t started =
        totals.started > unix_epoch ? (totals.started - unix_epoch) / 10'000'000 : 0;
    return {{"server",
             {{"connections", totals.connections},
              {"sessions", totals.sessions},
              {"trees", totals.trees},
              {"opens", totals.opens},
              {"requests", totals.requests},
              {"bytes_read", totals.bytes_read},
              {"bytes_written", totals.bytes_written},
              {"buffer_bytes", status.buffer_bytes},
              {"buffer_ceiling", status.buffer_ceiling},
              {"handle_record_failures", status.handle_record_failures},
              {"handle_records_owed", status.handle_records_owed},
              {"started", started}}},
            {"commands", activities(statistics.commands)},
            {"shares", activities(statistics.shares)},
            {"transports", activities(statistics.transports)}};
}

json run_connection_list(Control& control, const json&) {
    json list = json::array();
    for (const auto& c : control.server().connections()) {
        list.push_back({{"id", id_text(c.id)},
                        {"peer", c.peer},
                        {"transport", c.transport},
                        {"dialect", c.dialect},
                        {"since", time_text(c.since)}});
    }
    return list;
}

json run_session_list(Control& control, const json&) {
    json list = json::array();
    for (const auto& s : control.server().sessions()) {
        json channels = json::array();
        for (const auto& c : s.channels) {
            channels.push_back({{"peer", c.peer},
                                {"transport", c.transport},
                                {"loop", c.loop},
                                {"since", time_text(c.since)}});
        }
        list.push_back({{"id", id_text(s.id)},
                        {"user", s.user},
                        {"domain", s.domain},
                        {"mechanism", s.mechanism},
                        {"dialect", s.dialect},
                        {"signing", s.signing},
                        {"encryption", s.encryption},
                        {"channels", std::move(channels)},
                        {"shares", s.trees},
                        {"opens", s.opens},
                        {"guest", s.guest},
                        {"since", time_text(s.since)}});
    }
    return list;
}

json run_session_kill(Control& control, const json& arguments) {
    const auto id = id_argument(arguments);
    if (!control.server().end_session(id))
        throw Refused{fmt::format("there is no session {}", id_text(id))};
    log::info(log::Component::admin, "session {} ended by the administrator", id_text(id));
    return {{"id", id_text(id)}};
}

json run_share_list(Control& control, const json&) {
    json list = json::array();
    for (const auto& s : control.server().shares()) {
        list.push_back({{"name", s.name},
                        {"path", s.path},
                        {"comment", s.comment},
                        {"connections", s.trees},
                        {"hidden", s.hidden},
                        {"read_only", s.read_only},
                        {"encrypt", s.encrypt}});
    }
    return list;
}

// For people; --json has the parts of it.
std::string state_text(const engine::OpenInfo& o) {
    if (o.waiting) {
        return fmt::format("{}, owner away, {} s left", o.durable, (o.left_ms + 999) / 1000);
    }
    return o.durable.empty() ? "open" : o.durable;
}

json run_open_list(Control& control, const json&) {
    json list = json::array();
    for (const auto& o : control.server().opens()) {
        list.push_back({{"id", id_text(o.id)},
                        {"session", id_text(o.session)},
                        {"user", o.user},
                        {"peer", o.peer},
                        {"share", o.share},
                        {"path", o.path},
                        {"access", fmt::format("{:#010x}", o.access)},
                        {"share_access", o.share_access},
                        {"directory", o.directory},
                        {"delete_on_close", o.delete_on_close},
                        {"locks", o.locks},
                        {"oplock", o.oplock},
                        {"lease_key", o.lease_key},
                        {"durable", o.durable},
                        {"waiting", o.waiting},
                        {"seconds_left", o.left_ms / 1000},
                        {"state", state_text(o)},
                        {"breaking", o.breaking},
                        {"since", time_text(o.since)}});
    }
    return list;
}

json run_open_close(Control& control, const json& arguments) {
    const auto id = id_argument(arguments);
    if (!control.server().close_open(id))
        throw Refused{fmt::format("there is no open {}", id_text(id))};
    log::info(log::Component::admin, "open {} closed by the administrator", id_text(id));
    return {{"id", id_text(id)}};
}

json run_lease_break(Control& control, const json& arguments) {
    const auto id = id_argument(arguments);
    if (!control.server().break_lease(id))
        throw Refused{fmt::format("there is no open file {}", id_text(id))};
    log::info(log::Component::admin, "oplock or lease of open {} broken by the administrator",
              id_text(id));
    return {{"id", id_text(id)}};
}

// Without a component: all of them; without a level: only shows.
json run_log_level(Control&, const json& arguments) {
    std::optional<log::Component> only;
    if (arguments.contains("component")) {
        const std::string name = text_argument(arguments, "component");
        only = log::component_from(name);
        if (!only) throw Refused{fmt::format("there is no component \"{}\"", name)};
    }
    if (arguments.contains("level")) {
        const std::string name = text_argument(arguments, "level");
        const auto level = log::level_from(name);
        if (!level)
            throw Refused{
                fmt::format("\"{}\" is not trace, debug, info, warn, error or off", name)};
        for (std::size_t i = 0; i < log::component_count; ++i) {
            const auto component = static_cast<log::Component>(i);
            if (!only || *only == component) log::set_level(component, *level);
        }
    }
    json levels = json::object();
    for (std::size_t i = 0; i < log::component_count; ++i) {
        const auto component = static_cast<log::Component>(i);
        if (only && *only != component) continue;
        levels[std::string(log::component_name(component))] =
            log::level_name(log::level(component));
    }
    return levels;
}

json run_reload(Control& control, const json&) {
    const ReloadReport report = control.reload();
    return {{"applied", report.ok},
            {"errors", report.errors},
            {"changes", report.changes},
            {"warnings", report.warnings}};
}

json run_config_show(Control& control, const json&) {
    json list = json::array();
    const auto config = control.config();
    for (const Setting& setting : config->settings) {
        list.push_back({{"key", setting.path},
                        {"value", setting.value},
                        {"source", setting.source},
                        {"reloadable", setting.reloadable}});
    }
    return list;
}

// smb3dctl has changed the account file; `end_sessions` when the account may no longer log on.
json run_user_changed(Control& control, const json& arguments) {
    const std::string name = text_argument(arguments, "name");
    if (const std::string problem = control.accounts_changed(); !problem.empty())
        throw Refused{problem};
    std::size_t ended = 0;
    if (arguments.value("end_sessions", false)) ended = control.server().end_user(name);
    log::info(log::Component::admin, "account {} changed, {} session(s) ended", name, ended);
    return {{"name", name}, {"sessions_ended", ended}};
}

struct Command {
    const char* name;
    json (*run)(Control&, const json& arguments);
};
constexpr Command commands[] = {
    {"status", run_status},
    {"stats", run_stats},
    {"connection.list", run_connection_list},
    {"session.list", run_session_list},
    {"session.kill", run_session_kill},
    {"share.list", run_share_list},
    {"open.list", run_open_list},
    {"open.close", run_open_close},
    {"lease.break", run_lease_break},
    {"log.level", run_log_level},
    {"reload", run_reload},
    {"config.show", run_config_show},
    {"user.changed", run_user_changed},
};

json dispatch(Control& control, const std::string& text) {
    const json request = json::parse(text, nullptr, false);
    if (!request.is_object()) return refusal("the request is not a JSON object");
    const json arguments = request.value("arguments", json::object());
    if (!arguments.is_object()) return refusal("\"arguments\" is not a JSON object");
    const std::string name = text_argument(request, "command");
    for (const Command& command : commands) {
        if (name == command.name) return reply(command.run(control, arguments));
    }
    return refusal(fmt::format("unknown command \"{}\"", name));
}

// File names may hold what is not UTF-8 proper; they must not make a listing fail.
std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string AdminCommands::run(const std::string& request) {
    try {
        return dump(dispatch(control_, request));
    } catch (const Refused& refused) {
        return dump(refusal(refused.message));
    } catch (const json::exception& problem) {
        return dump(refusal(fmt::format("malformed request: {}", problem.what())));
    }
}

std::string time_text(std::uint64_t filetime) {
    constexpr std::uint64_t to_unix = 116444736000000000ULL;  // 1601 to 1970 in 100 ns
    if (filetime < to_unix) return "";
    const auto seconds = static_cast<std::time_t>((filetime - to_unix) / 10000000);
    std::tm parts{};
    if (::gmtime_r(&seconds, &parts) == nullptr) return "";
    char text[32];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text, size};
}

}  // namespace smb3d::daemon
