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
#include <vector>

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

// There always; immutable.
const Provider& openssl_provider();
// On the processor's own AES instructions (x86_kernels.h); null without them.  No HMAC-SHA256.
const Provider* builtin_provider();
// libipsec-mb, if this was built with it and the processor is one that it knows; else null.  GCM
// and GMAC only.
const Provider* ipsec_mb_provider();

enum class Preference : std::uint8_t { automatic, openssl, ipsec_mb, builtin };

// One algorithm each from whoever does it best.
struct Choice {
    struct Row {
        std::string algorithm;
        std::string provider;
        double gib_per_second{0};  // of messages of 64 KiB on one core; 0: not measured
    };
    std::shared_ptr<const Provider> provider;
    std::vector<Row> rows;
};
// `automatic` measures (some milliseconds); a preference takes what its provider has, and OpenSSL
// for the rest.  NOT_SUPPORTED if the one that is preferred is not there.
Result<Choice> choose_provider(Preference preference);

// What OpenSSL on this machine cannot do, as a sentence for the administrator; empty if nothing is
// missing. Without MD4 and RC4 (OpenSSL's legacy provider) there is no NTLM; without the rest the
// server must not start.
std::string library_error();
bool has_legacy_algorithms();

}  // namespace smb3d::crypto
