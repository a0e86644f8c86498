// The vectors of [MS-NLMP] 4.2: user "User", password "Password", domain "Domain", NTLMv2.
#include "auth/ntlm_crypto.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "auth_fixture.h"
#include "base/utf16.h"

namespace smb3d::auth::test {
namespace {

using namespace ntlm;

// 4.2.4.3
constexpr const char* challenge_hex =
    "4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef 0000000000000000"
    "2400240044000000 060070170000000f 530065007200760065007200"
    "02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000";
constexpr const char* authenticate_hex =
    "4e544c4d53535000 03000000 180018006c000000 5400540084000000 0c000c0048000000"
    "0800080054000000 100010005c000000 10001000d8000000 358288e2 0501280a0000000f"
    "44006f006d00610069006e00 5500730065007200 43004f004d0050005500540045005200"
    "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
    "68cd0ab851e51c96aabc927bebef6a1c"
    "0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000"
    "02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000"
    "c5dad2544fc9799094ce1ce90bc9d03e";

Key key_of(std::string_view hex) {
    Key key{};
    std::ranges::copy(from_hex(hex), key.begin());
    return key;
}

ByteString utf16(std::u16string_view text) { return utf16le_bytes(text); }

const Challenge server_challenge = [] {
    Challenge out{};
    std::ranges::copy(from_hex("0123456789abcdef"), out.begin());
    return out;
}();

Challenge client_nonce() {
    Challenge out{};
    out.fill(std::byte{0xAA});
    return out;
}

ByteString blob() {
    const auto challenge = *parse_challenge(from_hex(challenge_hex));
    return encode_client_challenge(0, client_nonce(), challenge.target_info);
}

Key ntowf() { return *ntowf_v2(*nt_hash(u"Password"), utf16(u"User"), utf16(u"Domain")); }

TEST(NtlmCrypto, MsNlmp_4_2_2_1_2_NtHash) {
    EXPECT_EQ(to_hex(*nt_hash(u"Password")), "a4f49c406510bdcab6824ee7c30fd852");
}

TEST(NtlmCrypto, MsNlmp_4_2_4_1_1_NTOWFv2) {
    EXPECT_EQ(to_hex(ntowf()), "0c868a403bfd7a93a3001ef22ef02e3f");
    // The user's case does not count, the domain's does.
    EXPECT_EQ(*ntowf_v2(*nt_hash(u"Password"), utf16(u"uSER"), utf16(u"Domain")), ntowf());
    EXPECT_NE(*ntowf_v2(*nt_hash(u"Password"), utf16(u"User"), utf16(u"DOMAIN")), ntowf());
}

TEST(NtlmCrypto, MsNlmp_4_2_4_1_2_SessionBaseKey) {
    const Key proof = *nt_proof(ntowf(), server_challenge, blob());
    EXPECT_EQ(to_hex(*session_base_key(ntowf(), proof)), "8de40ccadbc14a82f15cb0ad0de95ca3");
}

TEST(NtlmCrypto, MsNlmp_4_2_4_2_2_NtProof) {
    EXPECT_EQ(to_hex(*nt_proof(ntowf(), server_challenge, blob())),
              "68cd0ab851e51c96aabc927bebef6a1c");
}

TEST(NtlmCrypto, MsNlmp_4_2_4_2_3_EncryptedSessionKey) {
    const Key random = key_of("55555555555555555555555555555555");
    const Key base = key_of("8de40ccadbc14a82f15cb0ad0de95ca3");
    const Key sealed = *exchange_key(base, random);
    EXPECT_EQ(to_hex(sealed), "c5dad2544fc9799094ce1ce90bc9d03e");
    EXPECT_EQ(*exchange_key(base, sealed), random);
}

TEST(NtlmCrypto, MsNlmp_4_2_4_4_SignAndSealKeys) {
    const Key random = key_of("55555555555555555555555555555555");
    EXPECT_EQ(to_hex(*sign_key(random, Direction::client_to_server)),
              "4788dc861b4782f35d43fd98fe1a2d39");
    EXPECT_EQ(to_hex(*seal_key(negotiate_128, random, Direction::client_to_server)),
              "59f600973cc4960a25480a7c196e4c58");
    EXPECT_NE(*seal_key(negotiate_56, random, Direction::client_to_server),
              *seal_key(negotiate_128, random, Direction::client_to_server));
    EXPECT_NE(*seal_key(negotiate_56, random, Direction::client_to_server),
              *seal_key(0, random, Direction::client_to_server));
}

// The checksum of 4.2.4.4 before it is sealed: what a client without KEY_EXCH sends.
TEST(NtlmCrypto, MsNlmp_4_2_4_4_Signature) {
    const Key random = key_of("55555555555555555555555555555555");
    const ByteString text = utf16(u"Plaintext");
    EXPECT_EQ(to_hex(*signature(negotiate_128, random, Direction::client_to_server, 0, text)),
              "0100000070352851f256430900000000");
}

TEST(NtlmMessages, MsNlmp_4_2_4_3_Challenge) {
    const ByteString bytes = from_hex(challenge_hex);
    const auto message = parse_challenge(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->flags, 0xE28A8233U);
    EXPECT_EQ(message->challenge, server_challenge);
    EXPECT_EQ(message->target_name, utf16(u"Server"));
    const auto pairs = parse_av_pairs(message->target_info);
    ASSERT_TRUE(pairs);
    ASSERT_EQ(pairs->size(), 2U);
    EXPECT_EQ(copy_bytes(find_av_pair(*pairs, AvId::nb_domain_name)->value), utf16(u"Domain"));
    EXPECT_EQ(copy_bytes(find_av_pair(*pairs, AvId::nb_computer_name)->value), utf16(u"Server"));
    EXPECT_EQ(find_av_pair(*pairs, AvId::timestamp), nullptr);
}

TEST(NtlmMessages, MsNlmp_4_2_4_3_Authenticate) {
    const ByteString bytes = from_hex(authenticate_hex);
    const auto message = parse_authenticate(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->flags, 0xE2888235U);
    EXPECT_EQ(copy_bytes(message->user), utf16(u"User"));
    EXPECT_EQ(copy_bytes(message->domain), utf16(u"Domain"));
    EXPECT_EQ(copy_bytes(message->workstation), utf16(u"COMPUTER"));
    EXPECT_EQ(message->lm_response.size(), 24U);
    EXPECT_FALSE(message->mic);  // its payload begins right after the version
    EXPECT_EQ(to_hex(message->encrypted_session_key), "c5dad2544fc9799094ce1ce90bc9d03e");
    const auto response = parse_ntlmv2_response(message->nt_response);
    ASSERT_TRUE(response);
    EXPECT_EQ(copy_bytes(response->client_challenge), blob());
    EXPECT_EQ(response->av_pairs.size(), 2U);
}

TEST(NtlmMessages, TruncatedMessagesAreRefusedAtEveryLength) {
    const ByteString challenge = from_hex(challenge_hex);
    for (std::size_t size = 0; size < challenge.size(); ++size) {
        EXPECT_FALSE(parse_challenge(Bytes(challenge).first(size))) << size;
    }
    const ByteString authenticate = from_hex(authenticate_hex);
    for (std::size_t size = 0; size < authenticate.size(); ++size) {
        EXPECT_FALSE(parse_authenticate(Bytes(authenticate).first(size))) << size;
    }
}

TEST(NtlmMessages, FieldsMustNotReachIntoTheFixedPart) {
    ByteString bytes = from_hex(authenticate_hex);
    bytes[16] = std::byte{0x08};  // LmChallengeResponse BufferOffset
    EXPECT_FALSE(parse_authenticate(bytes));
}

TEST(NtlmMessages, NamesMustBeWholeUtf16Units) {
    ByteString bytes = from_hex(authenticate_hex);
    bytes[36] = std::byte{0x07};  // UserNameLen
    EXPECT_FALSE(parse_authenticate(bytes));
}

TEST(NtlmMessages, MsNlmp_2_2_1_1_NegotiateMayEndAfterTheFlags) {
    const ByteString full = encode_negotiate({0x00000001, {}, {}});
    EXPECT_EQ(parse_negotiate(Bytes(full).first(16))->flags, 1U);
    for (std::size_t size = 0; size < 16; ++size) {
        EXPECT_FALSE(parse_negotiate(Bytes(full).first(size))) << size;
    }
    ByteString wrong = full;
    wrong[8] = std::byte{3};  // MessageType
    EXPECT_FALSE(parse_negotiate(wrong));
}

TEST(NtlmMessages, MsNlmp_2_2_2_1_AvPairs) {
    EXPECT_TRUE(parse_av_pairs({}));
    EXPECT_TRUE(parse_av_pairs(from_hex("00000000")));
    EXPECT_TRUE(parse_av_pairs(from_hex("00000000 ffffffff")));  // behind MsvAvEOL
    EXPECT_FALSE(parse_av_pairs(from_hex("0100")));
    EXPECT_FALSE(parse_av_pairs(from_hex("01000400 41")));
    ByteString many;
    for (std::size_t i = 0; i <= max_av_pairs; ++i) append(many, from_hex("01000000"));
    EXPECT_FALSE(parse_av_pairs(many));
}

}  // namespace
}  // namespace smb3d::auth::test
