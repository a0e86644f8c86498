// RFC 4178 and [MS-SPNG]: tokens, and what the acceptor answers.
#include "auth/spnego.h"

#include <gtest/gtest.h>

#include "auth/der.h"
#include "auth_fixture.h"

namespace smb3d::auth::test {
namespace {

ByteString mech(Bytes oid) { return copy_bytes(oid); }

const NegTokenResp response_of(Bytes token) {
    auto parsed = parse_neg_token(token);
    EXPECT_TRUE(parsed);
    if (!parsed || !std::holds_alternative<NegTokenResp>(*parsed)) return {};
    return std::get<NegTokenResp>(*parsed);
}

TEST(Der, RefusesWhatIsNotDefiniteAndBounded) {
    const char* const malformed[] = {
        "",                // nothing
        "04",              // no length
        "0480",            // indefinite
        "0401",            // content missing
        "048201",          // length cut off
        "0485ffffffffff",  // length of five bytes
        "0484ffffffff",    // longer than the message
        "1f810100",        // tag of several bytes
    };
    for (const char* hex : malformed) {
        const ByteString bytes = from_hex(hex);
        der::Reader reader(bytes);
        EXPECT_FALSE(reader.next()) << hex;
    }
}

TEST(Der, LengthsRoundTripAroundTheirForms) {
    for (const std::size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 60000U}) {
        const ByteString content(size, std::byte{7});
        const ByteString whole = der::element(der::octet_string, content);
        der::Reader reader(whole);
        const auto element = reader.next();
        ASSERT_TRUE(element) << size;
        EXPECT_EQ(element->content.size(), size);
        EXPECT_TRUE(reader.empty());
    }
}

TEST(Der, DepthIsLimited) {
    ByteString nested;
    for (unsigned i = 0; i <= der::max_depth; ++i) nested = der::element(der::sequence, nested);
    Result<der::Reader> reader = der::Reader(nested);
    unsigned depth = 0;
    while (reader && !reader->empty()) {
        reader = reader->enter(der::sequence);
        if (reader) ++depth;
    }
    EXPECT_EQ(depth, der::max_depth);
}

// As Windows and Samba send it when NTLMSSP is the only mechanism.
TEST(Spnego, MsSpng_3_2_5_2_HintInNegotiate) {
    std::vector<std::shared_ptr<const Mechanism>> mechanisms{
        std::make_shared<NtlmMechanism>(NtlmOptions{}, make_accounts())};
    const ByteString hint = make_neg_hint(mechanisms);
    EXPECT_EQ(
        to_hex(hint),
        "604806062b0601050502a03e303ca00e300c060a2b06010401823702020a"
        "a32a3028a0261b246e6f745f646566696e65645f696e5f5246433431373840706c656173655f69676e6f7265");
    const auto parsed = parse_neg_token(hint);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(std::get<NegTokenInit>(*parsed).hint_name, neg_hint_name);
}

TEST(Spnego, Rfc4178_4_2_TokensRoundTrip) {
    NegTokenInit init;
    init.mech_types = {mech(oid::kerberos()), mech(oid::ntlmssp())};
    init.mech_token = from_hex("010203");
    init.mech_list_mic = from_hex("aabb");
    const auto parsed = parse_neg_token(encode_neg_token(init));
    ASSERT_TRUE(parsed);
    const auto& again = std::get<NegTokenInit>(*parsed);
    EXPECT_EQ(again.mech_types, init.mech_types);
    EXPECT_EQ(again.mech_types_der, encode_mech_types(init.mech_types));
    EXPECT_EQ(again.mech_token, init.mech_token);
    EXPECT_EQ(again.mech_list_mic, init.mech_list_mic);

    NegTokenResp resp;
    resp.state = NegState::request_mic;
    resp.supported_mech = mech(oid::ntlmssp());
    resp.response_token = from_hex("04");
    resp.mech_list_mic = from_hex("05");
    const NegTokenResp back = response_of(encode_neg_token(resp));
    EXPECT_EQ(back.state, resp.state);
    EXPECT_EQ(back.supported_mech, resp.supported_mech);
    EXPECT_EQ(back.response_token, resp.response_token);
    EXPECT_EQ(back.mech_list_mic, resp.mech_list_mic);
}

TEST(Spnego, TruncatedTokensAreRefusedAtEveryLength) {
    NegTokenInit init;
    init.mech_types = {mech(oid::ntlmssp())};
    init.mech_token = from_hex("010203");
    const ByteString whole = encode_neg_token(init);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(parse_neg_token(Bytes(whole).first(size))) << size;
    }
    const ByteString resp = encode_neg_token(
        NegTokenResp{NegState::accept_incomplete, mech(oid::ntlmssp()), from_hex("01"), {}});
    for (std::size_t size = 0; size < resp.size(); ++size) {
        EXPECT_FALSE(parse_neg_token(Bytes(resp).first(size))) << size;
    }
}

