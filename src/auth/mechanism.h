// Mechanism: a GSS mechanism that SPNEGO can negotiate: NTLMSSP now, Kerberos when it comes.
//
// Purpose: the seam between spnego.h, which knows no mechanism, and the mechanisms, which know no
// SPNEGO. Spec: RFC 4178 4.1, 5; RFC 2743 2.2.2 (accept), 2.3.1 (get_mic), 2.3.2 (verify_mic).
// Thread: Mechanism: any (immutable).  MechanismContext: one request at a time.
// Lifetime: a context holds what it needs; it outlives its Mechanism.
// Errors: INVALID_PARAMETER for malformed tokens; LOGON_FAILURE or a more precise account status
// for refusals.
#pragma once

#include <memory>
#include <string_view>

#include "auth/authority.h"
#include "auth/bytes.h"

namespace smb3d::auth {

// The contents of DER object identifiers.
namespace oid {
Bytes spnego();       // 1.3.6.1.5.5.2
Bytes ntlmssp();      // 1.3.6.1.4.1.311.2.2.10
Bytes kerberos();     // 1.2.840.113554.1.2.2
Bytes ms_kerberos();  // 1.2.840.48018.1.2.2, Windows 2000's truncated form of it
}  // namespace oid

struct MechanismStep {
    ByteString token;  // for the client, may be empty
    bool complete{false};
};

// One authentication on the accepting side.
class MechanismContext {
  public:
    virtual ~MechanismContext() = default;
    // True if step() may wait (for a KDC, a keytab): it then runs on a worker.
    virtual bool may_block() const { return false; }
    virtual Result<MechanismStep> step(Bytes token) = 0;

    // From here on: only once step() has said complete.
    // True if get_mic and verify_mic work: both sides have a key and agreed on integrity.
    virtual bool has_integrity() const = 0;
    // True if the mechanism's own exchange shows that the client will send a mechListMIC.
    virtual bool wants_mech_list_mic() const { return false; }
    // [MS-SPNG] 3.3.5.1: the mechListMIC over the DER of the MechTypeList, at sequence number 0;
    // the state that per-message protection goes on with starts anew after it.
    virtual Result<ByteString> get_mic(Bytes message) = 0;
    virtual Result<void> verify_mic(Bytes message, Bytes mic) = 0;
    virtual Identity identity() const = 0;
};

class Mechanism {
  public:
    virtual ~Mechanism() = default;
    virtual std::string_view name() const = 0;
    virtual Bytes mech_oid() const = 0;
    // Other OIDs that mean this mechanism; an answer names the one that the client chose.
    virtual bool is_named(Bytes oid) const { return equal_bytes(oid, mech_oid()); }
    // True if the token is this mechanism's first one without SPNEGO around it.
    virtual bool is_raw_token(Bytes token) const = 0;
    virtual std::unique_ptr<MechanismContext> begin(const Peer& peer) const = 0;
};

}  // namespace smb3d::auth
