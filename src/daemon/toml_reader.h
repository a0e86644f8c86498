// TOML text -> a plain tree with the place of every key and value.
//
// Purpose: keeps the parser's heavy header in one translation unit.
// Thread: any.  Errors: the parser's own sentence and place.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace smb3d::daemon {

struct Place {
    std::string file;
    std::uint32_t line{0};  // 0: the file as a whole
    std::uint32_t column{0};
};

struct TomlEntry;

struct TomlNode {
    enum class Kind : std::uint8_t { text, integer, real, boolean, date, array, table };
    Kind kind{Kind::table};
    Place place;
    std::string text;        // text, real, date
    std::int64_t number{0};  // integer
    bool flag{false};
    std::vector<TomlNode> items;     // array
    std::vector<TomlEntry> entries;  // table
};

struct TomlEntry {
    std::string key;
    Place place;
    TomlNode node;
};

struct TomlProblem {
    Place place;
    std::string message;
};

std::string_view kind_name(TomlNode::Kind kind);

std::expected<TomlNode, TomlProblem> read_toml(const std::string& text, const std::string& file);

}  // namespace smb3d::daemon