TEST(Spnego, TooManyMechanismsAreRefused) {
    NegTokenInit init;
    init.mech_types.assign(max_mech_types + 1, mech(oid::ntlmssp()));
    EXPECT_FALSE(parse_neg_token(encode_neg_token(init)));
    init.mech_types.clear();
    EXPECT_FALSE(parse_neg_token(encode_neg_token(init)));
}

TEST(Spnego, OtherMechanismsOidInTheInitialTokenIsRefused) {
    ByteString content = der::element(der::object_identifier, oid::kerberos());
    const ByteString token = der::element(der::application_0, content);
    EXPECT_EQ(make_exchange()->step(token).error(), NtStatus::INVALID_PARAMETER);
}

TEST(Spnego, NoCommonMechanism) {
    NegTokenInit init;
    init.mech_types = {mech(oid::kerberos()), mech(oid::ms_kerberos())};
    EXPECT_EQ(make_exchange()->step(encode_neg_token(init)).error(), NtStatus::INVALID_PARAMETER);
}

TEST(Spnego, OptimisticTokenIsAnsweredAtOnce) {
    const auto exchange = make_exchange();
    NtlmClient client(alice());
    const auto step = exchange->step(client.first());
    ASSERT_TRUE(step);
    EXPECT_FALSE(step->complete);
    const NegTokenResp answer = response_of(step->token);
    EXPECT_EQ(answer.state, NegState::accept_incomplete);
    EXPECT_EQ(answer.supported_mech, mech(oid::ntlmssp()));
    ASSERT_TRUE(answer.response_token);
    EXPECT_TRUE(ntlm::parse_challenge(*answer.response_token));
}

// RFC 4178 4.2.2: Kerberos first with a token for it; the server takes the second and asks for a
// MIC.
TEST(Spnego, KerberosFirstIsAnsweredWithRequestMic) {
    const auto exchange = make_exchange();
    NtlmClientOptions options = alice();
    options.kerberos_first = true;
    NtlmClient client(options);
    const auto step = exchange->step(client.first());
    ASSERT_TRUE(step);
    EXPECT_FALSE(step->complete);
    const NegTokenResp answer = response_of(step->token);
    EXPECT_EQ(answer.state, NegState::request_mic);
    EXPECT_EQ(answer.supported_mech, mech(oid::ntlmssp()));
    EXPECT_FALSE(answer.response_token);
}

TEST(Spnego, EveryShapeOfExchangeSucceeds) {
    for (int bits = 0; bits < 32; ++bits) {
        NtlmClientOptions options = alice();
        options.kerberos_first = (bits & 1) != 0;
        options.optimistic = (bits & 2) != 0;
        options.mic = (bits & 4) != 0;
        options.late_mech_list_mic = (bits & 8) != 0;
        options.spnego = (bits & 16) == 0;
        const auto exchange = make_exchange();
        NtlmClient client(options);
        const Outcome outcome = run(*exchange, client);
        // A late MIC that the server has no reason to wait for never gets its turn.
        const bool unexpected =
            options.spnego && options.late_mech_list_mic && !options.mic && options.kerberos_first;
        if (unexpected) continue;
        EXPECT_EQ(outcome.status, NtStatus::SUCCESS) << bits;
        EXPECT_EQ(to_hex(outcome.identity.session_key), to_hex(client.session_key())) << bits;
        const bool mic_due = options.spnego && (options.mic || options.kerberos_first);
        EXPECT_EQ(client.server_sent_mech_list_mic(), mic_due) << bits;
    }
}

