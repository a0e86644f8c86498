// Aead: one encryption key and its cipher.
//
// Purpose: seals and opens a message in place behind an SMB2 TRANSFORM_HEADER; the pieces need not
// be contiguous. Spec: [MS-SMB2] 3.1.4.3 (encrypting), 2.2.41 (TRANSFORM_HEADER), 2.2.3.1.2
// (Ciphers). Thread: any number at once. Lifetime: shared_ptr<const Aead>; the key is wiped with
// the last one. Errors: open: ACCESS_DENIED if the tag is wrong; the message's bytes are then
// undefined and must not be looked at.
//   INVALID_PARAMETER for an empty message, INTERNAL_ERROR if the library fails.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "smb3d/buffer.h"
#include "smb3d/status.h"

namespace smb3d::crypto {

namespace detail {
struct CcmKey;
}

// [MS-SMB2] 2.2.3.1.2.
enum class Cipher : std::uint16_t {
    none = 0,
    aes_128_ccm = 1,
    aes_128_gcm = 2,
    aes_256_ccm = 3,
    aes_256_gcm = 4,
};
std::string_view name_of(Cipher cipher);  // "AES-128-GCM"
constexpr std::size_t key_size(Cipher cipher) {
    return cipher == Cipher::aes_256_ccm || cipher == Cipher::aes_256_gcm ? 32 : 16;
}
constexpr bool is_ccm(Cipher cipher) {
    return cipher == Cipher::aes_128_ccm || cipher == Cipher::aes_256_ccm;
}
constexpr std::size_t nonce_size(Cipher cipher) { return is_ccm(cipher) ? 11 : 12; }

class Aead {
  public:
    // [MS-SMB2] 2.2.41: ProtocolId, Signature, then what is authenticated: Nonce,
    // OriginalMessageSize, Flags, SessionId.
    static constexpr std::size_t transform_size = 52;
    static constexpr std::size_t tag_offset = 4;
    static constexpr std::size_t tag_size = 16;
    static constexpr std::size_t nonce_offset = 20;
    static constexpr std::size_t nonce_field_size = 16;

    virtual ~Aead() = default;
    virtual Cipher cipher() const = 0;

    // Encrypts `message` in place; fills in Nonce (never twice the same with this object) and
    // Signature of `transform`, whose other fields must be there already.
    Result<void> seal(std::span<std::byte, transform_size> transform,
                      std::span<const MutableBytes> message) const;
    Result<void> seal(std::span<std::byte, transform_size> transform, MutableBytes message) const {
        return seal(transform, std::span<const MutableBytes>(&message, 1));
    }
    Result<void> seal(std::span<std::byte, transform_size> transform,
                      std::span<const Buffer> message) const;
    // The same with the Nonce that `transform` holds: for tests and whoever counts nonces himself.
    virtual Result<void> seal_with_nonce(std::span<std::byte, transform_size> transform,
                                         std::span<const MutableBytes> message) const = 0;

    // Fills in a Nonce that this object has not used yet.
    void choose_nonce(std::span<std::byte, transform_size> transform) const;

    // Not null: several messages at once cost less than one by one; see batch.h.
    virtual const detail::CcmKey* batch_key() const { return nullptr; }

    // Verifies and decrypts `message` in place.
    virtual Result<void> open(std::span<const std::byte, transform_size> transform,
                              std::span<const MutableBytes> message) const = 0;
    Result<void> open(std::span<const std::byte, transform_size> transform,
                      MutableBytes message) const {
        return open(transform, std::span<const MutableBytes>(&message, 1));
    }

  private:
    mutable std::atomic<std::uint64_t> sealed_{0};
};

}  // namespace smb3d::crypto
