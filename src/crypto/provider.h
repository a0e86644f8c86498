// Provider: who does signing and encryption.
//
// Purpose: OpenSSL is the default and the tests' oracle; a faster library can be put behind the
// same factories and be
//   chosen at start.
// Thread: any.  Lifetime: a Provider outlives nothing: what it makes keeps what it needs.
// Errors: INVALID_PARAMETER for a key of the wrong length or an unknown algorithm, NOT_SUPPORTED if
// the library lacks it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "crypto/aead.h"
#include "crypto/signer.h"

namespace smb3d::crypto {

class Provider {
  public:
    virtual ~Provider() = default;
    virtual std::string_view name() const = 0;
    virtual Result<std::shared_ptr<const Signer>> make_signer(SigningAlgorithm algorithm,
                                                              Bytes key) const = 0;
    virtual Result<std::shared_ptr<const Aead>> make_aead(Cipher cipher, Bytes key) const = 0;
};

// The one and only; immutable.
const Provider& openssl_provider();

// What OpenSSL on this machine cannot do, as a sentence for the administrator; empty if nothing is
// missing. Without MD4 and RC4 (OpenSSL's legacy provider) there is no NTLM; without the rest the
// server must not start.
std::string library_error();
bool has_legacy_algorithms();

}  // namespace smb3d::crypto
