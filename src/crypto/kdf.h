// Key derivation: from the session key that authentication yields to the keys of SMB 3.
//
// Spec: [MS-SMB2] 3.1.4.2, 3.3.5.5.3; [SP800-108] 5.1, counter mode with HMAC-SHA256, r = 32.
// Thread: any (pure functions).
// Errors: none.
#pragma once

#include <cstdint>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/key.h"

namespace smb3d::crypto {

// Fills `out`, whose length is the L of the function.
void sp800_108_counter(Bytes key, Bytes label, Bytes context, MutableBytes out);

struct SessionKeys {
    Key session;      // Session.SessionKey: 16 bytes
    Key signing;      // 16 bytes; of 2.x: the session key
    Key application;  // what named pipes and RPC get; of 2.x: the session key
    Key decryption;   // client to server; empty if there is no cipher
    Key encryption;   // server to client
};

// [MS-SMB2] 3.3.5.5.3: `session_key` is what the mechanism gave, of any length.  `dialect`: 0x0202
// ... 0x0311. `preauth` counts for 3.1.1 only.  3.0 and 3.0.2 have AES-128-CCM as their cipher.
SessionKeys derive_session_keys(std::uint16_t dialect, Bytes session_key, const Digest64& preauth,
                                Cipher cipher);
// The same for a channel: only the signing key is its own ([MS-SMB2] 3.3.5.5.3, session binding).
Key derive_channel_signing_key(std::uint16_t dialect, Bytes session_key, const Digest64& preauth);

}  // namespace smb3d::crypto
