// NEGOTIATE, SESSION_SETUP and what follows from them: [MS-SMB2] 3.3.5.3 to 3.3.5.7, 3.3.5.15.12.
#include <gtest/gtest.h>

#include "client/test_client.h"
#include "fscc/fsctl.h"
#include "wire/smb1_negotiate.h"

namespace smb3d::test {
namespace {

constexpr std::uint32_t validate_negotiate_info = 0x00140204;

class EveryDialect : public ::testing::TestWithParam<std::uint16_t> {};

TEST_P(EveryDialect, LogsOnAndWorks_3_3_5_4) {
    TestServer server;
    TestClient client(server);
    const Reply reply = client.negotiate(GetParam());
    ASSERT_TRUE(reply.ok());
    const auto response = reply.body<wire::NegotiateResponse>();
    EXPECT_EQ(response.dialect_revision, GetParam());
    EXPECT_EQ(response.server_guid, server.config().guid);
    EXPECT_EQ(response.max_read_size, GetParam() == 0x0202 ? 65536U : server.config().max_transact);
    EXPECT_EQ((response.capabilities & wire::capabilities::large_mtu) != 0, GetParam() != 0x0202);
    const bool by_capability = GetParam() == 0x0300 || GetParam() == 0x0302;
    EXPECT_EQ((response.capabilities & wire::capabilities::encryption) != 0, by_capability);

    const Reply setup = client.session_setup("2/alice");
    ASSERT_TRUE(setup.ok());
    EXPECT_TRUE(setup.was_signed);
    ASSERT_TRUE(client.tree_connect("DATA").ok());
    const Reply created = client.create("file");
    ASSERT_TRUE(created.ok());
    EXPECT_TRUE(created.was_signed);
    if (GetParam() >= 0x0300) {
        client.encrypt = true;
        const Reply sealed = client.echo();
        EXPECT_TRUE(sealed.ok());
        EXPECT_TRUE(sealed.encrypted);
    }
}
INSTANTIATE_TEST_SUITE_P(Dialects, EveryDialect,
                         ::testing::Values(0x0202, 0x0210, 0x0300, 0x0302, 0x0311));

TEST(Negotiate, TakesTheGreatestCommonDialect_3_3_5_4) {
    TestServer server({.configure = [](auto& c) { c.max_dialect = engine::Dialect::smb302; }});
    TestClient client(server);
    ASSERT_TRUE(client.negotiate(NegotiateOptions{}).ok());
    EXPECT_EQ(client.dialect, 0x0302);
}

TEST(Negotiate, WithoutACommonDialectIsNotSupported_3_3_5_4) {
    TestServer server({.configure = [](auto& c) { c.min_dialect = engine::Dialect::smb300; }});
    TestClient client(server);
    EXPECT_EQ(client.negotiate(0x0210).status(), NtStatus::NOT_SUPPORTED);
    TestClient other(server);
    EXPECT_EQ(other.negotiate(NegotiateOptions{.dialects = {}}).status(),
              NtStatus::INVALID_PARAMETER);
    TestClient unknown(server);
    EXPECT_EQ(unknown.negotiate(0x0999).status(), NtStatus::NOT_SUPPORTED);
}

TEST(Negotiate, ContextsAreSettled_3_3_5_4) {
    TestServer server;
    TestClient none(server);
    EXPECT_EQ(none.negotiate({.dialects = {0x0311}, .preauth = false}).status(),
              NtStatus::INVALID_PARAMETER);
    // Our order decides, not the client's.
    TestClient order(server);
    ASSERT_TRUE(order.negotiate({.ciphers = {2, 1, 3, 4}, .signing = {0, 1, 2}}).ok());
    EXPECT_EQ(order.cipher, wire::cipher::aes_128_gcm);
    EXPECT_EQ(order.signing_algorithm, wire::signing::aes_gmac);
    // No cipher in common: answered with 0, and the connection goes on without encryption.
    TestClient cipher(server);
    ASSERT_TRUE(cipher.negotiate({.ciphers = {0x77}}).ok());
    EXPECT_EQ(cipher.cipher, 0);
    EXPECT_TRUE(cipher.session_setup("alice").ok());
    // No signing context: CMAC.
    TestClient cmac(server);
    ASSERT_TRUE(cmac.negotiate({.signing = {}}).ok());
    EXPECT_EQ(cmac.signing_algorithm, wire::signing::aes_cmac);
    EXPECT_TRUE(cmac.session_setup("alice").was_signed);
}

// Every cipher and every signing algorithm, through a session.
TEST(Negotiate, EveryAlgorithmWorks_2_2_3_1) {
    TestServer server;
    for (std::uint16_t cipher = 1; cipher <= 4; ++cipher) {
        for (std::uint16_t signing = 0; signing <= 2; ++signing) {
            TestClient client(server);
            ASSERT_TRUE(client.negotiate({.ciphers = {cipher}, .signing = {signing}}).ok());
            ASSERT_EQ(client.cipher, cipher);
            ASSERT_EQ(client.signing_algorithm, signing);
            ASSERT_TRUE(client.session_setup("2/alice").was_signed);
            EXPECT_TRUE(client.tree_connect("data").was_signed);
            client.encrypt = true;
            EXPECT_TRUE(client.create("x").encrypted);
        }
    }
}

Reply negotiate_raw(TestClient& client, const std::vector<wire::NegotiateContext>& contexts) {
    wire::NegotiateRequest request;
    request.dialects = {0x0311};
    request.negotiate_contexts = contexts;
    return client.call(request);
}

TEST(Negotiate, UnknownContextsAreIgnoredBrokenOnesRefused_3_3_5_4) {
    TestServer server;
    wire::NegotiateContexts known;
    known.preauth_integrity.emplace().hash_algorithms = {wire::hash_sha512};
    known.compression.emplace().compression_algorithms = {wire::compression::lz77};
    const wire::NegotiateContextBuilder builder(known);
    std::vector<wire::NegotiateContext> contexts = builder.contexts();
    const Message junk(5, std::byte{0xEE});
    contexts.push_back({static_cast<wire::NegotiateContextType>(0x7777), junk});
    TestClient client(server);
    const Reply reply = negotiate_raw(client, contexts);
    ASSERT_TRUE(reply.ok());
    const auto response = reply.body<wire::NegotiateResponse>();
    const auto answers = wire::decode(response.negotiate_contexts);
    ASSERT_TRUE(answers);
    ASSERT_TRUE(answers->compression);
    EXPECT_EQ(answers->compression->compression_algorithms, std::vector<std::uint16_t>{0});
    EXPECT_FALSE(answers->encryption);

    TestClient twice(server);
    contexts.push_back(contexts.front());
    EXPECT_EQ(negotiate_raw(twice, contexts).status(), NtStatus::INVALID_PARAMETER);
    TestClient broken(server);
    EXPECT_EQ(negotiate_raw(broken, {{wire::NegotiateContextType::preauth_integrity_capabilities,
                                      Bytes(junk).first(3)}})
                  .status(),
              NtStatus::INVALID_PARAMETER);
    wire::NegotiateContexts other_hash;
    other_hash.preauth_integrity.emplace().hash_algorithms = {0x0009};
    const wire::NegotiateContextBuilder other(other_hash);
    TestClient hash(server);
    EXPECT_EQ(negotiate_raw(hash, other.contexts()).status(),
              NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP);
}

TEST(Negotiate, ASecondOneDisconnects_3_3_5_4) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.negotiate(0x0302).ok());
    client.send(client.make_raw(wire::Command::negotiate, wire::to_bytes([] {
                                    wire::NegotiateRequest again;
                                    again.dialects = {0x0202};
                                    return again;
                                }())));
    EXPECT_TRUE(client.disconnected());
    EXPECT_TRUE(server.all_released()) << server.leftovers();
}

