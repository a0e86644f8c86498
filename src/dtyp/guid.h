// Guid: 16 bytes as on the wire.
//
// Spec: [MS-DTYP] 2.3.4.2 (wire form), 2.3.4.3 (text form).
// Thread: a value.
// Errors: parse: nullopt if the text is not a GUID.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "smb3d/buffer.h"

namespace smb3d::dtyp {

struct Guid {
    static constexpr std::size_t size = 16;

    std::array<std::byte, size> bytes{};  // Data1, Data2, Data3 little-endian, then Data4

    static Guid from_bytes(std::span<const std::byte, size> raw) {
        Guid guid;
        std::memcpy(guid.bytes.data(), raw.data(), size);
        return guid;
    }
    // A random one ([RFC 4122] version 4), from the kernel's generator.
    static Guid random();
    // "4b324fc8-1670-01d3-1278-5a47bf6ee188", with or without braces, either case.
    static std::optional<Guid> parse(std::string_view text);

    std::string text() const;  // lower case, no braces
    bool is_null() const { return *this == Guid{}; }

    friend bool operator==(const Guid&, const Guid&) = default;
    friend auto operator<=>(const Guid&, const Guid&) = default;
};

}  // namespace smb3d::dtyp

template <>
struct std::hash<smb3d::dtyp::Guid> {
    std::size_t operator()(const smb3d::dtyp::Guid& guid) const noexcept {
        std::uint64_t halves[2];
        std::memcpy(halves, guid.bytes.data(), sizeof halves);
        return static_cast<std::size_t>((halves[0] ^ (halves[1] >> 32 | halves[1] << 32)) *
                                        0x9E3779B97F4A7C15ULL);
    }
};
