// Log: one spdlog logger a component, levels changeable at run time.
//
// Purpose: hides spdlog behind one function, so that including this costs a translation unit
//   little.
// Thread: any.  Errors: none; a message that cannot be written is lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/core.h>

namespace smb3d::log {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };

enum class Component : std::uint8_t {
    daemon,
    config,
    transport,
    engine,
    auth,
    vfs,
    fsa,
    pipe,
    admin
};
inline constexpr std::size_t component_count = 9;

std::string_view component_name(Component component);
std::optional<Component> component_from(std::string_view name);
std::string_view level_name(Level level);
std::optional<Level> level_from(std::string_view name);

// Where messages go: `journal` writes to systemd's journal with fields, else to stderr.  Called
// once at start; before that messages go to stderr.
void start(bool journal);
void stop();

void set_level(Component component, Level level);
Level level(Component component);

void write(Component component, Level level, std::string_view message);

namespace detail {
extern std::atomic<std::uint8_t> levels[component_count];
}

inline bool enabled(Component component, Level level) {
    return static_cast<std::uint8_t>(level) >=
           detail::levels[static_cast<std::size_t>(component)].load(std::memory_order_relaxed);
}

template <class... Args>
void print(Component component, Level level, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(component, level)) {
        write(component, level, fmt::format(format, std::forward<Args>(args)...));
    }
}
template <class... Args>
void debug(Component c, fmt::format_string<Args...> f, Args&&... args) {
    print(c, Level::debug, f, std::forward<Args>(args)...);
}
template <class... Args>
void info(Component c, fmt::format_string<Args...> f, Args&&... args) {
    print(c, Level::info, f, std::forward<Args>(args)...);
}
template <class... Args>
void warn(Component c, fmt::format_string<Args...> f, Args&&... args) {
    print(c, Level::warn, f, std::forward<Args>(args)...);
}
template <class... Args>
void error(Component c, fmt::format_string<Args...> f, Args&&... args) {
    print(c, Level::error, f, std::forward<Args>(args)...);
}

}  // namespace smb3d::log