TEST(Negotiate, NothingElseMayComeFirst_3_3_5_2) {
    TestServer server;
    TestClient client(server);
    client.send(client.make(wire::EchoRequest{}));
    EXPECT_TRUE(client.disconnected());
}

TEST(Negotiate, OfSmb1LeadsToSmb2_3_3_5_3) {
    TestServer server;
    const std::vector<std::string_view> both{"NT LM 0.12", "SMB 2.002", "SMB 2.???"};
    TestClient client(server);
    client.send_message(wire::make_smb1_negotiate(both));
    const auto answer = client.receive_message();
    ASSERT_TRUE(answer);
    EXPECT_EQ(wire::parse<wire::NegotiateResponse>(*answer)->dialect_revision, 0x02FF);
    client.next_message_id = 1;
    EXPECT_TRUE(client.log_on(0x0311));

    TestClient old(server);
    old.send_message(wire::make_smb1_negotiate(std::vector<std::string_view>{"SMB 2.002"}));
    const auto old_answer = old.receive_message();
    ASSERT_TRUE(old_answer);
    EXPECT_EQ(wire::parse<wire::NegotiateResponse>(*old_answer)->dialect_revision, 0x0202);
    old.next_message_id = 1;
    old.dialect = 0x0202;
    EXPECT_TRUE(old.session_setup("alice").ok());

    TestClient smb1(server);
    smb1.send_message(wire::make_smb1_negotiate(std::vector<std::string_view>{"NT LM 0.12"}));
    EXPECT_TRUE(smb1.disconnected());
    TestClient again(server);
    again.send_message(wire::make_smb1_negotiate(both));
    ASSERT_TRUE(again.receive_message());
    again.send_message(wire::make_smb1_negotiate(both));
    EXPECT_TRUE(again.disconnected());
}

