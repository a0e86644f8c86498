// Random bytes from the kernel.
//
// Thread: any.  Errors: none; a kernel without getrandom(2) ends the process, since nothing here is
// safe without.
#pragma once

#include <array>
#include <cstddef>

#include "smb3d/buffer.h"

namespace smb3d::crypto {

void random_bytes(MutableBytes out);

template <std::size_t size>
std::array<std::byte, size> random_array() {
    std::array<std::byte, size> out;
    random_bytes(out);
    return out;
}

}  // namespace smb3d::crypto
