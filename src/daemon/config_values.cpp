#include "daemon/config_values.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>

#include <fmt/core.h>

#include "base/utf16.h"

namespace smb3d::daemon {

namespace {

using std::string_view;
using Kind = TomlNode::Kind;
using Problems = std::vector<TomlProblem>;

constexpr std::size_t max_file = 1U << 20;

struct Unit {
    string_view name;
    std::int64_t factor;
};
constexpr Unit size_units[] = {{"", 1},
                               {"B", 1},
                               {"KiB", 1LL << 10},
                               {"MiB", 1LL << 20},
                               {"GiB", 1LL << 30},
                               {"TiB", 1LL << 40},
                               {"kB", 1000},
                               {"MB", 1000000},
                               {"GB", 1000000000}};
constexpr Unit time_units[] = {{"", 1000},     {"ms", 1},      {"s", 1000},
                               {"min", 60000}, {"h", 3600000}, {"d", 86400000}};

std::int64_t with_unit(string_view text, std::span<const Unit> units) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number < 0) return -1;
    string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    while (name.starts_with(' ')) name.remove_prefix(1);
    for (const Unit& unit : units) {
        if (unit.name != name) continue;
        if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return -1;
        return number * unit.factor;
    }
    return -1;
}

std::int64_t parse_mode(string_view text) {
    std::int64_t number = 0;
    if (text.starts_with("0o")) text.remove_prefix(2);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 8);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty() ? number : -1;
}

std::unexpected<Problems> wrong(const TomlNode& node, std::string message) {
    return std::unexpected(Problems{{node.place, std::move(message)}});
}
std::unexpected<Problems> wrong_type(const Row& row, const TomlNode& node) {
    return wrong(node, fmt::format("must be {}, not {}", describe_type(row), kind_name(node.kind)));
}

std::expected<Value, Problems> check_number(const Row& row, const TomlNode& node) {
    Value value;
    if (node.kind == Kind::integer) {
        value.number = node.number;
        if (row.type == Type::duration) {
            const bool fits = node.number >= 0 && node.number <= row.maximum / 1000;
            value.number = fits ? node.number * 1000 : -1;
        }
    } else if (node.kind == Kind::text && row.type != Type::integer) {
        value.number = row.type == Type::size       ? parse_size(node.text)
                       : row.type == Type::duration ? parse_duration(node.text)
                                                    : parse_mode(node.text);
    } else {
        return wrong_type(row, node);
    }
    if (value.number < row.minimum || value.number > row.maximum) {
        return wrong(node, fmt::format("must be {}", describe_type(row)));
    }
    return value;
}

