// The configuration's schema: one row a key.  The loader, the checks, `config show`,
// config/smb3d.toml and the reference in smb3d.toml(5) all come from these rows.
//
// Thread: any (constant data).
// Adding a key: a member in config.h, a row in config_schema.cpp, a reader; then regenerate
// (docs/adding.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.h"

namespace smb3d::daemon {

enum class Type : std::uint8_t {
    boolean,
    integer,
    mode,      // permission bits: an integer (0o644) or "0644"
    size,      // bytes: an integer, or "8MiB"
    duration,  // seconds: an integer, or "30s", "5min"; kept in milliseconds
    text,
    path,    // an absolute path
    choice,  // one of the row's choices
    text_list,
    choice_list,  // any of the row's choices, each once, in order of preference
    scalar,       // whatever a plug-in takes; kept as text
};

struct Value {
    bool flag{false};
    std::int64_t number{0};
    std::string text;
    std::vector<std::string> list;
};

// Where a row's value goes.  `share` is null for a key outside [share.NAME]; `key` is the last part
// of the path, for rows that end in '*'.
struct Slot {
    Config& config;
    ShareConfig* share;
    std::string_view key;
};

struct Row {
    std::string_view path;  // '*' stands for any name
    Type type;
    std::string_view fallback;  // the default as TOML; empty: none (a required or a free key)
    std::int64_t minimum;
    std::int64_t maximum;
    std::span<const std::string_view> choices;
    bool reloadable;
    bool required;
    void (*store)(const Slot&, const Value&);
    std::string_view doc;
};

std::span<const Row> rows();

// The row for a concrete path ("share.photos.path"), or null.
const Row* find_row(std::string_view path);
// "integer, 1 to 100", for messages and the reference.
std::string describe_type(const Row& row);

// The name in `names` that is nearest to `word`, or "" if none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> names);

// Generated texts: config/smb3d.toml, and the section between the markers in docs/man/smb3d.toml.5.
std::string example_configuration();
std::string reference_manual();

std::string_view name_of(engine::Dialect dialect);
std::string_view name_of(IoMethod method);

}  // namespace smb3d::daemon
