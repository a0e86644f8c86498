// What must be signed, what must be encrypted, and whose session it is:
// [MS-SMB2] 3.3.5.2.1, 3.3.5.2.4, 3.3.5.2.9, 3.3.5.2.11.
#include <tuple>

#include <gtest/gtest.h>

#include "client/test_client.h"

namespace smb3d::test {
namespace {

using engine::Encryption;

enum class Kind { plain, with_signature, wrong_signature, encrypted };
constexpr Kind kinds[] = {Kind::plain, Kind::with_signature, Kind::wrong_signature,
                          Kind::encrypted};

Reply send_as(TestClient& client, Kind kind) {
    client.encrypt = kind == Kind::encrypted;
    client.sign = kind == Kind::with_signature || kind == Kind::wrong_signature;
    const Message name = utf16("file");
    wire::CreateRequest create;
    create.desired_access = 0x80;
    create.create_disposition = wire::CreateDisposition::open_if;
    create.share_access = wire::share_access::all;
    create.name = name;
    Request request = client.make(create);
    if (kind != Kind::wrong_signature) return client.wait(client.send(std::move(request)));
    request.sign = false;
    request.header.flags |= wire::header_flags::signed_message;
    request.header.signature.fill(0x11);
    return client.wait(client.send(std::move(request)));
}

using Parameters =
    std::tuple<std::uint16_t, bool, Encryption, bool>;  // dialect, signing, encryption, share
class ProtectionMatrix : public ::testing::TestWithParam<Parameters> {};

TEST_P(ProtectionMatrix, AdmitsWhatTheConfigurationDemands_3_3_5_2) {
    const auto [dialect, signing_required, encryption, share_encrypts] = GetParam();
    TestServerOptions options;
    options.configure = [&](engine::ServerConfig& config) {
        config.signing_required = std::get<1>(GetParam());
        config.encryption = std::get<2>(GetParam());
    };
    options.policy = [&](engine::SharePolicy& policy) { policy.encrypt = std::get<3>(GetParam()); };
    TestServer server(options);
    TestClient client(server);
    ASSERT_TRUE(client.negotiate(dialect).ok());
    const bool can_encrypt = encryption != Encryption::off;
    ASSERT_EQ(client.cipher != 0, can_encrypt);
    ASSERT_TRUE(client.session_setup("alice").ok());
    ASSERT_EQ(client.encrypt, encryption == Encryption::required);
    const Reply connected = client.tree_connect("data");
    if (share_encrypts && !can_encrypt) {
        EXPECT_EQ(connected.status(), NtStatus::ACCESS_DENIED);
        return;
    }
    ASSERT_TRUE(connected.ok());
    const bool must_encrypt = share_encrypts || encryption == Encryption::required;
    for (const Kind kind : kinds) {
        if (kind == Kind::encrypted && !can_encrypt) continue;
        SCOPED_TRACE(static_cast<int>(kind));
        const Reply reply = send_as(client, kind);
        const bool admitted = kind == Kind::encrypted ||
                              (!must_encrypt && (kind == Kind::with_signature ||
                                                 (kind == Kind::plain && !signing_required)));
        EXPECT_EQ(reply.status(), admitted ? NtStatus::SUCCESS : NtStatus::ACCESS_DENIED);
        EXPECT_EQ(reply.encrypted, kind == Kind::encrypted);
        EXPECT_FALSE(reply.bad_signature);
        if (kind == Kind::with_signature) {
            EXPECT_TRUE(reply.was_signed);
        }
    }
}
INSTANTIATE_TEST_SUITE_P(All, ProtectionMatrix,
                         ::testing::Combine(::testing::Values(0x0300, 0x0311), ::testing::Bool(),
                                            ::testing::Values(Encryption::off, Encryption::offered,
                                                              Encryption::required),
                                            ::testing::Bool()));

TEST(Protection, AClientThatInsistsGetsASigningSession_3_3_5_5_3) {
    TestServer server;
    TestClient client(server);
    NegotiateOptions options;
    options.dialects = {0x0210};
    options.security_mode = wire::security_mode::signing_required;
    ASSERT_TRUE(client.negotiate(options).ok());
    ASSERT_TRUE(client.session_setup("alice").ok());
    ASSERT_TRUE(client.tree_connect("data").ok());
    EXPECT_EQ(send_as(client, Kind::plain).status(), NtStatus::ACCESS_DENIED);
    EXPECT_TRUE(send_as(client, Kind::with_signature).ok());
}

TEST(Protection, GuestsNeedNoSignature_3_3_5_5_3) {
    TestServer server({.configure = [](auto& c) { c.signing_required = false; },
                       .policy = [](auto& p) { p.allow_guest = true; }});
    TestClient guest(server);
    ASSERT_TRUE(guest.log_on(0x0311, "guest"));
    EXPECT_TRUE(send_as(guest, Kind::plain).ok());
}

TEST(Protection, GuestsAreRefusedWhereSigningIsRequired_3_3_5_5_3) {
    TestServer server({.configure = [](auto& c) { c.signing_required = true; },
                       .policy = [](auto& p) { p.allow_guest = true; }});
    TestClient guest(server);
    ASSERT_TRUE(guest.negotiate(0x0311).ok());
    EXPECT_EQ(guest.session_setup("guest").status(), NtStatus::ACCESS_DENIED);
    EXPECT_TRUE(server.eventually([&] { return server.engine().sessions().empty(); }));
    TestClient anonymous(server);
    ASSERT_TRUE(anonymous.negotiate(0x0311).ok());
    ASSERT_TRUE(anonymous.session_setup("anonymous").ok());
    EXPECT_EQ(anonymous.tree_connect("data").status(), NtStatus::ACCESS_DENIED);
}

TEST(Protection, AnonymousSealsOnlyBesideAUser_3_3_5_2_1_1) {
    TestServer server({.policy = [](auto& p) { p.allow_anonymous = true; }});
    TestClient anonymous(server);
    ASSERT_TRUE(anonymous.log_on(0x0311, "anonymous"));
    EXPECT_TRUE(send_as(anonymous, Kind::encrypted).lost);
    EXPECT_TRUE(anonymous.disconnected());
}

TEST(Protection, ASessionOfAnotherConnectionIsNoSession_3_3_5_2_9) {
    TestServer server({.loops = 2});
    TestClient alice(server);
    ASSERT_TRUE(alice.log_on(0x0302));
    TestClient mallory(server);
    ASSERT_TRUE(mallory.log_on(0x0302, "mallory"));
    mallory.session_id = alice.session_id;
    mallory.tree_id = alice.tree_id;
    for (const Kind kind : {Kind::plain, Kind::with_signature}) {
        EXPECT_EQ(send_as(mallory, kind).status(), NtStatus::USER_SESSION_DELETED);
    }
    EXPECT_TRUE(send_as(mallory, Kind::encrypted).lost);
    EXPECT_TRUE(mallory.disconnected());
    EXPECT_TRUE(send_as(alice, Kind::with_signature).ok());
}

// Two sessions of one connection: neither may use the other's tree or key.
TEST(Protection, SessionsOfOneConnectionAreSeparate_3_3_5_2_9) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on(0x0302));
    const std::uint64_t first = client.session_id;
    const auto first_seal = client.seal;
    ASSERT_TRUE(client.session_setup("bob").ok());
    ASSERT_NE(client.session_id, first);
    EXPECT_EQ(send_as(client, Kind::with_signature).status(), NtStatus::NETWORK_NAME_DELETED);
    // Sealed for one session, naming the other inside.
    client.encrypt = true;
    Request request = client.make(wire::EchoRequest{});
    request.header.session_id = first;
    client.send(std::move(request));
    EXPECT_TRUE(client.disconnected());
}

