#include "auth/ntlm_crypto.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "base/utf16.h"
#include "crypto/hash.h"

namespace smb3d::auth::ntlm {

namespace {

Bytes text_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

// 3.4.5.2, 3.4.5.3: the constants end with their zero.
constexpr std::size_t magic_size = 59;
constexpr std::string_view client_sign_magic(
    "session key to client-to-server signing key magic constant", magic_size);
constexpr std::string_view server_sign_magic(
    "session key to server-to-client signing key magic constant", magic_size);
constexpr std::string_view client_seal_magic(
    "session key to client-to-server sealing key magic constant", magic_size);
constexpr std::string_view server_seal_magic(
    "session key to server-to-client sealing key magic constant", magic_size);

static_assert(std::char_traits<char>::length(client_sign_magic.data()) + 1 == magic_size);

}  // namespace

Result<Key> nt_hash(std::u16string_view password) {
    ByteString text = utf16le_bytes(password);
    auto out = crypto::md4(text);
    wipe(text);
    return out;
}

Result<Key> ntowf_v2(const Key& nt_hash, Bytes user, Bytes domain) {
    assert(user.size() % sizeof(char16_t) == 0 && domain.size() % sizeof(char16_t) == 0);
    ByteReader reader(user);
    ByteWriter identity;
    while (reader.remaining() >= sizeof(char16_t)) {
        identity.u16(static_cast<std::uint16_t>(upcase(static_cast<char16_t>(reader.u16()))));
    }
    identity.bytes(domain);
    return crypto::hmac_md5(nt_hash, identity.take());
}

Result<Key> nt_proof(const Key& ntowf, const Challenge& server_challenge, Bytes client_challenge) {
    const std::array<Bytes, 2> parts{server_challenge, client_challenge};
    return crypto::hmac_md5(ntowf, parts);
}

Result<Key> session_base_key(const Key& ntowf, Bytes nt_proof) {
    return crypto::hmac_md5(ntowf, nt_proof);
}

Result<Key> exchange_key(const Key& key_exchange_key, Bytes random_session_key) {
    assert(random_session_key.size() == key_exchange_key.size());
    Key key{};
    std::ranges::copy(random_session_key, key.begin());
    SMB3D_TRY(crypto::rc4(key_exchange_key, key));
    return key;
}

Result<Key> message_mic(const Key& exported_session_key, Bytes negotiate, Bytes challenge,
                        Bytes authenticate) {
    const std::array<Bytes, 3> parts{negotiate, challenge, authenticate};
    return crypto::hmac_md5(exported_session_key, parts);
}

// RFC 2744 3.11 as hashed by [MS-NLMP] 2.2.2.1: no addresses, then the counted application data.
Result<Key> channel_bindings(Bytes certificate_hash) {
    constexpr std::string_view prefix = "tls-server-end-point:";
    constexpr std::size_t no_addresses = 4 * sizeof(std::uint32_t);
    ByteWriter bindings;
    bindings.zeros(no_addresses);
    bindings.u32(static_cast<std::uint32_t>(prefix.size() + certificate_hash.size()));
    bindings.bytes(text_bytes(prefix));
    bindings.bytes(certificate_hash);
    return crypto::md5(bindings.take());
}

Result<Key> sign_key(const Key& exported_session_key, Direction direction) {
    const bool from_client = direction == Direction::client_to_server;
    const std::array<Bytes, 2> parts{
        exported_session_key, text_bytes(from_client ? client_sign_magic : server_sign_magic)};
    return crypto::md5(parts);
}

Result<Key> seal_key(std::uint32_t flags, const Key& exported_session_key, Direction direction) {
    constexpr std::size_t bytes_56 = 7;
    constexpr std::size_t bytes_40 = 5;
    std::size_t strength = bytes_40;
    if ((flags & negotiate_128) != 0) {
        strength = exported_session_key.size();
    } else if ((flags & negotiate_56) != 0) {
        strength = bytes_56;
    }
    const bool from_client = direction == Direction::client_to_server;
    const std::array<Bytes, 2> parts{
        Bytes(exported_session_key).first(strength),
        text_bytes(from_client ? client_seal_magic : server_seal_magic)};
    return crypto::md5(parts);
}

// 2.2.2.9.2: Version, Checksum, SeqNum.
Result<ByteString> signature(std::uint32_t flags, const Key& exported_session_key,
                             Direction direction, std::uint32_t sequence, Bytes message) {
    constexpr std::uint32_t version = 1;
    constexpr std::size_t checksum_size = 8;
    ByteWriter number;
    number.u32(sequence);
    const ByteString sequence_bytes = number.take();
    auto signing = sign_key(exported_session_key, direction);
    if (!signing) return fail(signing.error());
    const std::array<Bytes, 2> parts{sequence_bytes, message};
    auto digest = crypto::hmac_md5(*signing, parts);
    wipe(MutableBytes(*signing));
    if (!digest) return fail(digest.error());
    const MutableBytes checksum = MutableBytes(*digest).first(checksum_size);
    if ((flags & negotiate_key_exchange) != 0) {
        auto sealing = seal_key(flags, exported_session_key, direction);
        if (!sealing) return fail(sealing.error());
        const auto sealed = crypto::rc4(*sealing, checksum);
        wipe(MutableBytes(*sealing));
        if (!sealed) return fail(sealed.error());
    }
    ByteWriter out;
    out.u32(version);
    out.bytes(checksum);
    out.bytes(sequence_bytes);
    return out.take();
}

}  // namespace smb3d::auth::ntlm
