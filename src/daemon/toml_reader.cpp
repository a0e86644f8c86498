#include "daemon/toml_reader.h"

#include <sstream>

#include <toml++/toml.h>

namespace smb3d::daemon {

namespace {

Place place_from(const toml::source_region& region, const std::string& file) {
    return {file, region.begin.line, region.begin.column};
}

template <class T>
std::string printed(const T& value) {
    std::ostringstream out;
    out << value;
    return std::move(out).str();
}

TomlNode convert(const toml::node& from, const std::string& file) {
    TomlNode node;
    node.place = place_from(from.source(), file);
    if (const auto* table = from.as_table()) {
        node.kind = TomlNode::Kind::table;
        for (const auto& [key, value] : *table) {
            node.entries.push_back(
                {std::string(key.str()), place_from(key.source(), file), convert(value, file)});
        }
    } else if (const auto* array = from.as_array()) {
        node.kind = TomlNode::Kind::array;
        for (const auto& item : *array) node.items.push_back(convert(item, file));
    } else if (const auto* text = from.as_string()) {
        node.kind = TomlNode::Kind::text;
        node.text = text->get();
    } else if (const auto* integer = from.as_integer()) {
        node.kind = TomlNode::Kind::integer;
        node.number = integer->get();
    } else if (const auto* flag = from.as_boolean()) {
        node.kind = TomlNode::Kind::boolean;
        node.flag = flag->get();
    } else if (const auto* real = from.as_floating_point()) {
        node.kind = TomlNode::Kind::real;
        node.text = printed(real->get());
    } else {
        node.kind = TomlNode::Kind::date;
        from.visit([&](const auto& value) {
            if constexpr (toml::is_chronological<decltype(value)>) node.text = printed(value);
        });
    }
    return node;
}

}  // namespace

std::string_view kind_name(TomlNode::Kind kind) {
    switch (kind) {
        case TomlNode::Kind::text:
            return "a string";
        case TomlNode::Kind::integer:
            return "an integer";
        case TomlNode::Kind::real:
            return "a number with a fraction";
        case TomlNode::Kind::boolean:
            return "a boolean";
        case TomlNode::Kind::date:
            return "a date or time";
        case TomlNode::Kind::array:
            return "an array";
        case TomlNode::Kind::table:
            return "a table";
    }
    return "";
}

std::expected<TomlNode, TomlProblem> read_toml(const std::string& text, const std::string& file) {
    try {
        return convert(toml::parse(text, file), file);
    } catch (const toml::parse_error& error) {
        return std::unexpected(
            TomlProblem{place_from(error.source(), file), std::string(error.description())});
    }
}

}  // namespace smb3d::daemon
