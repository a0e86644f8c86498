#include "base/utf16.h"

#include <array>
#include <bit>
#include <cstring>

#include "base/upcase_table.h"

namespace smb3d {

// The wire is little-endian, and so is every machine this runs on: units are moved with memcpy.
static_assert(std::endian::native == std::endian::little);

namespace {

// ---- case tables: 256 pages of 256 units, most of them the empty page 0 ----

struct CaseTable {
    static constexpr std::size_t max_pages = 24;
    std::array<std::uint8_t, 256> page{};
    std::array<std::array<std::uint16_t, 256>, max_pages> delta{};  // added modulo 2^16
    std::size_t pages{1};

    constexpr void map(unsigned from, unsigned to) {
        const unsigned high = from >> 8;
        if (page[high] == 0) page[high] = static_cast<std::uint8_t>(pages++);
        delta[page[high]][from & 0xFF] = static_cast<std::uint16_t>(to - from);
    }
    constexpr char16_t operator()(char16_t unit) const {
        return static_cast<char16_t>(unit + delta[page[unit >> 8]][unit & 0xFF]);
    }
};

constexpr char16_t final_sigma = 0x03C2;

constexpr CaseTable make_table(bool up) {
    CaseTable table;
    for (const detail::CaseRange& range : detail::case_ranges) {
        for (unsigned unit = range.first; unit <= range.last; unit += range.step) {
            const auto upper = static_cast<unsigned>(static_cast<std::int32_t>(unit) + range.delta);
            if (up) {
                table.map(unit, upper);
            } else if (unit != final_sigma) {  // capital sigma goes back to the ordinary small one
                table.map(upper, unit);
            }
        }
    }
    return table;
}

constexpr CaseTable up_table = make_table(true);
constexpr CaseTable down_table = make_table(false);

constexpr bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
constexpr char ascii_upcase(char c) {
    return (c >= 'a' && c <= 'z') ? static_cast<char>(c - ('a' - 'A')) : c;
}
constexpr bool is_high(std::uint32_t code) { return (code & 0xFFFFFC00U) == 0xD800; }
constexpr bool is_low(std::uint32_t code) { return (code & 0xFFFFFC00U) == 0xDC00; }

// The number of ASCII bytes that `text` begins with, eight at a time.
std::size_t ascii_prefix(std::string_view text) {
    std::size_t at = 0;
    for (; text.size() - at >= 8; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + at, 8);
        if ((word & 0x8080808080808080U) != 0) break;
    }
    while (at < text.size() && is_ascii(text[at])) ++at;
    return at;
}

// ---- one code point of (W)UTF-8 ----

struct Decoded {
    std::uint32_t code{0};
    unsigned size{0};  // 0: malformed
};

// [RFC 3629] 4, table 3-7 of Unicode: shortest form only, at most U+10FFFF; surrogates are let
// through (WTF-8).
Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t at) -> std::uint32_t {
        return static_cast<unsigned char>(text[at]);
    };
    const auto follows = [&](std::size_t at) {
        return at < text.size() && (byte(at) & 0xC0) == 0x80;
    };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    if (lead < 0xC2) return {};
    if (lead < 0xE0) {
        if (!follows(1)) return {};
        return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
    }
    if (lead < 0xF0) {
        if (!follows(1) || !follows(2)) return {};
        const std::uint32_t code = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
        if (code < 0x800) return {};
        return {code, 3};
    }
    if (lead > 0xF4 || !follows(1) || !follows(2) || !follows(3)) return {};
    const std::uint32_t code =
        (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    if (code < 0x10000 || code > 0x10FFFF) return {};
    return {code, 4};
}

// Writes `code` at `out`, which has room for four bytes; the number written.
unsigned encode(std::uint32_t code, char* out) {
    const auto put = [&](unsigned at, std::uint32_t value) { out[at] = static_cast<char>(value); };
    if (code < 0x80) {
        put(0, code);
        return 1;
    }
    if (code < 0x800) {
        put(0, 0xC0 | code >> 6);
        put(1, 0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        put(0, 0xE0 | code >> 12);
        put(1, 0x80 | (code >> 6 & 0x3F));
        put(2, 0x80 | (code & 0x3F));
        return 3;
    }
    put(0, 0xF0 | code >> 18);
    put(1, 0x80 | (code >> 12 & 0x3F));
    put(2, 0x80 | (code >> 6 & 0x3F));
    put(3, 0x80 | (code & 0x3F));
    return 4;
}

char16_t load_unit(const char* from) {
    char16_t unit = 0;
    std::memcpy(&unit, from, 2);
    return unit;
}

// `from` need not be aligned.
std::string units_to_utf8(const char* from, std::size_t units) {
    std::string out(units, '\0');
    std::size_t at = 0;
    for (; units - at >= 4; at += 4) {
        std::uint64_t word = 0;
        std::memcpy(&word, from + at * 2, 8);
        if ((word & 0xFF80FF80FF80FF80U) != 0) break;
        for (unsigned i = 0; i < 4; ++i) out[at + i] = static_cast<char>(word >> (16 * i));
    }
    for (; at < units; ++at) {
        const char16_t unit = load_unit(from + at * 2);
        if (unit >= 0x80) break;
        out[at] = static_cast<char>(unit);
    }
    if (at == units) return out;

    out.resize(at + (units - at) * 3);  // a unit takes three bytes at most, a pair four
    char* to = out.data() + at;
    while (at < units) {
        std::uint32_t code = load_unit(from + at++ * 2);
        if (is_high(code) && at < units) {
            const std::uint32_t low = load_unit(from + at * 2);
            if (is_low(low)) {
                code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF);
                ++at;
            }
        }
        to += encode(code, to);
    }
    out.resize(static_cast<std::size_t>(to - out.data()));
    return out;
}

