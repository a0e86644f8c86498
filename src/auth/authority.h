// Authority and Exchange: authentication as the engine sees it: bytes in -> bytes out | identity +
// session key.
//
// Spec: [MS-SMB2] 3.3.5.5.3 (the GSS exchange), [MS-SPNG], [MS-NLMP].
// Thread: Authority: any.  An Exchange is used by one request at a time; if may_block(), step() is
// run on a worker. Lifetime: an Exchange holds what it needs (an account snapshot); it may outlive
// a reload. Errors: a status that SESSION_SETUP answers with; malformed tokens are
// INVALID_PARAMETER, refusals LOGON_FAILURE or
//   the more precise account statuses.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "smb3d/buffer.h"
#include "smb3d/caller.h"
#include "smb3d/status.h"

namespace smb3d::auth {

struct Identity {
    std::shared_ptr<const Caller> caller;
    std::vector<std::byte>
        session_key;           // 16 bytes, or the mechanism's own length; empty if anonymous
    std::uint64_t expires{0};  // FILETIME after which the session must re-authenticate; 0: never
    std::string mechanism;     // "NTLMSSP", "Kerberos": for the administrator
    // [MS-NLMP] 2.2.2.5 flags as agreed on, for per-message protection of RPC (src/pipe); 0: not
    // NTLM.
    std::uint32_t ntlm_flags{0};
};

struct Step {
    std::vector<std::byte> token;  // for the client, may be empty
    bool complete{false};          // else STATUS_MORE_PROCESSING_REQUIRED
    Identity identity;             // if complete
};

class Exchange {
  public:
    virtual ~Exchange() = default;
    virtual bool may_block() const { return false; }
    virtual Result<Step> step(Bytes token) = 0;
};

// Whom the exchange is with: for channel bindings, target checks and the log.
struct Peer {
    std::string address;  // or what else tells it from others, whose wrong guesses are not its own
    std::vector<std::byte>
        channel_bindings;  // [RFC 5929] hash if the transport has TLS, else empty
};

class Authority {
  public:
    virtual ~Authority() = default;
    // The SPNEGO negTokenInit2 that NEGOTIATE answers with ([MS-SPNG] 3.2.5.2).
    virtual std::vector<std::byte> hint() const = 0;
    virtual std::unique_ptr<Exchange> begin(const Peer& peer) const = 0;
};

}  // namespace smb3d::auth