TEST(Spnego, MsSpng_3_3_5_1_MicInAuthenticateMakesMechListMicMandatory) {
    NtlmClientOptions options = alice();
    options.mech_list_mic = false;
    const auto exchange = make_exchange();
    NtlmClient client(options);
    auto step = exchange->step(client.first());
    ASSERT_TRUE(step);
    auto token = client.step(step->token);
    ASSERT_TRUE(token);
    step = exchange->step(*token);
    ASSERT_TRUE(step);
    EXPECT_FALSE(step->complete);
    EXPECT_EQ(response_of(step->token).state, NegState::accept_incomplete);
    EXPECT_TRUE(response_of(step->token).mech_list_mic);
    // What is not a MIC does not end it.
    EXPECT_FALSE(exchange->step(encode_neg_token(NegTokenResp{})));
}

TEST(Spnego, WrongMechListMicIsRefused) {
    for (const bool late : {false, true}) {
        NtlmClientOptions options = alice();
        options.mech_list_mic = false;
        const auto exchange = make_exchange();
        NtlmClient client(options);
        auto step = exchange->step(client.first());
        ASSERT_TRUE(step);
        auto token = client.step(step->token);
        ASSERT_TRUE(token);
        NegTokenResp response = response_of(*token);
        ByteString mic = client.mech_list_mic();
        mic[5] ^= std::byte{1};
        if (late) {
            ASSERT_TRUE(exchange->step(*token));
            response = NegTokenResp{};
        }
        response.mech_list_mic = mic;
        const auto last = exchange->step(encode_neg_token(response));
        ASSERT_FALSE(last);
        EXPECT_EQ(last.error(), NtStatus::LOGON_FAILURE);
    }
}

// The attack that mechListMIC is there for: somebody on the way takes mechanisms out of the list.
TEST(Spnego, Rfc4178_5_ChangedMechListIsNoticed) {
    const auto exchange = make_exchange();
    NtlmClientOptions options = alice();
    options.kerberos_first = true;
    NtlmClient client(options);
    auto init = std::get<NegTokenInit>(*parse_neg_token(client.first()));
    init.mech_types.erase(init.mech_types.begin());
    auto step = exchange->step(encode_neg_token(init));
    while (step && !step->complete) {
        auto token = client.step(step->token);
        ASSERT_TRUE(token);
        step = exchange->step(*token);
    }
    ASSERT_FALSE(step);
    EXPECT_EQ(step.error(), NtStatus::LOGON_FAILURE);
}

TEST(Spnego, ClientsRejectEndsIt) {
    const auto exchange = make_exchange();
    NtlmClient client(alice());
    ASSERT_TRUE(exchange->step(client.first()));
    const auto step = exchange->step(encode_neg_token(NegTokenResp{NegState::reject, {}, {}, {}}));
    ASSERT_FALSE(step);
    EXPECT_EQ(step.error(), NtStatus::LOGON_FAILURE);
}

TEST(Spnego, AFailedExchangeStaysFailed) {
    const auto exchange = make_exchange();
    EXPECT_FALSE(exchange->step(from_hex("00")));
    NtlmClient client(alice());
    EXPECT_FALSE(exchange->step(client.first()));
}

TEST(Spnego, AFinishedExchangeTakesNothingMore) {
    const auto exchange = make_exchange();
    NtlmClient client(alice());
    ASSERT_EQ(run(*exchange, client).status, NtStatus::SUCCESS);
    EXPECT_FALSE(exchange->step(client.first()));
}

TEST(Spnego, TheFirstTokenMustNotBeAResponse) {
    const ByteString token =
        encode_neg_token(NegTokenResp{NegState::accept_incomplete, {}, from_hex("00"), {}});
    EXPECT_EQ(make_exchange()->step(token).error(), NtStatus::INVALID_PARAMETER);
    EXPECT_FALSE(make_exchange()->step({}));
}

}  // namespace
}  // namespace smb3d::auth::test
