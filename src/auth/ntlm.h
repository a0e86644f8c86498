// NTLM: the accepting side of NTLMv2 as a Mechanism.
//
// Purpose: NTLMv2 only.  NTLMv1, "NTLM2 session", LM and LMv2 responses are refused whatever the
// password. Spec: [MS-NLMP] 3.2 (server), 3.3.2, 3.4. Thread: NtlmMechanism: any (immutable).  Its
// contexts: one request at a time. Lifetime: a context holds the account snapshot that was current
// when it began. Errors: INVALID_PARAMETER for malformed messages; LOGON_FAILURE for an unknown
// name, a wrong password or MIC;
//   ACCOUNT_DISABLED, only if the password was right; ACCESS_DENIED for anonymous when that is off.
#pragma once

#include <string>

#include "auth/accounts.h"
#include "auth/mechanism.h"

namespace smb3d::auth {

struct NtlmOptions {
    std::string netbios_name;  // upper case, at most 15 characters
    std::string dns_name;      // full name of the host
    bool allow_guest{false};   // unknown names become the guest
    bool allow_anonymous{false};
    bool require_channel_bindings{false};  // where the transport has them
};

struct NtlmShared;  // what all contexts of a mechanism have in common

class NtlmMechanism : public Mechanism {
  public:
    NtlmMechanism(NtlmOptions options, std::shared_ptr<const AccountSnapshot> accounts);
    std::string_view name() const override { return "NTLMSSP"; }
    Bytes mech_oid() const override { return oid::ntlmssp(); }
    bool is_raw_token(Bytes token) const override;
    std::unique_ptr<MechanismContext> begin(const Peer& peer) const override;

  private:
    std::shared_ptr<const NtlmShared> shared_;
};

}  // namespace smb3d::auth