TEST(Negotiate, OfSmb1CanBeSwitchedOff_3_3_5_3) {
    TestServer server({.configure = [](auto& c) { c.multi_protocol_negotiate = false; }});
    TestClient client(server);
    client.send_message(wire::make_smb1_negotiate(std::vector<std::string_view>{"SMB 2.???"}));
    EXPECT_TRUE(client.disconnected());
}

TEST(SessionSetup, RefusesAndLeavesNothingBehind_3_3_5_5) {
    for (const bool on_worker : {false, true}) {
        TestServer server({.logon_on_worker = on_worker});
        TestClient client(server);
        ASSERT_TRUE(client.negotiate(0x0311).ok());
        EXPECT_EQ(client.session_setup("bad").status(), NtStatus::LOGON_FAILURE);
        EXPECT_EQ(client.session_setup("2/bad").status(), NtStatus::LOGON_FAILURE);
        EXPECT_EQ(client.session_setup("alice", 0x1234).status(), NtStatus::USER_SESSION_DELETED);
        EXPECT_EQ(server.engine().totals().sessions, 0U);
        EXPECT_TRUE(client.session_setup("2/alice").ok());
        EXPECT_EQ(server.engine().totals().sessions, 1U);
    }
}

TEST(SessionSetup, AnUnfinishedLogonAdmitsNothing_3_3_5_2_9) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.negotiate(0x0311).ok());
    wire::SessionSetupRequest setup;
    setup.security_buffer = std::as_bytes(std::span(std::string_view("2/alice")));
    const Reply first = client.call(setup);
    ASSERT_EQ(first.status(), NtStatus::MORE_PROCESSING_REQUIRED);
    client.session_id = first.header.session_id;
    EXPECT_EQ(client.tree_connect("data").status(), NtStatus::USER_SESSION_DELETED);
    EXPECT_EQ(client.logoff().status(), NtStatus::USER_SESSION_DELETED);
    client.disconnect();
    EXPECT_TRUE(server.all_released()) << server.leftovers();
}

TEST(SessionSetup, BindingIsRefusedWithoutMultichannel_3_3_5_5) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    wire::SessionSetupRequest setup;
    setup.flags = wire::session_flag_binding;
    setup.security_buffer = std::as_bytes(std::span(std::string_view("alice")));
    EXPECT_EQ(client.call(setup).status(), NtStatus::REQUEST_NOT_ACCEPTED);
}

