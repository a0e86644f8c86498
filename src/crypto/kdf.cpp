#include "crypto/kdf.h"

#include <algorithm>
#include <string_view>

namespace smb3d::crypto {

namespace {

constexpr std::uint16_t dialect_300 = 0x0300;
constexpr std::uint16_t dialect_311 = 0x0311;

std::array<std::byte, 4> big_endian(std::uint32_t value) {
    return {static_cast<std::byte>(value >> 24), static_cast<std::byte>(value >> 16 & 0xFF),
            static_cast<std::byte>(value >> 8 & 0xFF), static_cast<std::byte>(value & 0xFF)};
}

// The text with its terminating zero, which counts.
template <std::size_t size>
Bytes with_zero(const char (&text)[size]) {
    return std::as_bytes(std::span(text, size));
}

Key derive(Bytes key, Bytes label, Bytes context, std::size_t size) {
    Key result(size);
    sp800_108_counter(key, label, context, result.mutable_bytes());
    return result;
}

}  // namespace

void sp800_108_counter(Bytes key, Bytes label, Bytes context, MutableBytes out) {
    const auto length = big_endian(static_cast<std::uint32_t>(out.size() * 8));
    const std::byte zero{0};
    for (std::uint32_t i = 1; !out.empty(); ++i) {
        const auto counter = big_endian(i);
        const Bytes parts[] = {counter, label, Bytes(&zero, 1), context, length};
        Digest32 block = hmac_sha256(key, parts);
        const std::size_t count = std::min(out.size(), block.size());
        std::copy_n(block.begin(), count, out.begin());
        cleanse(block);
        out = out.subspan(count);
    }
}

// [MS-SMB2] 3.1.4.2: the labels and contexts, each with its terminating zero.
SessionKeys derive_session_keys(std::uint16_t dialect, Bytes session_key, const Digest64& preauth,
                                Cipher cipher) {
    SessionKeys keys;
    // 3.3.5.5.3: Session.SessionKey is the first 16 bytes of the key, filled up with zeros on the
    // right.
    keys.session = Key(session_key, 16);
    if (dialect < dialect_300) {
        keys.signing = keys.session;
        keys.application = keys.session;
        return keys;
    }
    keys.signing = derive_channel_signing_key(dialect, session_key, preauth);
    const Bytes ki = keys.session.bytes();
    if (dialect < dialect_311) {
        keys.application = derive(ki, with_zero("SMB2APP"), with_zero("SmbRpc"), 16);
        if (cipher == Cipher::none) return keys;
        keys.decryption = derive(ki, with_zero("SMB2AESCCM"), with_zero("ServerIn "), 16);
        keys.encryption = derive(ki, with_zero("SMB2AESCCM"), with_zero("ServerOut"), 16);
        return keys;
    }
    keys.application = derive(ki, with_zero("SMBAppKey"), preauth, 16);
    if (cipher == Cipher::none) return keys;
    // 3.3.5.5.3: with a 256-bit cipher the keys come from Session.FullSessionKey.
    const std::size_t size = key_size(cipher);
    const Bytes full = size == 32 ? session_key : ki;
    keys.decryption = derive(full, with_zero("SMBC2SCipherKey"), preauth, size);
    keys.encryption = derive(full, with_zero("SMBS2CCipherKey"), preauth, size);
    return keys;
}

Key derive_channel_signing_key(std::uint16_t dialect, Bytes session_key, const Digest64& preauth) {
    const Key ki(session_key, 16);
    if (dialect < dialect_300) return ki;
    if (dialect < dialect_311) {
        return derive(ki.bytes(), with_zero("SMB2AESCMAC"), with_zero("SmbSign"), 16);
    }
    return derive(ki.bytes(), with_zero("SMBSigningKey"), preauth, 16);
}

}  // namespace smb3d::crypto
