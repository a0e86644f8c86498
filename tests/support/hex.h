// Hexadecimal text <-> bytes, for test vectors.  Anything that is not a hex digit is skipped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "smb3d/buffer.h"

namespace smb3d::test {

inline std::vector<std::byte> unhex(std::string_view text) {
    std::vector<std::byte> out;
    int high = -1;
    for (const char c : text) {
        int digit = -1;
        if (c >= '0' && c <= '9') digit = c - '0';
        if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
        } else {
            out.push_back(static_cast<std::byte>(high * 16 + digit));
            high = -1;
        }
    }
    return out;
}

inline std::string hex(Bytes bytes) {
    std::string out;
    for (const std::byte b : bytes) {
        out.push_back("0123456789abcdef"[static_cast<unsigned>(b) >> 4]);
        out.push_back("0123456789abcdef"[static_cast<unsigned>(b) & 15]);
    }
    return out;
}

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace smb3d::test