TEST(SessionSetup, EncryptionRequiredRefusesWhoCannot_3_3_5_5) {
    TestServer server({.configure = [](auto& c) { c.encryption = engine::Encryption::required; }});
    TestClient client(server);
    ASSERT_TRUE(client.negotiate(0x0210).ok());
    EXPECT_EQ(client.session_setup("alice").status(), NtStatus::ACCESS_DENIED);
    TestClient guest(server);
    ASSERT_TRUE(guest.negotiate(0x0311).ok());
    EXPECT_EQ(guest.session_setup("guest").status(), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(server.engine().totals().sessions, 0U);
}

TEST(SessionSetup, PreviousSessionIsEnded_3_3_5_5_3) {
    TestServer server({.loops = 2});
    TestClient before(server);
    ASSERT_TRUE(before.log_on());
    ASSERT_TRUE(before.create("held").ok());
    TestClient stranger(server);
    ASSERT_TRUE(stranger.negotiate(0x0210).ok());
    wire::SessionSetupRequest setup;
    setup.previous_session_id = before.session_id;
    setup.security_buffer = std::as_bytes(std::span(std::string_view("mallory")));
    ASSERT_TRUE(stranger.call(setup).ok());
    EXPECT_TRUE(before.echo().ok());
    EXPECT_EQ(server.engine().totals().opens, 1U);  // another user ends nothing
    TestClient after(server);
    ASSERT_TRUE(after.negotiate(0x0210).ok());
    setup.security_buffer = std::as_bytes(std::span(std::string_view("alice")));
    ASSERT_TRUE(after.call(setup).ok());
    EXPECT_TRUE(TestServer::eventually([&] { return server.engine().totals().opens == 0; }));
    EXPECT_EQ(before.create("again").status(), NtStatus::USER_SESSION_DELETED);
}

TEST(SessionSetup, AnExpiredSessionMayOnlyCloseAndRenew_3_3_5_2_9) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.negotiate(0x0302).ok());
    ASSERT_TRUE(client.session_setup("old").ok());
    EXPECT_EQ(client.tree_connect("data").status(), NtStatus::NETWORK_SESSION_EXPIRED);
    EXPECT_TRUE(client.session_setup("alice", client.session_id).ok());
    ASSERT_TRUE(client.tree_connect("data").ok());
    EXPECT_TRUE(client.create("x").ok());
}

TEST(TreeConnect, WantsASignedRequestOf311_3_3_5_7) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.negotiate(0x0311).ok());
    ASSERT_TRUE(client.session_setup("alice").ok());
    client.sign = false;
    EXPECT_TRUE(client.tree_connect("data").lost);
    EXPECT_TRUE(client.disconnected());
}

TEST(TreeConnect, NamesThatAreNoShare_3_3_5_7) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    for (const std::string_view name : {"nothing", "", "data\\sub", "d\x01ta"}) {
        EXPECT_EQ(client.tree_connect(name).status(), NtStatus::BAD_NETWORK_NAME) << name;
    }
}

Message validate_info(const TestClient& client) {
    fscc::ValidateNegotiateInfoRequest info;
    info.capabilities = client.negotiated_with.capabilities;
    info.guid.fill(0xC1);
    info.security_mode = client.negotiated_with.security_mode;
    info.dialects = client.negotiated_with.dialects;
    return wire::to_bytes(info);
}

TEST(ValidateNegotiateInfo, AnswersOrDisconnects_3_3_5_15_12) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on(0x0302));
    const Message info = validate_info(client);
    const Reply reply = client.ioctl(wire::file_id_any, validate_negotiate_info, info);
    ASSERT_TRUE(reply.ok());
    EXPECT_TRUE(reply.was_signed);
    const auto body = reply.body<wire::IoctlResponse>();
    const auto answer = wire::parse<fscc::ValidateNegotiateInfoResponse>(body.output.bytes);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->dialect, 0x0302);
    EXPECT_EQ(answer->guid, server.config().guid);
    // Whatever of it is changed on the way.
    for (const std::size_t at :
         {std::size_t{0}, std::size_t{4}, std::size_t{20}, info.size() - 1}) {
        TestClient attacked(server);
        ASSERT_TRUE(attacked.log_on(0x0302));
        Message changed = validate_info(attacked);
        changed[at] ^= std::byte{4};
        EXPECT_TRUE(attacked.ioctl(wire::file_id_any, validate_negotiate_info, changed).lost) << at;
        EXPECT_TRUE(attacked.disconnected());
    }
}

}  // namespace
}  // namespace smb3d::test
