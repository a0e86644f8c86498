// Bytes as they are written in the specification's examples.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "smb3d/buffer.h"

namespace smb3d::wire::test {

// Spaces are ignored.
inline std::vector<std::byte> hex(std::string_view text) {
    std::vector<std::byte> out;
    int high = -1;
    for (const char c : text) {
        if (c == ' ' || c == '\n') continue;
        const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if (high < 0) {
            high = digit;
        } else {
            out.push_back(static_cast<std::byte>(high * 16 + digit));
            high = -1;
        }
    }
    return out;
}

inline std::string to_hex(Bytes bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (const std::byte byte : bytes) {
        out += digits[std::to_integer<unsigned>(byte) >> 4];
        out += digits[std::to_integer<unsigned>(byte) & 15];
    }
    return out;
}

// ASCII as UTF-16LE.
inline std::vector<std::byte> utf16(std::string_view text) {
    std::vector<std::byte> out;
    for (const char c : text) {
        out.push_back(static_cast<std::byte>(c));
        out.push_back(std::byte{0});
    }
    return out;
}

// A body behind 64 bytes of header.
inline std::vector<std::byte> behind_header(std::string_view body) {
    std::vector<std::byte> out(64);
    const std::vector<std::byte> bytes = hex(body);
    out.insert(out.end(), bytes.begin(), bytes.end());
    return out;
}

}  // namespace smb3d::wire::test
