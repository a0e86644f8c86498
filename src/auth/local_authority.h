// LocalAuthority: Authority over the local account file: SPNEGO or raw NTLMSSP, NTLMv2.
//
// Purpose: what the daemon gives to the engine.  Notices changes of the account file by itself: a
// logon that begins
//   after `smb3dctl user ...` has returned sees them.
// Spec: [MS-SPNG], [MS-NLMP].
// Thread: any.  Reading the account file anew happens in a step() that said may_block(), or in
// reload(). Lifetime: exchanges hold what they need and may outlive the authority. Errors: create()
// and reload(): sentences for the administrator.  While a changed account file cannot be read, the
//   accounts read last stay valid, and the log says so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "auth/accounts.h"
#include "auth/authority.h"

namespace smb3d::auth {

struct AuthOptions {
    std::string netbios_name;  // upper case, at most 15 characters
    std::string dns_name;
    std::string guest_account{"nobody"};  // the system account that guests and anonymous act as
    bool allow_guest{false};              // names without an account become the guest
    bool allow_anonymous{false};
    bool require_channel_bindings{false};
    // Failed logons of one address: `burst` at once, then `per_minute`; beyond it a logon fails
    // unseen.  0: no limit.
    std::uint32_t failed_logon_burst{500};
    std::uint32_t failed_logons_per_minute{300};
};

class LocalAuthority : public Authority {
  public:
    static Told<std::unique_ptr<LocalAuthority>> create(std::string account_path,
                                                        AuthOptions options);
    ~LocalAuthority() override;

    std::vector<std::byte> hint() const override;
    std::unique_ptr<Exchange> begin(const Peer& peer) const override;

    // Reads the account file and the system's groups anew.
    Told<void> reload() const;

    struct State;  // private in effect: only local_authority.cpp knows it

  private:
    explicit LocalAuthority(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace smb3d::auth
