#include "dtyp/guid.h"

#include <cerrno>
#include <cstdlib>

#include <sys/random.h>

#include <fmt/core.h>

namespace smb3d::dtyp {

namespace {

// [MS-DTYP] 2.3.4.2: the text has Data1..Data3 as numbers, the wire has them little-endian.
constexpr std::size_t text_order[Guid::size] = {3, 2, 1,  0,  5,  4,  7,  6,
                                                8, 9, 10, 11, 12, 13, 14, 15};

constexpr bool hyphen_before(std::size_t index) {
    return index == 4 || index == 6 || index == 8 || index == 10;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

Guid Guid::random() {
    Guid guid;
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = ::getrandom(guid.bytes.data() + done, size - done, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) std::abort();  // a kernel without getrandom: nothing here would be safe
        done += static_cast<std::size_t>(got);
    }
    guid.bytes[7] = (guid.bytes[7] & std::byte{0x0F}) | std::byte{0x40};  // [RFC 4122] 4.4
    guid.bytes[8] = (guid.bytes[8] & std::byte{0x3F}) | std::byte{0x80};
    return guid;
}

std::optional<Guid> Guid::parse(std::string_view text) {
    if (text.size() == 38 && text.front() == '{' && text.back() == '}') {
        text = text.substr(1, 36);
    }
    if (text.size() != 36) return std::nullopt;
    Guid guid;
    std::size_t at = 0;
    for (std::size_t i = 0; i < size; ++i) {
        if (hyphen_before(i) && text[at++] != '-') return std::nullopt;
        const int high = hex_value(text[at]);
        const int low = hex_value(text[at + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        guid.bytes[text_order[i]] = static_cast<std::byte>(high * 16 + low);
        at += 2;
    }
    return guid;
}

std::string Guid::text() const {
    std::string out;
    out.reserve(36);
    for (std::size_t i = 0; i < size; ++i) {
        if (hyphen_before(i)) out.push_back('-');
        out += fmt::format("{:02x}", static_cast<unsigned>(bytes[text_order[i]]));
    }
    return out;
}

}  // namespace smb3d::dtyp
