#include "crypto/aead.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "crypto/parts.h"

namespace smb3d::crypto {

std::string_view name_of(Cipher cipher) {
    switch (cipher) {
        case Cipher::none:
            return "none";
        case Cipher::aes_128_ccm:
            return "AES-128-CCM";
        case Cipher::aes_128_gcm:
            return "AES-128-GCM";
        case Cipher::aes_256_ccm:
            return "AES-256-CCM";
        case Cipher::aes_256_gcm:
            return "AES-256-GCM";
    }
    return "?";
}

void Aead::choose_nonce(std::span<std::byte, transform_size> transform) const {
    // [MS-SMB2] 3.1.4.3: a nonce must not be used twice with one key.  Each direction has a key of
    // its own and this object is the only one that encrypts with it, so counting is enough.
    const std::uint64_t count = sealed_.fetch_add(1, std::memory_order_relaxed);
    const auto nonce = transform.subspan<nonce_offset, nonce_field_size>();
    std::fill(nonce.begin(), nonce.end(), std::byte{0});
    std::memcpy(nonce.data(), &count, sizeof count);
}

Result<void> Aead::seal(std::span<std::byte, transform_size> transform,
                        std::span<const MutableBytes> message) const {
    choose_nonce(transform);
    return seal_with_nonce(transform, message);
}

Result<void> Aead::seal(std::span<std::byte, transform_size> transform,
                        std::span<const Buffer> message) const {
    const detail::Parts<MutableBytes> parts(message);
    return seal(transform, parts.span());
}

}  // namespace smb3d::crypto
