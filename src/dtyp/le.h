// Little-endian numbers in memory, for this folder's parsers.  The caller has checked that the
// bytes are there.
//
// Thread: any (pure functions).
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace smb3d::dtyp::le {

static_assert(std::endian::native == std::endian::little);

template <class T>
T load(const std::byte* from) {
    static_assert(std::is_unsigned_v<T>);
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class T>
void store(std::byte* to, std::type_identity_t<T> value) {
    static_assert(std::is_unsigned_v<T>);
    std::memcpy(to, &value, sizeof value);
}

}  // namespace smb3d::dtyp::le
