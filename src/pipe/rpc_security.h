// RpcSecurity: the security context of a pipe's bind: its authentication, then signatures and
// sealing of each PDU.
//
// Spec: [MS-RPCE] 3.3.1.5.2 (security contexts), [MS-NLMP] 3.4 (message security with extended
// session security). Thread: one call at a time, any thread. Lifetime: one bind's. Errors: false or
// a status; what a client may know of it is for rpc.cpp to say.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "auth/authority.h"
#include "crypto/hash.h"
#include "pipe/rpc_pdu.h"
#include "smb3d/caller.h"
#include "smb3d/status.h"

namespace smb3d::pipe::rpc {

// Per-message protection of NTLM with extended session security.
class NtlmProtection {
  public:
    // nullptr if the flags do not allow it: without extended session security or a key there is no
    // integrity.
    enum class Side : std::uint8_t { server, client };
    static std::unique_ptr<NtlmProtection> create(std::uint32_t flags, Bytes session_key,
                                                  Side side = Side::server);

    static constexpr std::size_t signature_size = 16;
    using Signature = std::array<std::byte, signature_size>;

    // For sending: the named part of `signed_part` is encrypted in place.  The signature covers
    // `signed_part` as it was before that.  It fails only where OpenSSL does.
    Result<Signature> protect(MutableBytes signed_part, std::size_t sealed_at,
                              std::size_t sealed_size);
    // For receiving: decrypts in place, then compares.
    bool verify(MutableBytes signed_part, std::size_t sealed_at, std::size_t sealed_size,
                Bytes signature);
    bool may_seal() const { return may_seal_; }
    // The sequence numbers of both directions go on from here.
    void set_sequence(std::uint32_t sequence);

  private:
    struct Direction {
        std::array<std::byte, 16> sign_key{};
        crypto::Rc4 stream;
        std::uint32_t sequence{0};
    };
    NtlmProtection(Direction receive, Direction send, bool key_exchange, bool may_seal)
        : receive_(std::move(receive)),
          send_(std::move(send)),
          key_exchange_(key_exchange),
          may_seal_(may_seal) {}
    Result<Signature> sign(Direction& direction, Bytes message);

    Direction receive_;
    Direction send_;
    bool key_exchange_;
    bool may_seal_;
};

class RpcSecurity {
  public:
    // nullptr if the type or level is none that this server knows.  `caller`: whose pipe it is, and
    // whose wrong guesses are counted together.
    static std::unique_ptr<RpcSecurity> begin(const auth::Authority* authority,
                                              const AuthVerifier& verifier, const Caller& caller);

    // The next leg; the token for the client.
    Result<std::vector<std::byte>> step(Bytes token);

    bool matches(const AuthVerifier& verifier) const {
        return verifier.type == type_ && verifier.context_id == context_id_ &&
               (verifier.level == level_);
    }
    AuthType type() const { return type_; }
    AuthLevel level() const { return level_; }
    std::uint32_t context_id() const { return context_id_; }
    bool complete() const { return complete_; }
    bool failed() const { return failed_; }
    const std::shared_ptr<const Caller>& caller() const { return identity_.caller; }
    // True if requests and answers carry signatures.
    bool protects() const { return level_ > AuthLevel::call; }
    bool seals() const { return level_ == AuthLevel::privacy; }

    // Checks a request PDU, and decrypts its stub in place.  `pdu` is the whole PDU, `stub_at`
    // where its stub begins.
    bool open(MutableBytes pdu, std::size_t stub_at, const AuthVerifier& verifier);
    // Appends padding, sec_trailer and signature to a PDU that so far ends with its stub, and seals
    // it.
    Result<void> seal(std::vector<std::byte>& pdu, std::size_t stub_at);

  private:
    RpcSecurity(std::unique_ptr<auth::Exchange> exchange, const AuthVerifier& verifier);

    std::unique_ptr<auth::Exchange> exchange_;
    AuthType type_;
    AuthLevel level_;
    std::uint32_t context_id_;
    bool complete_{false};
    bool failed_{false};
    auth::Identity identity_;
    std::unique_ptr<NtlmProtection> protection_;
    bool sequence_known_{false};
};

}  // namespace smb3d::pipe::rpc