bool plain_text(string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::expected<Value, Problems> check_choice(const Row& row, const TomlNode& node) {
    if (node.kind != Kind::text) return wrong_type(row, node);
    if (std::find(row.choices.begin(), row.choices.end(), node.text) == row.choices.end()) {
        const string_view near = nearest(node.text, row.choices);
        return wrong(node,
                     fmt::format("\"{}\" is not {}{}", node.text, describe_type(row),
                                 near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
    }
    Value value;
    value.text = node.text;
    return value;
}

std::expected<Value, Problems> check_text(const Row& row, const TomlNode& node) {
    if (node.kind != Kind::text) return wrong_type(row, node);
    Value value;
    value.text = node.text;
    if (!plain_text(value.text)) return wrong(node, "must not hold control characters");
    if (row.type == Type::path) {
        if (!value.text.starts_with('/')) {
            return wrong(node, fmt::format("\"{}\" is not an absolute path", value.text));
        }
        while (value.text.size() > 1 && value.text.ends_with('/')) value.text.pop_back();
        return value;
    }
    const auto length = static_cast<std::int64_t>(utf16_length(value.text));
    if (length < row.minimum || length > row.maximum) {
        return wrong(node, fmt::format("must be {}{}", describe_type(row),
                                       row.minimum > 0 ? ", and not empty" : ""));
    }
    return value;
}

std::expected<Value, Problems> check_list(const Row& row, const TomlNode& node) {
    if (node.kind != Kind::array) return wrong_type(row, node);
    Value value;
    Problems problems;
    for (const TomlNode& item : node.items) {
        if (row.type == Type::choice_list) {
            auto one = check_choice(row, item);
            if (!one) {
                problems.insert(problems.end(), one.error().begin(), one.error().end());
                continue;
            }
        } else if (item.kind != Kind::text || item.text.empty() || !plain_text(item.text)) {
            problems.push_back({item.place, "every entry must be a string that is not empty"});
            continue;
        }
        if (std::find(value.list.begin(), value.list.end(), item.text) != value.list.end()) {
            problems.push_back({item.place, fmt::format("\"{}\" is there twice", item.text)});
            continue;
        }
        value.list.push_back(item.text);
    }
    const auto count = static_cast<std::int64_t>(node.items.size());
    if (count < row.minimum || count > row.maximum) {
        problems.push_back(
            {node.place, fmt::format("must have {} to {} entries", row.minimum, row.maximum)});
    }
    if (!problems.empty()) return std::unexpected(std::move(problems));
    return value;
}

std::expected<Value, Problems> check_scalar(const Row& row, const TomlNode& node) {
    Value value;
    switch (node.kind) {
        case Kind::text:
        case Kind::real:
        case Kind::date:
            value.text = node.text;
            return value;
        case Kind::integer:
            value.text = fmt::format("{}", node.number);
            return value;
        case Kind::boolean:
            value.text = node.flag ? "true" : "false";
            return value;
        case Kind::array:
        case Kind::table:
            break;
    }
    return wrong_type(row, node);
}

std::string quoted(string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

}  // namespace

std::int64_t parse_size(string_view text) { return with_unit(text, size_units); }
std::int64_t parse_duration(string_view text) { return with_unit(text, time_units); }

std::expected<Value, Problems> check_value(const Row& row, const TomlNode& node) {
    switch (row.type) {
        case Type::boolean: {
            if (node.kind != Kind::boolean) return wrong_type(row, node);
            Value value;
            value.flag = node.flag;
            return value;
        }
        case Type::integer:
        case Type::mode:
        case Type::size:
        case Type::duration:
            return check_number(row, node);
        case Type::text:
        case Type::path:
            return check_text(row, node);
        case Type::choice:
            return check_choice(row, node);
        case Type::text_list:
        case Type::choice_list:
            return check_list(row, node);
        case Type::scalar:
            return check_scalar(row, node);
    }
    return wrong_type(row, node);
}

Value default_value(const Row& row) {
    if (row.fallback.empty()) return {};
    const auto tree = read_toml(fmt::format("value = {}", row.fallback), "built-in defaults");
    assert(tree && !tree->entries.empty());
    auto value = check_value(row, tree->entries.front().node);
    assert(value);  // a unit test parses every row's default
    return std::move(*value);
}

std::string show_value(const Row& row, const Value& value) {
    switch (row.type) {
        case Type::boolean:
            return value.flag ? "true" : "false";
        case Type::integer:
        case Type::size:
            return fmt::format("{}", value.number);
        case Type::mode:
            return fmt::format("\"{:04o}\"", value.number);
        case Type::duration:
            return value.number % 1000 == 0 ? fmt::format("\"{}s\"", value.number / 1000)
                                            : fmt::format("\"{}ms\"", value.number);
        case Type::text:
        case Type::path:
        case Type::choice:
        case Type::scalar:
            return quoted(value.text);
        case Type::text_list:
        case Type::choice_list:
            break;
    }
    std::string out = "[";
    for (const std::string& item : value.list) {
        if (out.size() > 1) out += ", ";
        out += quoted(item);
    }
    return out + "]";
}

std::string listen_problem(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos) return "must be \"HOST:PORT\", \"[IPv6]:PORT\" or \":PORT\"";
    const string_view digits = string_view(address).substr(colon + 1);
    unsigned port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > 65535) {
        return "the port must be a number from 1 to 65535";
    }
    const std::string host = address.substr(0, colon);
    if (host.empty()) return "";
    std::array<unsigned char, 16> bytes{};
    if (host.front() == '[') {
        std::string inner = host.substr(1, host.size() - 2);
        if (!host.ends_with(']')) return "the bracket is not closed";
        inner = inner.substr(0, inner.find('%'));  // a zone: "fe80::1%eth0"
        if (::inet_pton(AF_INET6, inner.c_str(), bytes.data()) == 1) return "";
        return "the part in brackets must be an IPv6 address";
    }
    if (host.find(':') != std::string::npos) return "an IPv6 address must be in brackets";
    const bool numeric = host.find_first_not_of("0123456789.") == std::string::npos;
    if (numeric && ::inet_pton(AF_INET, host.c_str(), bytes.data()) != 1) {
        return "the host is not an IPv4 address";
    }
    constexpr const char* name_characters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    if (host.find_first_not_of(name_characters) != std::string::npos) {
        return "the host must be a name, an IPv4 address, or an IPv6 address in brackets";
    }
    return "";
}

std::expected<std::string, std::string> read_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return std::unexpected(std::string(std::strerror(errno)));
    std::string text;
    std::array<char, 16384> part;
    ::ssize_t count = 0;
    while ((count = ::read(fd, part.data(), part.size())) > 0 && text.size() <= max_file) {
        text.append(part.data(), static_cast<std::size_t>(count));
    }
    const int error = errno;
    ::close(fd);
    if (count < 0) return std::unexpected(std::string(std::strerror(error)));
    if (text.size() > max_file) return std::unexpected(std::string("is longer than 1 MiB"));
    return text;
}

}  // namespace smb3d::daemon
