#include "auth_fixture.h"

#include <gtest/gtest.h>

#include "auth/ntlm_crypto.h"
#include "base/log.h"

namespace smb3d::auth::test {

ByteString from_hex(std::string_view hex) {
    ByteString out;
    int high = -1;
    for (const char c : hex) {
        int digit = -1;
        if (c >= '0' && c <= '9') digit = c - '0';
        if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
        } else {
            out.push_back(static_cast<std::byte>(high * 16 + digit));
            high = -1;
        }
    }
    return out;
}

std::string to_hex(Bytes bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const std::byte byte : bytes) {
        out += digits[std::to_integer<std::size_t>(byte >> 4)];
        out += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    return out;
}

namespace {

// Thousands of refused logons say so at level info.
class Quiet : public ::testing::Environment {
    void SetUp() override { log::set_level(log::Component::auth, log::Level::off); }
};
[[maybe_unused]] const auto* const quiet = ::testing::AddGlobalTestEnvironment(new Quiet);

Account make_account(const char* name, std::uint32_t uid, bool disabled) {
    Account account;
    account.name = name;
    account.nt_hash = *NtHash::of_password(good_password);
    account.disabled = disabled;
    account.caller = make_caller(name, "NAS", uid, uid + 100, {27, 50});
    return account;
}

}  // namespace

std::shared_ptr<const AccountSnapshot> make_accounts() {
    std::vector<Account> accounts{make_account("alice", 1001, false),
                                  make_account("bob", 1002, true), make_account("root", 0, false)};
    return AccountSnapshot::make(std::move(accounts), make_guest_caller("NAS", 65534, 65534),
                                 make_anonymous_caller(65534, 65534));
}

std::unique_ptr<Exchange> make_exchange(const ServerOptions& options) {
    static const auto accounts = make_accounts();
    NtlmOptions ntlm;
    ntlm.netbios_name = "NAS";
    ntlm.dns_name = "nas.example.org";
    ntlm.allow_guest = options.allow_guest;
    ntlm.allow_anonymous = options.allow_anonymous;
    ntlm.require_channel_bindings = options.require_channel_bindings;
    std::vector<std::shared_ptr<const Mechanism>> mechanisms{
        std::make_shared<NtlmMechanism>(ntlm, accounts)};
    return std::make_unique<SpnegoAcceptor>(std::move(mechanisms), options.peer);
}

Outcome run(Exchange& exchange, NtlmClient& client) {
    Outcome out;
    ByteString token = client.first();
    constexpr int most = 10;
    while (out.round_trips < most) {
        auto step = exchange.step(token);
        ++out.round_trips;
        if (!step) {
            out.status = step.error();
            return out;
        }
        if (step->complete) {
            out.identity = std::move(step->identity);
            if (!client.complete()) {
                const auto last = client.step(step->token);
                if (!last) out.client_status = last.error();
            }
            const bool agreed = out.client_status == NtStatus::SUCCESS && client.complete();
            out.status = agreed ? NtStatus::SUCCESS : NtStatus::UNSUCCESSFUL;
            return out;
        }
        auto answer = client.step(step->token);
        if (!answer) {
            out.client_status = answer.error();
            return out;
        }
        token = std::move(*answer);
    }
    return out;
}

Outcome log_on(const NtlmClientOptions& client_options, const ServerOptions& server) {
    const auto exchange = make_exchange(server);
    NtlmClient client(client_options);
    return run(*exchange, client);
}

}  // namespace smb3d::auth::test
