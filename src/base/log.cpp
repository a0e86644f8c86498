#include "base/log.h"

#include <array>
#include <memory>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

namespace smb3d::log {

namespace {

constexpr std::array<std::string_view, component_count> component_names = {
    "daemon", "config", "transport", "engine", "auth", "vfs", "fsa", "pipe", "admin"};
constexpr std::array<std::string_view, 6> level_names = {"trace", "debug", "info",
                                                         "warn",  "error", "off"};
constexpr std::array<spdlog::level::level_enum, 6> spdlog_levels = {
    spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
    spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};

// Set once by start(), before other threads log.
std::array<std::shared_ptr<spdlog::logger>, component_count> loggers;

}  // namespace

namespace detail {
constexpr auto info_level = static_cast<std::uint8_t>(Level::info);
std::atomic<std::uint8_t> levels[component_count] = {info_level, info_level, info_level,
                                                     info_level, info_level, info_level,
                                                     info_level, info_level, info_level};
}  // namespace detail

std::string_view component_name(Component component) {
    return component_names[static_cast<std::size_t>(component)];
}

std::optional<Component> component_from(std::string_view name) {
    for (std::size_t i = 0; i < component_count; ++i) {
        if (component_names[i] == name) return static_cast<Component>(i);
    }
    return std::nullopt;
}

std::string_view level_name(Level value) { return level_names[static_cast<std::size_t>(value)]; }

std::optional<Level> level_from(std::string_view name) {
    for (std::size_t i = 0; i < level_names.size(); ++i) {
        if (level_names[i] == name) return static_cast<Level>(i);
    }
    return std::nullopt;
}

void start(bool journal) {
    // Asynchronous, and an overrun drops the oldest: a slow disk below the journal must not stop
    // a loop.
    spdlog::init_thread_pool(8192, 1);
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (journal) {
        sink = std::make_shared<spdlog::sinks::systemd_sink_mt>("smb3d");
        sink->set_pattern("%n: %v");
    } else {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %n: %v");
    }
    for (std::size_t i = 0; i < component_count; ++i) {
        loggers[i] = std::make_shared<spdlog::async_logger>(
            std::string(component_names[i]), sink, spdlog::thread_pool(),
            spdlog::async_overflow_policy::overrun_oldest);
        loggers[i]->set_level(spdlog::level::trace);
        loggers[i]->flush_on(spdlog::level::info);
    }
}

void stop() {
    spdlog::shutdown();  // its thread writes what is queued, and ends
    for (auto& logger : loggers) logger.reset();
}

void set_level(Component component, Level value) {
    detail::levels[static_cast<std::size_t>(component)].store(static_cast<std::uint8_t>(value),
                                                              std::memory_order_relaxed);
}

Level level(Component component) {
    return static_cast<Level>(
        detail::levels[static_cast<std::size_t>(component)].load(std::memory_order_relaxed));
}

void write(Component component, Level value, std::string_view message) {
    const auto index = static_cast<std::size_t>(component);
    if (loggers[index]) {
        loggers[index]->log(spdlog_levels[static_cast<std::size_t>(value)], message);
    } else {
        fmt::print(stderr, "{} {}: {}\n", level_name(value), component_names[index], message);
    }
}

}  // namespace smb3d::log
