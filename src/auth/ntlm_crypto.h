// The computations of NTLMv2: hashes, responses, keys, signatures.
//
// Spec: [MS-NLMP] 3.3.2 (NTLMv2), 3.4 (session security).
// Thread: any (pure functions).  Keys are the caller's to wipe.
// Errors: none; sizes are in the types.
#pragma once

#include <string_view>

#include "auth/ntlm_messages.h"

namespace smb3d::auth::ntlm {

// MD4 of the password in UTF-16LE.
Key nt_hash(std::u16string_view password);
// 3.3.2 NTOWFv2; `user` and `domain` in UTF-16LE as in AUTHENTICATE; the user name gets upper case
// here.
Key ntowf_v2(const Key& nt_hash, Bytes user, Bytes domain);
// 3.3.2 NTProofStr
Key nt_proof(const Key& ntowf, const Challenge& server_challenge, Bytes client_challenge);
Key session_base_key(const Key& ntowf, Bytes nt_proof);
// 3.4.5.1: RC4 both ways, 16 bytes.
Key exchange_key(const Key& key_exchange_key, Bytes random_session_key);
// 3.1.5.1.2
Key message_mic(const Key& exported_session_key, Bytes negotiate, Bytes challenge,
                Bytes authenticate);
// [RFC 5929] 4.1 inside the gss_channel_bindings_struct of RFC 2744 3.11; `certificate_hash`:
// tls-server-end-point.
Key channel_bindings(Bytes certificate_hash);

enum class Direction : std::uint8_t { client_to_server, server_to_client };
Key sign_key(const Key& exported_session_key, Direction direction);  // 3.4.5.2
ByteString seal_key(std::uint32_t flags, const Key& exported_session_key,
                    Direction direction);  // 3.4.5.3
// 3.4.4.2 with extended session security, from a fresh sealing state.
ByteString signature(std::uint32_t flags, const Key& exported_session_key, Direction direction,
                     std::uint32_t sequence, Bytes message);

bool equal_constant_time(Bytes a, Bytes b);
void random_bytes(MutableBytes out);

}  // namespace smb3d::auth::ntlm
