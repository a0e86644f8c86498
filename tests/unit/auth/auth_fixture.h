// What the tests of src/auth share: accounts in memory, hex, and a run of client against server.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/authority.h"
#include "auth/ntlm.h"
#include "auth/spnego.h"
#include "support/ntlm_client.h"

namespace smb3d::auth::test {

using smb3d::test::NtlmClient;
using smb3d::test::NtlmClientOptions;

inline constexpr const char* good_password = "P\xC3\xA4ssw0rd!";

ByteString from_hex(std::string_view hex);  // blanks are skipped
std::string to_hex(Bytes bytes);

// alice (uid 1001), bob (disabled, uid 1002), root (uid 0); guest and anonymous are there.
std::shared_ptr<const AccountSnapshot> make_accounts();

struct ServerOptions {
    bool allow_guest{false};
    bool allow_anonymous{false};
    bool require_channel_bindings{false};
    Peer peer{"192.0.2.7:1234", {}};
};
std::unique_ptr<Exchange> make_exchange(const ServerOptions& options = {});

struct Outcome {
    NtStatus status{
        NtStatus::UNSUCCESSFUL};  // SUCCESS if the server completed and the client agreed
    NtStatus client_status{NtStatus::SUCCESS};
    Identity identity;
    int round_trips{0};
};
// Until one side ends it.
Outcome run(Exchange& exchange, NtlmClient& client);
Outcome log_on(const NtlmClientOptions& client, const ServerOptions& server = {});

inline NtlmClientOptions alice() {
    NtlmClientOptions options;
    options.user = "alice";
    options.password = good_password;
    return options;
}

}  // namespace smb3d::auth::test
