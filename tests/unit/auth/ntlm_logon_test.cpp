// [MS-NLMP] 3.2.5.1: who gets in, and what happens to messages that somebody has changed.
#include <algorithm>

#include <gtest/gtest.h>

#include "auth_fixture.h"
#include "base/utf16.h"

namespace smb3d::auth::test {
namespace {

NtlmClientOptions raw_alice() {
    NtlmClientOptions options = alice();
    options.spnego = false;
    return options;
}

struct Started {
    std::unique_ptr<Exchange> exchange;
    NtlmClient client;
    ByteString challenge;
};
Started start(const NtlmClientOptions& options, const ServerOptions& server = {}) {
    Started out{make_exchange(server), NtlmClient(options), {}};
    auto step = out.exchange->step(out.client.first());
    EXPECT_TRUE(step);
    if (step) out.challenge = std::move(step->token);
    return out;
}

NtStatus status_of(const Result<Step>& step) {
    if (!step) return step.error();
    return step->complete ? NtStatus::SUCCESS : NtStatus::MORE_PROCESSING_REQUIRED;
}

TEST(NtlmLogon, RightPassword) {
    const Outcome outcome = log_on(raw_alice());
    ASSERT_EQ(outcome.status, NtStatus::SUCCESS);
    EXPECT_EQ(outcome.round_trips, 2);
    EXPECT_EQ(outcome.identity.mechanism, "NTLMSSP");
    EXPECT_EQ(outcome.identity.session_key.size(), 16U);
    ASSERT_TRUE(outcome.identity.caller);
    EXPECT_EQ(outcome.identity.caller->uid, 1001U);
    EXPECT_EQ(outcome.identity.caller->gid, 1101U);
    EXPECT_EQ(outcome.identity.caller->user, "alice");
    EXPECT_FALSE(outcome.identity.caller->guest);
}

TEST(NtlmLogon, NamesInEveryForm) {
    const std::pair<const char*, const char*> names[] = {
        {"alice", ""},
        {"ALICE", ""},
        {"aLiCe", "WORKGROUP"},
        {"alice", "NAS"},
        {"alice@nas.example.org", ""},
        {"NAS\\alice", ""},
        {"alice@x", "y"},
    };
    for (const auto& [user, domain] : names) {
        NtlmClientOptions options = alice();
        options.user = user;
        options.domain = domain;
        const Outcome outcome = log_on(options);
        EXPECT_EQ(outcome.status, NtStatus::SUCCESS) << user;
        ASSERT_TRUE(outcome.identity.caller) << user;
        EXPECT_EQ(outcome.identity.caller->user, "alice");
    }
}

TEST(NtlmLogon, WrongPasswordAndUnknownNameLookTheSame) {
    NtlmClientOptions options = alice();
    options.password = "wrong";
    EXPECT_EQ(log_on(options).status, NtStatus::LOGON_FAILURE);
    options = alice();
    options.user = "mallory";
    EXPECT_EQ(log_on(options).status, NtStatus::LOGON_FAILURE);
}

TEST(NtlmLogon, DisabledAccountIsToldOnlyToWhoKnowsThePassword) {
    NtlmClientOptions options = alice();
    options.user = "bob";
    EXPECT_EQ(log_on(options).status, NtStatus::ACCOUNT_DISABLED);
    options.password = "wrong";
    EXPECT_EQ(log_on(options).status, NtStatus::LOGON_FAILURE);
}

TEST(NtlmLogon, MsNlmp_3_2_5_1_1_ChallengeHasWhatWindowsSends) {
    Started started = start(raw_alice());
    const auto challenge = ntlm::parse_challenge(started.challenge);
    ASSERT_TRUE(challenge);
    EXPECT_EQ(challenge->flags, 0xE28A8215U);
    const auto pairs = ntlm::parse_av_pairs(challenge->target_info);
    ASSERT_TRUE(pairs);
    const auto value = [&](ntlm::AvId id) {
        const auto* pair = ntlm::find_av_pair(*pairs, id);
        return pair == nullptr ? std::string() : utf16le_to_utf8(pair->value).value_or("");
    };
    EXPECT_EQ(value(ntlm::AvId::nb_computer_name), "NAS");
    EXPECT_EQ(value(ntlm::AvId::nb_domain_name), "NAS");
    EXPECT_EQ(value(ntlm::AvId::dns_computer_name), "nas.example.org");
    EXPECT_EQ(value(ntlm::AvId::dns_domain_name), "nas.example.org");
    ASSERT_NE(ntlm::find_av_pair(*pairs, ntlm::AvId::timestamp), nullptr);
    EXPECT_EQ(ntlm::find_av_pair(*pairs, ntlm::AvId::timestamp)->value.size(), 8U);
    EXPECT_NE(start(raw_alice()).challenge, started.challenge);
}

TEST(NtlmLogon, ChallengeGrantsOnlyWhatWasAskedFor) {
    NtlmClientOptions options = raw_alice();
    options.flags = ntlm::negotiate_unicode | ntlm::negotiate_ntlm;
    Started started = start(options);
    const auto challenge = ntlm::parse_challenge(started.challenge);
    ASSERT_TRUE(challenge);
    EXPECT_EQ(challenge->flags, ntlm::negotiate_unicode | ntlm::request_target |
                                    ntlm::negotiate_ntlm | ntlm::negotiate_target_info |
                                    ntlm::target_type_server);
}

// Without KEY_EXCH the session key is SessionBaseKey; without SIGN there is no mechListMIC.
TEST(NtlmLogon, EveryNegotiateFlagMayBeMissing) {
    for (unsigned bit = 0; bit < 32; ++bit) {
        NtlmClientOptions options = alice();
        options.flags &= ~(1U << bit);
        const bool sign = (options.flags & ntlm::negotiate_sign) != 0 &&
                          (options.flags & ntlm::negotiate_extended_session_security) != 0;
        options.mech_list_mic = sign;
        const auto exchange = make_exchange();
        NtlmClient client(options);
        const Outcome outcome = run(*exchange, client);
        if ((options.flags & ntlm::negotiate_unicode) == 0) {
            EXPECT_EQ(outcome.status, NtStatus::INVALID_PARAMETER);
            continue;
        }
        EXPECT_EQ(outcome.status, NtStatus::SUCCESS) << bit;
        EXPECT_EQ(outcome.identity.session_key, client.session_key()) << bit;
        EXPECT_EQ(client.server_sent_mech_list_mic(), sign) << bit;
    }
}

TEST(NtlmLogon, DatagramNtlmIsRefused) {
    NtlmClientOptions options = raw_alice();
    options.flags |= ntlm::negotiate_datagram;
    EXPECT_EQ(log_on(options).status, NtStatus::INVALID_PARAMETER);
}

TEST(NtlmLogon, TruncatedAuthenticateIsRefusedAtEveryLength) {
    std::size_t whole = 1;
    for (std::size_t size = 0; size < whole; ++size) {
        Started started = start(raw_alice());
        const auto message = started.client.authenticate(started.challenge);
        ASSERT_TRUE(message);
        whole = message->size();
        const auto step = started.exchange->step(Bytes(*message).first(size));
        EXPECT_FALSE(step) << size;
    }
}

// With a MIC, every bit of AUTHENTICATE counts.
TEST(NtlmLogon, EveryBitOfAuthenticateIsProtected) {
    std::size_t bits = 8;
    for (std::size_t bit = 0; bit < bits; ++bit) {
        Started started = start(raw_alice());
        auto message = started.client.authenticate(started.challenge);
        ASSERT_TRUE(message);
        bits = message->size() * 8;
        (*message)[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        EXPECT_FALSE(started.exchange->step(*message)) << "byte " << bit / 8 << " bit " << bit % 8;
    }
}

// Downgrade on the way to the server: CVE-2016-2110.
TEST(NtlmLogon, EveryBitOfNegotiateIsProtectedByTheMic) {
    const std::size_t size = NtlmClient(raw_alice()).first().size();
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
        const auto exchange = make_exchange();
        NtlmClient client(raw_alice());
        ByteString negotiate = client.first();
        negotiate[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto step = exchange->step(negotiate);
        if (!step) continue;
        const auto message = client.authenticate(step->token);
        if (!message) continue;
        EXPECT_FALSE(exchange->step(*message)) << "byte " << bit / 8 << " bit " << bit % 8;
    }
}

TEST(NtlmLogon, EveryBitOfTheChallengeIsProtectedByTheMic) {
    std::size_t bits = 8;
    std::size_t with_mic = 0;
    for (std::size_t bit = 0; bit < bits; ++bit) {
        Started started = start(raw_alice());
        bits = started.challenge.size() * 8;
        ByteString challenge = started.challenge;
        challenge[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto message = started.client.authenticate(challenge);
        if (!message) continue;
        // A client that sees no timestamp sends no MIC ([MS-NLMP] 3.1.5.1.2): then nothing
        // protects.
        const auto mic = *ntlm::parse_authenticate(*message)->mic;
        if (std::ranges::count(mic, std::byte{0}) == 16) continue;
        ++with_mic;
        EXPECT_FALSE(started.exchange->step(*message)) << "byte " << bit / 8 << " bit " << bit % 8;
    }
    EXPECT_GT(with_mic, bits / 2);
}

// CVE-2019-1040: the MIC cannot be left out, since MsvAvFlags is below the proof.
TEST(NtlmLogon, DroppedMicIsNoticed) {
    Started started = start(raw_alice());
    const auto message = started.client.authenticate(started.challenge);
    ASSERT_TRUE(message);
    auto parsed = ntlm::parse_authenticate(*message);
    ASSERT_TRUE(parsed);
    parsed->mic.reset();
    EXPECT_EQ(status_of(started.exchange->step(ntlm::encode_authenticate(*parsed))),
              NtStatus::INVALID_PARAMETER);

    Started again = start(raw_alice());
    const auto other = again.client.authenticate(again.challenge);
    parsed = ntlm::parse_authenticate(*other);
    const ByteString zeros(16);
    parsed->mic = zeros;
    EXPECT_EQ(status_of(again.exchange->step(ntlm::encode_authenticate(*parsed))),
              NtStatus::LOGON_FAILURE);
}

// Changes the parsed message, without caring for its MIC, and sends it.
template <class Change>
NtStatus send_changed(const NtlmClientOptions& options, Change change,
                      const ServerOptions& server = {}) {
    Started started = start(options, server);
    const auto message = started.client.authenticate(started.challenge);
    EXPECT_TRUE(message);
    if (!message) return NtStatus::UNSUCCESSFUL;
    auto parsed = ntlm::parse_authenticate(*message);
    EXPECT_TRUE(parsed);
    if (!parsed) return NtStatus::UNSUCCESSFUL;
    change(*parsed);
    ByteString changed = ntlm::encode_authenticate(*parsed);
    if (parsed->mic && options.mic) started.client.put_mic(changed);
    return status_of(started.exchange->step(changed));
}

TEST(NtlmLogon, OldResponsesAreRefusedWhateverThePassword) {
    NtlmClientOptions options = raw_alice();
    options.mic = false;
    const ByteString v1(24, std::byte{1});
    EXPECT_EQ(send_changed(options, [&](auto& m) { m.nt_response = v1; }), NtStatus::LOGON_FAILURE);
    // LM or LMv2 alone
    EXPECT_EQ(send_changed(options,
                           [&](auto& m) {
                               m.lm_response = v1;
                               m.nt_response = {};
                           }),
              NtStatus::LOGON_FAILURE);
    const ByteString too_short(20, std::byte{1});
    EXPECT_EQ(send_changed(options, [&](auto& m) { m.nt_response = too_short; }),
              NtStatus::LOGON_FAILURE);
    const ByteString half(40, std::byte{1});
    EXPECT_EQ(send_changed(options, [&](auto& m) { m.nt_response = half; }),
              NtStatus::INVALID_PARAMETER);
}

TEST(NtlmLogon, MissingParts) {
    const NtlmClientOptions options = raw_alice();
    EXPECT_EQ(send_changed(options, [](auto&) {}), NtStatus::SUCCESS);
    EXPECT_EQ(send_changed(options, [](auto& m) { m.user = {}; }), NtStatus::LOGON_FAILURE);
    EXPECT_EQ(send_changed(options, [](auto& m) { m.nt_response = {}; }), NtStatus::LOGON_FAILURE);
    EXPECT_EQ(send_changed(options, [](auto& m) { m.encrypted_session_key = {}; }),
              NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(send_changed(options, [](auto& m) { m.workstation = {}; }), NtStatus::SUCCESS);
    EXPECT_EQ(send_changed(options, [](auto& m) { m.lm_response = {}; }), NtStatus::SUCCESS);
    EXPECT_EQ(send_changed(options, [](auto& m) { m.flags &= ~ntlm::negotiate_unicode; }),
              NtStatus::INVALID_PARAMETER);
}

TEST(NtlmLogon, AChallengeIsGoodForOneAnswer) {
    Started first = start(raw_alice());
    const auto message = first.client.authenticate(first.challenge);
    ASSERT_TRUE(message);
    ASSERT_EQ(status_of(first.exchange->step(*message)), NtStatus::SUCCESS);
    EXPECT_FALSE(first.exchange->step(*message));
    Started second = start(raw_alice());
    EXPECT_FALSE(second.exchange->step(*message));  // a replay

    NtlmClientOptions wrong = raw_alice();
    wrong.password = "wrong";
    Started third = start(wrong);
    EXPECT_FALSE(third.exchange->step(*third.client.authenticate(third.challenge)));
    NtlmClient right(raw_alice());
    (void)right.first();
    EXPECT_FALSE(third.exchange->step(*right.authenticate(third.challenge)));
}

TEST(NtlmLogon, AuthenticateWithoutNegotiateIsRefused) {
    Started started = start(raw_alice());
    const auto message = started.client.authenticate(started.challenge);
    EXPECT_EQ(status_of(make_exchange()->step(*message)), NtStatus::INVALID_PARAMETER);
}

TEST(NtlmLogon, AnonymousOnlyIfAllowed) {
    NtlmClientOptions options;
    EXPECT_EQ(log_on(options).status, NtStatus::ACCESS_DENIED);
    ServerOptions server;
    server.allow_anonymous = true;
    for (const bool spnego : {false, true}) {
        options.spnego = spnego;
        const Outcome outcome = log_on(options, server);
        ASSERT_EQ(outcome.status, NtStatus::SUCCESS);
        EXPECT_TRUE(outcome.identity.caller->anonymous);
        EXPECT_FALSE(outcome.identity.caller->guest);
        EXPECT_EQ(outcome.identity.session_key.size(), 16U);
        EXPECT_EQ(outcome.identity.caller->sids[0],
                  (std::vector<std::uint8_t>{1, 1, 0, 0, 0, 0, 0, 5, 7, 0, 0, 0}));
    }
}

// 3.1.5.1.2: the key exchange key is all zeros, but a key is exchanged all the same.
TEST(NtlmLogon, AnonymousHasTheSessionKeyThatTheClientSent) {
    ServerOptions server;
    server.allow_anonymous = true;
    NtlmClientOptions options;
    options.spnego = false;
    for (const bool exchange : {false, true}) {
        if (!exchange) options.flags &= ~ntlm::negotiate_key_exchange;
        if (exchange) options.flags |= ntlm::negotiate_key_exchange;
        Started started = start(options, server);
        ASSERT_TRUE(started.exchange);
        const auto step = started.exchange->step(*started.client.authenticate(started.challenge));
        ASSERT_TRUE(step);
        EXPECT_EQ(step->identity.session_key, started.client.session_key()) << exchange;
        EXPECT_EQ(step->identity.session_key == ByteString(16), !exchange);
    }
}

TEST(NtlmLogon, GuestOnlyIfAllowedAndOnlyForUnknownNames) {
    NtlmClientOptions options = alice();
    options.user = "mallory";
    options.mic = false;
    options.mech_list_mic = false;
    ServerOptions server;
    EXPECT_EQ(log_on(options, server).status, NtStatus::LOGON_FAILURE);
    server.allow_guest = true;
    const Outcome outcome = log_on(options, server);
    ASSERT_EQ(outcome.status, NtStatus::SUCCESS);
    EXPECT_TRUE(outcome.identity.caller->guest);
    EXPECT_EQ(outcome.identity.caller->uid, 65534U);
    EXPECT_TRUE(outcome.identity.session_key.empty());
    options = alice();
    options.password = "wrong";
    EXPECT_EQ(log_on(options, server).status, NtStatus::LOGON_FAILURE);
    options.user = "bob";
    options.password = good_password;
    EXPECT_EQ(log_on(options, server).status, NtStatus::ACCOUNT_DISABLED);
}

TEST(NtlmLogon, MsNlmp_3_2_5_1_2_ChannelBindings) {
    const ByteString certificate(32, std::byte{0x5A});
    const auto right = ntlm::channel_bindings(certificate);
    ASSERT_TRUE(right);
    ServerOptions tls;
    tls.peer.channel_bindings = certificate;
    NtlmClientOptions options = alice();
    EXPECT_EQ(log_on(options, tls).status, NtStatus::SUCCESS);  // a client without them
    tls.require_channel_bindings = true;
    EXPECT_EQ(log_on(options, tls).status, NtStatus::LOGON_FAILURE);
    options.channel_bindings = copy_bytes(*right);
    EXPECT_EQ(log_on(options, tls).status, NtStatus::SUCCESS);
    EXPECT_EQ(log_on(options).status, NtStatus::SUCCESS);  // the transport has none
    (*options.channel_bindings)[3] ^= std::byte{1};
    EXPECT_EQ(log_on(options, tls).status, NtStatus::LOGON_FAILURE);
    tls.require_channel_bindings = false;
    EXPECT_EQ(log_on(options, tls).status, NtStatus::LOGON_FAILURE);
    options.channel_bindings = ByteString(16);
    EXPECT_EQ(log_on(options, tls).status, NtStatus::SUCCESS);  // zeros say "none"
}

TEST(NtlmLogon, TargetNameIsTaken) {
    NtlmClientOptions options = alice();
    options.target_name = "cifs/nas.example.org";
    EXPECT_EQ(log_on(options).status, NtStatus::SUCCESS);
}

}  // namespace
}  // namespace smb3d::auth::test
