// The computations of NTLMv2: hashes, responses, keys, signatures.
//
// Spec: [MS-NLMP] 3.3.2 (NTLMv2), 3.4 (session security).
// Thread: any (pure functions).  Keys are the caller's to wipe.
// Errors: NOT_SUPPORTED where this system's OpenSSL does without MD4, MD5 or RC4;
// crypto::library_error() says why.
#pragma once

#include <string_view>

#include "auth/ntlm_messages.h"
#include "smb3d/status.h"

namespace smb3d::auth::ntlm {

// MD4 of the password in UTF-16LE.
Result<Key> nt_hash(std::u16string_view password);
// 3.3.2 NTOWFv2; `user` and `domain` in UTF-16LE as in AUTHENTICATE; the user name gets upper case
// here.
Result<Key> ntowf_v2(const Key& nt_hash, Bytes user, Bytes domain);
// 3.3.2 NTProofStr
Result<Key> nt_proof(const Key& ntowf, const Challenge& server_challenge, Bytes client_challenge);
Result<Key> session_base_key(const Key& ntowf, Bytes nt_proof);
// 3.4.5.1: RC4 both ways, 16 bytes.
Result<Key> exchange_key(const Key& key_exchange_key, Bytes random_session_key);
// 3.1.5.1.2
Result<Key> message_mic(const Key& exported_session_key, Bytes negotiate, Bytes challenge,
                        Bytes authenticate);
// [RFC 5929] 4.1 inside the gss_channel_bindings_struct of RFC 2744 3.11; `certificate_hash`:
// tls-server-end-point.
Result<Key> channel_bindings(Bytes certificate_hash);

enum class Direction : std::uint8_t { client_to_server, server_to_client };
Result<Key> sign_key(const Key& exported_session_key, Direction direction);  // 3.4.5.2
Result<Key> seal_key(std::uint32_t flags, const Key& exported_session_key,
                     Direction direction);  // 3.4.5.3
// 3.4.4.2 with extended session security, from a fresh sealing state.
Result<ByteString> signature(std::uint32_t flags, const Key& exported_session_key,
                             Direction direction, std::uint32_t sequence, Bytes message);

}  // namespace smb3d::auth::ntlm
