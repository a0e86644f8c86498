// Input of a fuzz target as the project's Bytes.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <span>

#include "smb3d/buffer.h"

namespace smb3d::fuzz {

inline Bytes bytes_of(const std::uint8_t* data, std::size_t size) {
    return std::as_bytes(std::span(data, size));
}

// A broken property is a crash, in every build type.
inline void require(bool holds) {
    if (!holds) std::abort();
}

// Reads every byte, so that a view outside its message is seen.
inline void touch(Bytes bytes) {
    volatile std::byte sink{};
    for (const std::byte byte : bytes) sink = byte;
    (void)sink;
}

}  // namespace smb3d::fuzz
