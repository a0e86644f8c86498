#include "crypto/signer.h"

#include "crypto/hash.h"
#include "crypto/parts.h"

namespace smb3d::crypto {

std::string_view name_of(SigningAlgorithm algorithm) {
    switch (algorithm) {
        case SigningAlgorithm::hmac_sha256:
            return "HMAC-SHA256";
        case SigningAlgorithm::aes_128_cmac:
            return "AES-128-CMAC";
        case SigningAlgorithm::aes_128_gmac:
            return "AES-128-GMAC";
    }
    return "?";
}

Result<Signature> Signer::sign(std::span<const Buffer> message, const SigningFields& fields) const {
    const detail::Parts<Bytes> parts(message);
    return sign(parts.span(), fields);
}

// [MS-SMB2] 3.1.5.1.
Result<void> Signer::verify(std::span<const Bytes> message, const SigningFields& fields) const {
    const Result<Signature> expected = sign(message, fields);
    if (!expected) return fail(expected.error());
    const Bytes given = message[0].subspan(signature_offset, expected->size());
    if (!equal_constant_time(given, *expected)) return fail(NtStatus::ACCESS_DENIED);
    return {};
}

}  // namespace smb3d::crypto
