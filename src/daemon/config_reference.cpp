// The texts that the schema's rows generate.
#include <fmt/core.h>

#include "daemon/config_schema.h"

namespace smb3d::daemon {

namespace {

using std::string_view;

std::string wrapped(string_view text, string_view prefix, std::size_t width) {
    std::string out;
    std::string line(prefix);
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const string_view word = text.substr(0, space);
        text.remove_prefix(space == string_view::npos ? text.size() : space + 1);
        if (word.empty()) continue;
        if (line.size() > prefix.size() && line.size() + 1 + word.size() > width) {
            out += line + "\n";
            line = prefix;
        }
        if (line.size() > prefix.size()) line += ' ';
        line += word;
    }
    return out + line + "\n";
}

std::string size_text(std::int64_t bytes) {
    static constexpr std::pair<std::int64_t, string_view> units[] = {
        {1LL << 40, "TiB"}, {1LL << 30, "GiB"}, {1LL << 20, "MiB"}, {1LL << 10, "KiB"}};
    for (const auto& [factor, name] : units) {
        if (bytes >= factor && bytes % factor == 0)
            return fmt::format("{}{}", bytes / factor, name);
    }
    return fmt::format("{}", bytes);
}

std::string duration_text(std::int64_t milliseconds) {
    if (milliseconds % 1000 != 0) return fmt::format("{}ms", milliseconds);
    const std::int64_t seconds = milliseconds / 1000;
    if (seconds >= 86400 && seconds % 86400 == 0) return fmt::format("{}d", seconds / 86400);
    return fmt::format("{}s", seconds);
}

std::string choices_text(const Row& row) {
    std::string text;
    for (std::size_t i = 0; i < row.choices.size(); ++i) {
        if (i > 0) text += i + 1 == row.choices.size() ? " or " : ", ";
        text += fmt::format("\"{}\"", row.choices[i]);
    }
    return text;
}

struct Split {
    string_view section;  // "share.*.backend"
    string_view key;
};
Split split(string_view path) {
    const std::size_t dot = path.rfind('.');
    return {path.substr(0, dot), path.substr(dot + 1)};
}

std::string section_name(string_view section) {
    std::string name(section);
    if (const auto star = name.find('*'); star != std::string::npos) name.replace(star, 1, "NAME");
    return name;
}

// man(7) takes a leading dot or quote as a request and a bare '-' as a hyphen.
std::string roff(string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    if (!out.empty() && (out.front() == '.' || out.front() == '\'')) out.insert(0, "\\&");
    return out;
}

// For rows without a default: what a value, and the name of a free key, look like.
string_view sample_of(const Row& row) {
    if (row.path == "share.*.path") return "\"/srv/data\"";
    switch (row.type) {
        case Type::choice:
            return "\"debug\"";
        case Type::integer:
            return "10000";
        case Type::boolean:
            return "true";
        default:
            return "\"value\"";
    }
}
string_view sample_name(const Row& row) {
    if (row.path.starts_with("interface.")) return "eth0";
    return row.type == Type::choice ? "engine" : "option";
}

}  // namespace

std::string describe_type(const Row& row) {
    switch (row.type) {
        case Type::boolean:
            return "true or false";
        case Type::integer:
            return fmt::format("an integer, {} to {}", row.minimum, row.maximum);
        case Type::mode:
            return "permission bits, such as 0o750 or \"0750\"";
        case Type::size:
            return fmt::format("a size, such as 65536 or \"8MiB\", {} to {}",
                               size_text(row.minimum), size_text(row.maximum));
        case Type::duration:
            return fmt::format("a duration, such as 30 (seconds), \"30s\" or \"5min\", {} to {}",
                               duration_text(row.minimum), duration_text(row.maximum));
        case Type::text:
            return fmt::format("a string of at most {} characters", row.maximum);
        case Type::path:
            return "an absolute path";
        case Type::choice:
            return choices_text(row);
        case Type::text_list:
            return "an array of strings";
        case Type::choice_list:
            return fmt::format("an array of {}", choices_text(row));
        case Type::scalar:
            return "a string, number or boolean";
    }
    return "";
}

std::string example_configuration() {
    std::string out =
        "# smb3d's configuration: every key with its default.  Generated from the server's own "
        "table by\n"
        "# smb3d --print-default-config; the same text explains each key in smb3d.toml(5).\n"
        "#\n"
        "# This is all that a server needs (after smb3dctl user add NAME):\n"
        "#\n"
        "#     [share.data]\n"
        "#     path = \"/srv/data\"\n"
        "#\n"
        "# Files named smb3d.toml.d/*.toml beside this one are read after it, in the order of "
        "their\n"
        "# names; a key in a later file replaces the earlier one.  Check with smb3d "
        "--check-config,\n"
        "# apply with smb3dctl reload; keys marked (restart) need a restart.\n";
    string_view section;
    for (const Row& row : rows()) {
        const auto [where, key] = split(row.path);
        const bool in_share = where.starts_with("share.");
        if (where != section) {
            section = where;
            out += fmt::format("\n{}[{}]\n", in_share ? "# " : "", section_name(section));
        }
        out += "\n" +
               wrapped(fmt::format("{}{}", row.doc, row.reloadable ? "" : "  (restart)"), "# ", 96);
        const string_view example = row.fallback.empty() ? sample_of(row) : row.fallback;
        out += fmt::format("# {} = {}\n", key == "*" ? sample_name(row) : key, example);
    }
    return out;
}

std::string reference_manual() {
    std::string out;
    string_view section;
    for (const Row& row : rows()) {
        const auto [where, key] = split(row.path);
        if (where != section) {
            section = where;
            out += fmt::format(".SS [{}]\n", roff(section_name(section)));
        }
        out += fmt::format(".TP\n.B {}\n", key == "*" ? "NAME" : roff(key));
        out += wrapped(roff(row.doc), "", 96);
        out += ".br\n" + wrapped(roff("Value: " + describe_type(row) + "."), "", 96);
        if (!row.fallback.empty()) {
            out += ".br\n" + wrapped(roff(fmt::format("Default: {}", row.fallback)), "", 96);
        }
        if (!row.reloadable) out += ".br\nA change takes effect when the server is restarted.\n";
    }
    return out;
}

}  // namespace smb3d::daemon