constexpr std::uint32_t malformed_base = 0x110000;

// The next code point in upper case, or a value of its own for a malformed byte.
std::uint32_t next_folded(std::string_view& text) {
    const Decoded next = decode(text);
    if (next.size == 0) {
        const std::uint32_t value = malformed_base + static_cast<unsigned char>(text[0]);
        text.remove_prefix(1);
        return value;
    }
    text.remove_prefix(next.size);
    return next.code < 0x10000 ? up_table(static_cast<char16_t>(next.code)) : next.code;
}

}  // namespace

std::optional<std::string> utf16le_to_utf8(Bytes bytes) {
    if (bytes.size() % 2 != 0) return std::nullopt;
    return units_to_utf8(reinterpret_cast<const char*>(bytes.data()), bytes.size() / 2);
}

std::string utf16_to_utf8(std::u16string_view text) {
    return units_to_utf8(reinterpret_cast<const char*>(text.data()), text.size());
}

std::optional<std::u16string> utf8_to_utf16(std::string_view text) {
    std::u16string out(text.size(), u'\0');  // never more units than bytes
    std::size_t at = ascii_prefix(text);
    for (std::size_t i = 0; i < at; ++i) out[i] = static_cast<unsigned char>(text[i]);
    std::size_t to = at;
    bool after_high = false;
    while (at < text.size()) {
        const Decoded next = decode(text.substr(at));
        if (next.size == 0) return std::nullopt;
        // A pair in two three-byte forms is not WTF-8: two byte strings would be the same name.
        if (after_high && is_low(next.code)) return std::nullopt;
        after_high = is_high(next.code);
        at += next.size;
        if (next.code < 0x10000) {
            out[to++] = static_cast<char16_t>(next.code);
        } else {
            out[to++] = static_cast<char16_t>(0xD800 + ((next.code - 0x10000) >> 10));
            out[to++] = static_cast<char16_t>(0xDC00 + (next.code & 0x3FF));
        }
    }
    out.resize(to);
    return out;
}

std::vector<std::byte> utf16le_bytes(std::u16string_view text) {
    std::vector<std::byte> out(text.size() * 2);
    if (!text.empty()) std::memcpy(out.data(), text.data(), out.size());
    return out;
}

std::size_t utf16_length(std::string_view text) {
    std::size_t length = ascii_prefix(text);
    text.remove_prefix(length);
    while (!text.empty()) {
        const Decoded next = decode(text);
        text.remove_prefix(next.size == 0 ? 1 : next.size);
        length += next.size == 4 ? 2 : 1;
    }
    return length;
}

char16_t upcase(char16_t unit) { return up_table(unit); }
char16_t downcase(char16_t unit) { return down_table(unit); }

std::u16string upcase(std::u16string_view text) {
    std::u16string out(text);
    for (char16_t& unit : out) unit = up_table(unit);
    return out;
}

std::string fold_name(std::string_view name) {
    const std::size_t prefix = ascii_prefix(name);
    std::string out(name.substr(0, prefix));
    for (char& c : out) c = ascii_upcase(c);
    if (prefix == name.size()) return out;

    std::string_view rest = name.substr(prefix);
    out.reserve(name.size() + rest.size() / 2 + 4);
    while (!rest.empty()) {
        const std::uint32_t code = next_folded(rest);
        if (code >= malformed_base) {
            out.push_back(static_cast<char>(code - malformed_base));
            continue;
        }
        char buffer[4];
        out.append(buffer, encode(code, buffer));
    }
    return out;
}

bool equal_folded(std::string_view a, std::string_view b) {
    while (!a.empty() && !b.empty()) {
        if (is_ascii(a[0]) && is_ascii(b[0])) {
            if (a[0] != b[0] && ascii_upcase(a[0]) != ascii_upcase(b[0])) return false;
            a.remove_prefix(1);
            b.remove_prefix(1);
        } else if (next_folded(a) != next_folded(b)) {
            return false;
        }
    }
    return a.empty() && b.empty();
}

}  // namespace smb3d
