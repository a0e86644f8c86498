// NTLM: the message parsers, and the acceptor given anything as AUTHENTICATE: as it came, and with
// a right proof made for it, so that what only an authenticated client reaches is reached as well.
#include <cstdlib>

#include "auth/ntlm.h"
#include "auth/ntlm_crypto.h"
#include "base/log.h"

namespace {

using namespace smb3d;
using namespace smb3d::auth;

const NtHash& hash() {
    static const NtHash value = *NtHash::of_password("fuzz");
    return value;
}

const NtlmMechanism& mechanism() {
    static const NtlmMechanism value = [] {
        log::set_level(log::Component::auth, log::Level::off);
        Account account;
        account.name = "u";
        account.nt_hash = hash();
        account.caller = make_caller("u", "NAS", 1, 1, {});
        NtlmOptions options;
        options.netbios_name = "NAS";
        options.allow_anonymous = true;
        std::vector<Account> accounts{account};
        return NtlmMechanism(options, AccountSnapshot::make(std::move(accounts), nullptr,
                                                            make_anonymous_caller(1, 1)));
    }();
    return value;
}

void parse_all(Bytes input) {
    (void)ntlm::parse_negotiate(input);
    if (const auto challenge = ntlm::parse_challenge(input)) {
        (void)ntlm::parse_av_pairs(challenge->target_info);
        if (!ntlm::parse_challenge(ntlm::encode_challenge(*challenge))) std::abort();
    }
    if (const auto message = ntlm::parse_authenticate(input)) {
        (void)ntlm::parse_ntlmv2_response(message->nt_response);
        if (!ntlm::parse_authenticate(ntlm::encode_authenticate(*message))) std::abort();
    }
    (void)ntlm::parse_av_pairs(input);
    (void)ntlm::parse_ntlmv2_response(input);
}

// The input is the client challenge; the proof over it is right.
void log_on_with(Bytes blob) {
    ntlm::Negotiate negotiate;
    negotiate.flags = 0xE2088297;
    const auto context = mechanism().begin({"fuzz", ByteString(32)});
    const auto step = context->step(ntlm::encode_negotiate(negotiate));
    if (!step) std::abort();
    const auto challenge = ntlm::parse_challenge(step->token);
    const std::byte user[] = {std::byte{'U'}, std::byte{0}};
    const auto ntowf = ntlm::ntowf_v2(hash().value(), user, {});
    const auto proof = ntlm::nt_proof(*ntowf, challenge->challenge, blob);
    ByteString response = copy_bytes(*proof);
    append(response, blob);
    if (response.size() > 0xFFFF) return;
    const ByteString key(16);
    ntlm::Authenticate message;
    message.flags = challenge->flags;
    message.user = user;
    message.nt_response = response;
    message.encrypted_session_key = key;
    message.mic = key;
    const auto done = context->step(ntlm::encode_authenticate(message));
    if (done && context->has_integrity() && !context->get_mic(blob)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes input = std::as_bytes(std::span(data, size));
    parse_all(input);
    const auto context = mechanism().begin({});
    (void)context->step(input);
    const auto second = mechanism().begin({});
    ntlm::Negotiate negotiate;
    negotiate.flags = 0xE2088297;
    (void)second->step(ntlm::encode_negotiate(negotiate));
    (void)second->step(input);
    log_on_with(input);
    return 0;
}