TEST(Protection, BrokenTransformsDisconnect_3_3_5_2_1_1) {
    const auto corrupted = [](std::size_t at) {
        TestServer server;
        TestClient client(server);
        EXPECT_TRUE(client.log_on(0x0311));
        Message plain = header_and_body(client.make(wire::EchoRequest{}));
        wire::TransformHeader transform;
        transform.original_message_size = static_cast<std::uint32_t>(plain.size());
        transform.session_id = client.session_id;
        Message message = wire::to_bytes(transform);
        EXPECT_TRUE(client.seal->seal(std::span<std::byte, crypto::Aead::transform_size>(
                                          message.data(), crypto::Aead::transform_size),
                                      MutableBytes(plain)));
        message.insert(message.end(), plain.begin(), plain.end());
        if (at < message.size()) {
            message[at] ^= std::byte{1};
        } else {
            message.pop_back();
        }
        client.send_message(message);
        return client.disconnected();
    };
    // Signature, nonce, size, flags, session, ciphertext, and a lost byte.
    for (const std::size_t at : {4U, 20U, 36U, 42U, 44U, 60U, 9999U})
        EXPECT_TRUE(corrupted(at)) << at;
}

TEST(Protection, SealedBeforeThereIsAKeyDisconnects_3_3_5_2_1_1) {
    TestServer server;
    wire::TransformHeader transform;
    transform.original_message_size = 64;
    Message message = wire::to_bytes(transform);
    message.resize(message.size() + 64);
    TestClient early(server);
    early.send_message(message);
    EXPECT_TRUE(early.disconnected());
    TestClient later(server);
    ASSERT_TRUE(later.negotiate(0x0311).ok());
    later.send_message(message);
    EXPECT_TRUE(later.disconnected());
}

}  // namespace
}  // namespace smb3d::test
