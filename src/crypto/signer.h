// Signer: one signing key and its algorithm.
//
// Purpose: signs and verifies a message that lies in several buffers, without copying it and
// without allocating. Spec: [MS-SMB2] 3.1.4.1 (signing), 3.1.5.1 (verifying), 2.2.3.1.7
// (SigningAlgorithms). Thread: any number at once (multichannel shares a session's signer);
// contexts are taken from a small pool. Lifetime: shared_ptr<const Signer>; the key is wiped with
// the last one. Errors: sign: INVALID_PARAMETER if the first part does not hold the whole header,
// INTERNAL_ERROR if the library
//   fails.  verify: ACCESS_DENIED if the signature is wrong.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "smb3d/buffer.h"
#include "smb3d/status.h"

namespace smb3d::crypto {

namespace detail {
struct CmacKey;
}

// [MS-SMB2] 2.2.3.1.7.
enum class SigningAlgorithm : std::uint16_t {
    hmac_sha256 = 0,
    aes_128_cmac = 1,
    aes_128_gmac = 2,
};
std::string_view name_of(SigningAlgorithm algorithm);  // "AES-128-CMAC"

using Signature = std::array<std::byte, 16>;

// What AES-GMAC makes its nonce of ([MS-SMB2] 3.1.4.1); the other algorithms do not look at it.
struct SigningFields {
    std::uint64_t message_id{0};
    bool from_server{false};
    bool cancel{false};  // an SMB2 CANCEL request
};

class Signer {
  public:
    // [MS-SMB2] 2.2.1: the header, and its Signature, which counts as zero whatever it holds.
    static constexpr std::size_t header_size = 64;
    static constexpr std::size_t signature_offset = 48;

    virtual ~Signer() = default;
    virtual SigningAlgorithm algorithm() const = 0;
    // Not null: several messages at once cost less than one by one; see batch.h.
    virtual const detail::CmacKey* batch_key() const { return nullptr; }

    // `message`: the whole message (of a compound: this part with its padding), the header within
    // its first part.
    virtual Result<Signature> sign(std::span<const Bytes> message,
                                   const SigningFields& fields) const = 0;
    Result<Signature> sign(std::span<const Buffer> message, const SigningFields& fields) const;
    Result<Signature> sign(Bytes message, const SigningFields& fields) const {
        return sign(std::span<const Bytes>(&message, 1), fields);
    }
    // Compares with the Signature inside `message`, in constant time.
    Result<void> verify(std::span<const Bytes> message, const SigningFields& fields) const;
    Result<void> verify(Bytes message, const SigningFields& fields) const {
        return verify(std::span<const Bytes>(&message, 1), fields);
    }
};

}  // namespace smb3d::crypto
