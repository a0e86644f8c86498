#include "vfs_posix/name_map.h"

#include <array>
#include <cstdint>

namespace smb3d::vfs_posix {
namespace {

constexpr std::string_view forbidden = "\"*:<>?\\|";  // U+F020 .. U+F027, in this order
constexpr char32_t private_base = 0xF000;
constexpr char32_t final_space = 0xF028;
constexpr char32_t final_dot = 0xF029;
constexpr char32_t escape_base = 0xDC00;  // + a byte >= 0x80

struct Decoded {
    char32_t code{0};
    std::size_t length{0};  // 0: not well-formed
};

bool is_surrogate(char32_t code) { return code >= 0xD800 && code <= 0xDFFF; }
bool is_high_surrogate(char32_t code) { return code >= 0xD800 && code <= 0xDBFF; }
bool is_escape(char32_t code) { return code >= escape_base + 0x80 && code <= escape_base + 0xFF; }

// One code point of generalised UTF-8: surrogates are taken, overlong forms are not.
Decoded decode(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = at(0);
    if (lead < 0x80) return {lead, 1};
    std::size_t length = 0;
    char32_t code = 0;
    char32_t least = 0;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2, code = lead & 0x1FU, least = 0x80;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3, code = lead & 0x0FU, least = 0x800;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4, code = lead & 0x07U, least = 0x10000;
    } else {
        return {};
    }
    if (text.size() < length) return {};
    for (std::size_t i = 1; i < length; ++i) {
        if ((at(i) & 0xC0U) != 0x80) return {};
        code = (code << 6U) | (at(i) & 0x3FU);
    }
    if (code < least || code > 0x10FFFF) return {};
    return {code, length};
}

void append_three(std::string& out, char32_t code) {
    out.push_back(static_cast<char>(0xE0U | (code >> 12U)));
    out.push_back(static_cast<char>(0x80U | ((code >> 6U) & 0x3FU)));
    out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
}

// Whether a surrogate that stands on disk as three bytes can be shown as it is.  One of the range
// that escapes bytes cannot; neither can a high one that what follows would complete to a pair.
bool shown_as_is(char32_t code, std::string_view rest) {
    if (is_escape(code)) return false;
    if (!is_high_surrogate(code) || rest.empty()) return true;
    const Decoded next = decode(rest);
    return next.length != 0 && (!is_surrogate(next.code) || is_high_surrogate(next.code));
}

// The mapped form of one ASCII byte, or 0.
char32_t private_form(char byte, bool last) {
    const auto value = static_cast<unsigned char>(byte);
    if (value < 0x20) return private_base + value;
    if (last && byte == ' ') return final_space;
    if (last && byte == '.') return final_dot;
    const std::size_t index = forbidden.find(byte);
    return index == std::string_view::npos ? 0 : private_base + 0x20 + static_cast<char32_t>(index);
}

// The byte that a private-use code point stands for, or 0.
char byte_of_private(char32_t code, bool last) {
    if (code > private_base && code < private_base + 0x20) {
        return static_cast<char>(code - private_base);
    }
    if (code >= private_base + 0x20 && code < private_base + 0x28) {
        return forbidden[code - private_base - 0x20];
    }
    if (last && code == final_space) return ' ';
    if (last && code == final_dot) return '.';
    return 0;
}

// Calls `one` with each component of `path` and joins the results.
template <class One>
bool each_component(std::string_view path, std::string& out, One one) {
    while (true) {
        const std::size_t end = path.find('/');
        if (!one(path.substr(0, end))) return false;
        if (end == std::string_view::npos) return true;
        out.push_back('/');
        path.remove_prefix(end + 1);
    }
}

}  // namespace

bool maps_to_itself(std::string_view component) {
    if (component.empty() || component.back() == '.' || component.back() == ' ') return false;
    std::string_view rest = component;
    while (!rest.empty()) {
        const auto value = static_cast<unsigned char>(rest[0]);
        if (value < 0x80) {
            if (value < 0x20 || value == '/' || forbidden.find(rest[0]) != forbidden.npos)
                return false;
            rest.remove_prefix(1);
            continue;
        }
        const Decoded one = decode(rest);
        if (one.length == 0 || is_surrogate(one.code) ||
            (one.code > private_base && one.code <= final_dot)) {
            return false;
        }
        rest.remove_prefix(one.length);
    }
    return true;
}

std::optional<std::string> to_disk(std::string_view component) {
    if (maps_to_itself(component)) return std::string(component);
    std::string out;
    out.reserve(component.size());
    bool escapes = false;
    for (std::string_view rest = component; !rest.empty();) {
        const Decoded one = decode(rest);
        if (one.length == 0 || one.code == 0 || one.code == '/') return std::nullopt;
        const bool last = one.length == rest.size();
        if (is_escape(one.code)) {
            out.push_back(static_cast<char>(one.code - escape_base));
            escapes = true;
        } else if (const char byte = byte_of_private(one.code, last); byte != 0) {
            out.push_back(byte);
        } else {
            out.append(rest.substr(0, one.length));
        }
        rest.remove_prefix(one.length);
    }
    if (out.empty() || out == "." || out == "..") return std::nullopt;
    // Escaped bytes next to each other may have become valid UTF-8: a second spelling of another
    // name.
    if (escapes && to_client(out) != component) return std::nullopt;
    return out;
}

std::string to_client(std::string_view name_on_disk) {
    if (maps_to_itself(name_on_disk)) return std::string(name_on_disk);
    std::string out;
    out.reserve(name_on_disk.size() + 8);
    for (std::string_view rest = name_on_disk; !rest.empty();) {
        const Decoded one = decode(rest);
        const std::string_view after = rest.substr(one.length);
        if (one.length == 0) {
            append_three(out, escape_base + static_cast<unsigned char>(rest[0]));
            rest.remove_prefix(1);
            continue;
        }
        const char32_t mapped = one.length == 1 ? private_form(rest[0], after.empty()) : 0;
        if (mapped != 0) {
            append_three(out, mapped);
        } else if (is_surrogate(one.code) && !shown_as_is(one.code, after)) {
            for (const char byte : rest.substr(0, one.length)) {
                append_three(out, escape_base + static_cast<unsigned char>(byte));
            }
        } else {
            out.append(rest.substr(0, one.length));
        }
        rest = after;
    }
    return out;
}

std::optional<std::string> path_to_disk(std::string_view path) {
    std::string out;
    if (path.empty()) return out;
    out.reserve(path.size());
    const bool good = each_component(path, out, [&](std::string_view component) {
        const std::optional<std::string> mapped = to_disk(component);
        if (mapped) out.append(*mapped);
        return mapped.has_value();
    });
    if (!good) return std::nullopt;
    return out;
}

std::string path_to_client(std::string_view path_on_disk) {
    std::string out;
    if (path_on_disk.empty()) return out;
    out.reserve(path_on_disk.size());
    each_component(path_on_disk, out, [&](std::string_view component) {
        out.append(to_client(component));
        return true;
    });
    return out;
}

bool path_maps_to_itself(std::string_view path) {
    if (path.empty()) return true;
    while (true) {
        const std::size_t end = path.find('/');
        if (!maps_to_itself(path.substr(0, end))) return false;
        if (end == std::string_view::npos) return true;
        path.remove_prefix(end + 1);
    }
}

}  // namespace smb3d::vfs_posix
