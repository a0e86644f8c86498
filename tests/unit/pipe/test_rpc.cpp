#include <gtest/gtest.h>

#include "unit/pipe/pipe_fixture.h"

namespace smb3d::pipe::test {
namespace {

using rpc::AuthLevel;
using rpc::AuthType;
using rpc::PduType;

std::shared_ptr<FakeView> make_view() { return std::make_shared<FakeView>(); }

unsigned type_of(const Bits& pdu) { return static_cast<unsigned>(pdu[2]); }

// What smbclient 4.17 sends on \srvsvc: its own layout, byte by byte.
const char* const captured_bind =
    "05000b03 10000000 48000000 01000000 b810b810 00000000"
    "01000000 00000100 c84f324b7016d30112785a47bf6ee188 03000000"
    "045d888aeb1cc9119fe808002b104860 02000000";

TEST(Rpc, BindIsAcknowledged_C706_12_6_4_4) {
    Client client("srvsvc", make_view());
    const auto replies = client.feed(from_hex(captured_bind));
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(to_hex(replies[0]),
              "05000c03"
              "10000000"
              "4400"
              "0000"
              "01000000"
              "b810b810"
              "f0530000"
              "0d00"
              "5c504950455c73727673766300"
              "00"  // "\PIPE\srvsvc", aligned to 4
              "01000000"
              "00000000"
              "045d888aeb1cc9119fe808002b104860"
              "02000000");
    EXPECT_FALSE(client.connection.broken());
}

TEST(Rpc, FragmentSizesAreBounded_C706_12_6_3_1) {
    for (const auto& [asked, given] :
         {std::pair<int, int>{65535, 4280}, {5840, 4280}, {2048, 2048}, {16, 1432}}) {
        Client client("srvsvc", make_view());
        const auto replies =
            client.feed(bind_pdu(srvsvc_interface(), static_cast<std::uint16_t>(asked)));
        ASSERT_EQ(replies.size(), 1U);
        EXPECT_EQ(u16_at(replies[0], 16), given);
        EXPECT_EQ(u16_at(replies[0], 18), given);
    }
}

TEST(Rpc, EachContextHasItsResult_MsRpce_3_3_1_5) {
    Client client("srvsvc", make_view());
    SyntaxId features{rpc::uuid_from("6cb71c2c-9812-4540-0300-000000000000"), 1, 0};
    SyntaxId newer = srvsvc_interface().id;
    newer.major = 4;
    const auto replies = client.feed(bind_pdu(std::vector<ContextSpec>{
        {0, srvsvc_interface().id, {rpc::ndr20_syntax()}},
        {1, srvsvc_interface().id, {rpc::ndr64_syntax()}},
        {2, srvsvc_interface().id, {features}},
        {3, wkssvc_interface().id, {rpc::ndr20_syntax()}},
        {4, newer, {rpc::ndr20_syntax()}},
        {5, srvsvc_interface().id, {rpc::ndr64_syntax(), rpc::ndr20_syntax()}}}));
    ASSERT_EQ(replies.size(), 1U);
    const std::size_t results = 24 + 16;
    ASSERT_EQ(u32_at(replies[0], results), 6U);
    const std::pair<int, int> expected[] = {{0, 0}, {2, 2}, {3, 0}, {2, 1}, {2, 1}, {0, 0}};
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(u16_at(replies[0], results + 4 + 24 * i), expected[i].first) << i;
        EXPECT_EQ(u16_at(replies[0], results + 6 + 24 * i), expected[i].second) << i;
    }
    // A call on a context that was refused: nca_s_unk_if.
    const auto faults = client.feed(request_pdu(15, share_enum_stub(0), 2, 3, 1));
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(type_of(faults[0]), 3U);
    EXPECT_EQ(u32_at(faults[0], 24), 0x1C010003U);
    // One that came second works as well.
    EXPECT_EQ(type_of(client.feed(request_pdu(15, share_enum_stub(0), 3, 3, 5)).at(0)), 2U);
}

TEST(Rpc, ASecondBindIsRefused) {
    Client client("srvsvc", make_view());
    client.bind();
    const auto replies = client.feed(bind_pdu(srvsvc_interface()));
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(type_of(replies[0]), 13U);
    EXPECT_TRUE(client.connection.broken());
    EXPECT_TRUE(client.feed(request_pdu(15, share_enum_stub(0))).empty());
}

TEST(Rpc, AlterContextAddsOne_C706_12_6_4_1) {
    Client client("wkssvc", make_view());
    client.bind();
    const auto replies = client.feed(
        bind_pdu(std::vector<ContextSpec>{{9, wkssvc_interface().id, {rpc::ndr20_syntax()}}},
                 PduType::alter_context));
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(type_of(replies[0]), 15U);
    EXPECT_EQ(u16_at(replies[0], 24), 0);  // no secondary address
    ndr::Writer stub;
    stub.pointer(false);
    stub.u32(100);
    EXPECT_EQ(type_of(client.feed(request_pdu(0, stub.view(), 2, 3, 9)).at(0)), 2U);
}

TEST(Rpc, ProtocolVersionsOtherThan5AreRefused_C706_12_6_4_5) {
    Client client("srvsvc", make_view());
    Bits bind = bind_pdu(srvsvc_interface());
    bind[0] = std::byte{4};
    const auto replies = client.feed(bind);
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(type_of(replies[0]), 13U);
    EXPECT_EQ(u16_at(replies[0], 16), 4);
    EXPECT_TRUE(client.connection.broken());
}

TEST(Rpc, ACallBeforeTheBindIsAFault) {
    Client client("srvsvc", make_view());
    EXPECT_FALSE(client.call(15, share_enum_stub(1)));
    EXPECT_EQ(client.fault, 0x1C01000BU);
    EXPECT_TRUE(client.connection.broken());
}

TEST(Rpc, OperationsThatDoNotExistAreFaults) {
    Client client("srvsvc", make_view());
    client.bind();
    for (const int operation : {0, 3, 22, 37, 57, 65535}) {
        EXPECT_FALSE(client.call(static_cast<std::uint16_t>(operation), {}));
        EXPECT_EQ(client.fault, 0x1C010002U) << operation;
    }
    EXPECT_TRUE(client.call(15, share_enum_stub(1)));
}

TEST(Rpc, AStubThatCannotBeReadIsAFault) {
    Client client("srvsvc", make_view());
    client.bind();
    const Bits stub = share_enum_stub(1);
    for (std::size_t size = 0; size < stub.size(); ++size) {
        EXPECT_FALSE(client.call(15, Bytes(stub).first(size))) << size;
        EXPECT_EQ(client.fault, 0x6F7U) << size;
    }
    EXPECT_TRUE(client.call(15, stub));
}

TEST(Rpc, BytesMayComeInAnyPieces) {
    const Bits bind = bind_pdu(srvsvc_interface());
    const Bits request = request_pdu(15, share_enum_stub(1));
    Bits both = bind;
    both.insert(both.end(), request.begin(), request.end());
    Client whole("srvsvc", make_view());
    const auto expected = whole.feed(both);
    ASSERT_EQ(expected.size(), 2U);
    Client piecemeal("srvsvc", make_view());
    std::vector<Bits> got;
    for (const std::byte byte : both) {
        for (Bits& reply : piecemeal.feed(Bytes(&byte, 1))) got.push_back(std::move(reply));
    }
    EXPECT_EQ(got, expected);
}

TEST(Rpc, RequestsInFragmentsArePutTogether_C706_12_6_4_9) {
    Client client("srvsvc", make_view());
    client.bind();
    const Bits stub = share_enum_stub(1);
    const auto expected = client.call(15, stub);
    ASSERT_TRUE(expected);
    EXPECT_TRUE(client.feed(request_pdu(15, Bytes(stub).first(8), 5, 1)).empty());
    EXPECT_TRUE(client.feed(request_pdu(15, Bytes(stub).subspan(8, 8), 5, 0)).empty());
    const auto replies = client.feed(request_pdu(15, Bytes(stub).subspan(16), 5, 2));
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(Bits(replies[0].begin() + 24, replies[0].end()), *expected);
    EXPECT_EQ(u32_at(replies[0], 12), 5U);
}

TEST(Rpc, FragmentsOutOfOrderBreakTheConnection) {
    const Bits stub = share_enum_stub(1);
    {
        Client client("srvsvc", make_view());
        client.bind();
        EXPECT_EQ(type_of(client.feed(request_pdu(15, stub, 5, 2)).at(0)), 3U);  // no first one
        EXPECT_TRUE(client.connection.broken());
    }
    {
        Client client("srvsvc", make_view());
        client.bind();
        EXPECT_TRUE(client.feed(request_pdu(15, stub, 5, 1)).empty());
        EXPECT_EQ(type_of(client.feed(request_pdu(15, stub, 6, 2)).at(0)), 3U);  // another call's
        EXPECT_TRUE(client.connection.broken());
    }
}

TEST(Rpc, AnEndlessRequestIsCutOff) {
    Client client("srvsvc", make_view());
    client.bind();
    const Bits chunk(4000);
    std::uint8_t flags = 1;
    std::size_t sent = 0;
    while (!client.connection.broken() && sent < 4 * rpc::max_request) {
        const auto replies = client.feed(request_pdu(15, chunk, 5, flags));
        flags = 0;
        sent += chunk.size();
        if (client.connection.broken()) {
            EXPECT_EQ(u32_at(replies.at(0), 24), 0x1C00001BU);
        }
    }
    EXPECT_TRUE(client.connection.broken());
    EXPECT_LE(sent, rpc::max_request + chunk.size());
}

TEST(Rpc, ResponsesAreFragmented_C706_12_6_4_10) {
    auto view = make_view();
    for (int i = 0; i < 500; ++i) {
        ShareEntry share;
        share.name = "share" + std::to_string(i);
        share.comment = "one of many";
        view->shares_.push_back(share);
    }
    Client client("srvsvc", view);
    client.feed(bind_pdu(srvsvc_interface(), 2048));
    const auto replies = client.feed(request_pdu(15, share_enum_stub(1)));
    ASSERT_GT(replies.size(), 5U);
    for (std::size_t i = 0; i < replies.size(); ++i) {
        EXPECT_LE(replies[i].size(), 2048U);
        EXPECT_EQ(u16_at(replies[i], 8), replies[i].size());
        const auto flags = static_cast<unsigned>(replies[i][3]);
        EXPECT_EQ(flags, (i == 0 ? 1U : 0U) | (i + 1 == replies.size() ? 2U : 0U));
        if (i + 1 < replies.size()) {
            EXPECT_EQ((replies[i].size() - 24) % 8, 0U);
        }
    }
}

TEST(Rpc, EveryTruncationOfAPduIsHarmless) {
    for (Bits pdu : {bind_pdu(srvsvc_interface()), request_pdu(15, share_enum_stub(1)),
                     with_auth(bind_pdu(srvsvc_interface()), AuthType::ntlmssp,
                               AuthLevel::integrity, text_bytes("hello"))}) {
        for (std::size_t size = 0; size < pdu.size(); ++size) {
            Bits cut(pdu.begin(), pdu.begin() + static_cast<std::ptrdiff_t>(size));
            Client waiting("srvsvc", make_view());
            EXPECT_TRUE(waiting.feed(cut).empty());
            if (size < 16) continue;
            // And with a length that fits what is there.
            cut[8] = static_cast<std::byte>(size & 0xFF);
            cut[9] = static_cast<std::byte>(size >> 8);
            Client client("srvsvc", make_view());
            (void)client.feed(cut);
            (void)client.feed(bind_pdu(srvsvc_interface()));
        }
    }
}

TEST(Rpc, PdusThatServersSendBreakTheConnection) {
    for (const int type : {2, 3, 12, 13, 15, 17, 1, 99}) {
        Client client("srvsvc", make_view());
        client.bind();
        Bits pdu = request_pdu(15, share_enum_stub(1));
        pdu[2] = static_cast<std::byte>(type);
        EXPECT_TRUE(client.feed(pdu).empty());
        EXPECT_TRUE(client.connection.broken()) << type;
    }
}

TEST(Rpc, BigEndianRequestsAreUnderstood_C706_14_1) {
    Client client("wkssvc", make_view());
    const auto ack = client.feed(
        from_hex("05000b03 00000000 0048 0000 00000001 10b810b8 00000000 01000000 0000 01 00"
                 "6bffd098 a112 3610 983346c3f87e345a 00000001 8a885d04 1ceb 11c9 9fe808002b104860 "
                 "00000002"));
    ASSERT_EQ(ack.size(), 1U);
    ASSERT_EQ(type_of(ack[0]), 12U);
    EXPECT_EQ(u16_at(ack[0], 24 + 16 + 4), 0);  // accepted
    const auto replies = client.feed(
        from_hex("05000003 00000000 0020 0000 00000002 00000008 0000 0000 00000000 00000064"));
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(type_of(replies[0]), 2U);
    EXPECT_EQ(u32_at(replies[0], 24), 100U);  // answers are little-endian
}

// ---- authentication

TEST(NtlmProtection, Sealing_MsNlmp_4_2_4_4) {
    auto protection = rpc::NtlmProtection::create(FakeAuthority::flags(), FakeAuthority::key());
    ASSERT_TRUE(protection);
    Bits data = from_hex("54e50165bf1936dc996020c1811b0f06fb5f");
    const Bits signature = from_hex("010000007fb38ec5c55d497600000000");
    EXPECT_TRUE(protection->verify(data, 0, data.size(), signature));
    EXPECT_EQ(to_hex(data), "50006c00610069006e007400650078007400");

    auto client = rpc::NtlmProtection::create(FakeAuthority::flags(), FakeAuthority::key(),
                                              rpc::NtlmProtection::Side::client);
    Bits plain = data;
    const auto made = client->protect(plain, 0, plain.size());
    ASSERT_TRUE(made);
    EXPECT_EQ(to_hex(plain), "54e50165bf1936dc996020c1811b0f06fb5f");
    EXPECT_EQ(to_hex(*made), to_hex(signature));
}

TEST(NtlmProtection, NeedsExtendedSessionSecurityAndAKey) {
    const std::uint32_t flags = FakeAuthority::flags();
    EXPECT_FALSE(rpc::NtlmProtection::create(flags & ~0x00080000U, FakeAuthority::key()));
    EXPECT_FALSE(rpc::NtlmProtection::create(flags & ~0x00000030U, FakeAuthority::key()));
    EXPECT_FALSE(rpc::NtlmProtection::create(flags, {}));
}

class RpcAuth : public ::testing::TestWithParam<std::tuple<AuthLevel, bool, bool>> {
  protected:
    AuthLevel level() const { return std::get<0>(GetParam()); }
    bool header_signing() const { return std::get<1>(GetParam()); }
    bool three_legs() const { return std::get<2>(GetParam()); }  // auth3; else alter_context
    std::uint8_t flag() const { return header_signing() ? 4 : 0; }

    // Binds with the fake exchange.
    void bind(Client& client) {
        const auto type = three_legs() ? AuthType::ntlmssp : AuthType::spnego;
        const auto ack = client.feed(
            with_auth(bind_pdu(lsarpc_interface()), type, level(), text_bytes("hello"), flag()));
        ASSERT_EQ(ack.size(), 1U);
        ASSERT_EQ(type_of(ack[0]), 12U);
        ASSERT_EQ(u16_at(ack[0], 10), 9);  // "challenge"
        EXPECT_EQ(static_cast<unsigned>(ack[0][3]), 3U | flag());
        if (three_legs()) {
            Bits auth3 = request_pdu(0, {});
            auth3.resize(20);
            auth3[2] = std::byte{16};
            EXPECT_TRUE(client.feed(with_auth(auth3, type, level(), text_bytes("proof"))).empty());
        } else {
            const auto alter = client.feed(
                with_auth(bind_pdu({ContextSpec{0, lsarpc_interface().id}}, PduType::alter_context),
                          type, level(), text_bytes("proof"), flag()));
            ASSERT_EQ(alter.size(), 1U);
            ASSERT_EQ(type_of(alter[0]), 15U);
            EXPECT_EQ(u16_at(alter[0], 10), 4);  // "done"
        }
        peer_ = rpc::NtlmProtection::create(FakeAuthority::flags(), FakeAuthority::key(),
                                            rpc::NtlmProtection::Side::client);
    }

    Bits protect(Bits pdu) {
        const auto type = three_legs() ? AuthType::ntlmssp : AuthType::spnego;
        Bits out = with_auth(std::move(pdu), type, level(), Bits(16));
        const std::size_t trailer = out.size() - 24;
        const std::size_t sealed = level() == AuthLevel::privacy ? trailer - 24 : 0;
        const MutableBytes all(out);
        const auto signature = peer_->protect(all.first(trailer + 8), 24, sealed).value();
        std::copy(signature.begin(), signature.end(), out.end() - 16);
        return out;
    }

    bool open(Bits& pdu) {
        const std::size_t trailer = pdu.size() - 24;
        const std::size_t sealed = level() == AuthLevel::privacy ? trailer - 24 : 0;
        const Bits signature(pdu.end() - 16, pdu.end());
        const MutableBytes all(pdu);
        return peer_->verify(all.first(trailer + 8), 24, sealed, signature);
    }

    static Bits open_policy_stub() {
        ndr::Writer out;
        out.pointer(true);
        out.string("\\");
        for (const std::uint32_t value : {0U, 0U, 0U, 0U, 0U, 0U, 0x02000000U}) out.u32(value);
        return out.take();
    }

    std::shared_ptr<FakeView> view() {
        auto made = make_view();
        made->authority_ = std::make_shared<FakeAuthority>(three_legs() ? "" : "done");
        return made;
    }

    std::unique_ptr<rpc::NtlmProtection> peer_;
};

TEST_P(RpcAuth, CallsWorkAndAreProtected_MsRpce_3_3_1_5_2) {
    Client client("lsarpc", view(), anonymous_caller());
    bind(client);
    for (int round = 0; round < 3; ++round) {
        auto opened = client.feed(protect(request_pdu(44, open_policy_stub())));
        ASSERT_EQ(opened.size(), 1U);
        ASSERT_EQ(type_of(opened[0]), 2U);
        EXPECT_EQ(u16_at(opened[0], 10), 16);
        ASSERT_TRUE(open(opened[0]));
        EXPECT_EQ(u32_at(opened[0], 24 + 20), 0U);  // as the user of the bind, not of the pipe
        const Bits handle(opened[0].begin() + 24, opened[0].begin() + 44);
        auto closed = client.feed(protect(request_pdu(0, handle)));
        ASSERT_EQ(closed.size(), 1U);
        ASSERT_TRUE(open(closed[0]));
        EXPECT_EQ(to_hex(Bytes(closed[0]).subspan(24, 24)), std::string(48, '0'));
    }
    EXPECT_FALSE(client.connection.broken());
}

// With SPNEGO a mechListMIC may have come before: then both sides are at 1.
TEST_P(RpcAuth, TheFirstSequenceNumberMayBeOneAfterAMechListMic) {
    Client client("lsarpc", view());
    bind(client);
    peer_->set_sequence(1);
    auto opened = client.feed(protect(request_pdu(44, open_policy_stub())));
    ASSERT_EQ(opened.size(), 1U);
    EXPECT_EQ(type_of(opened[0]), three_legs() ? 3U : 2U);
    if (!three_legs()) {
        EXPECT_TRUE(open(opened[0]));
        EXPECT_EQ(type_of(client.feed(protect(request_pdu(44, open_policy_stub()))).at(0)), 2U);
    }
}

TEST_P(RpcAuth, AChangedCallIsRefused) {
    Client client("lsarpc", view());
    bind(client);
    Bits pdu = protect(request_pdu(44, open_policy_stub()));
    pdu[40] ^= std::byte{1};
    const auto replies = client.feed(pdu);
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(type_of(replies[0]), 3U);
    EXPECT_EQ(u32_at(replies[0], 24), 5U);
    EXPECT_TRUE(client.connection.broken());
}

TEST_P(RpcAuth, AnUnprotectedCallIsRefused) {
    Client client("lsarpc", view());
    bind(client);
    const auto replies = client.feed(request_pdu(44, open_policy_stub()));
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(u32_at(replies[0], 24), 5U);
    EXPECT_TRUE(client.connection.broken());
}

TEST_P(RpcAuth, AReplayedCallIsRefused) {
    Client client("lsarpc", view());
    bind(client);
    const Bits pdu = protect(request_pdu(44, open_policy_stub()));
    EXPECT_EQ(type_of(client.feed(pdu).at(0)), 2U);
    EXPECT_EQ(type_of(client.feed(pdu).at(0)), 3U);
    EXPECT_TRUE(client.connection.broken());
}

INSTANTIATE_TEST_SUITE_P(Levels, RpcAuth,
                         ::testing::Combine(::testing::Values(AuthLevel::packet,
                                                              AuthLevel::integrity,
                                                              AuthLevel::privacy),
                                            ::testing::Bool(), ::testing::Bool()));

TEST(Rpc, ConnectLevelAuthenticatesOnly) {
    auto view = make_view();
    view->authority_ = std::make_shared<FakeAuthority>();
    Client client("srvsvc", view, anonymous_caller());
    client.feed(with_auth(bind_pdu(srvsvc_interface()), AuthType::ntlmssp, AuthLevel::connect,
                          text_bytes("hello")));
    Bits auth3 = request_pdu(0, {});
    auth3[2] = std::byte{16};
    EXPECT_TRUE(
        client.feed(with_auth(auth3, AuthType::ntlmssp, AuthLevel::connect, text_bytes("proof")))
            .empty());
    const auto stub = client.call(15, share_enum_stub(2));
    ASSERT_TRUE(stub);
    EXPECT_EQ(u32_at(*stub, stub->size() - 4), 0U);
}

TEST(Rpc, AFailedExchangeShowsInTheNextCall) {
    auto view = make_view();
    view->authority_ = std::make_shared<FakeAuthority>();
    Client client("srvsvc", view);
    client.feed(with_auth(bind_pdu(srvsvc_interface()), AuthType::ntlmssp, AuthLevel::integrity,
                          text_bytes("hello")));
    Bits auth3 = request_pdu(0, {});
    auth3[2] = std::byte{16};
    EXPECT_TRUE(
        client.feed(with_auth(auth3, AuthType::ntlmssp, AuthLevel::integrity, text_bytes("wrong")))
            .empty());
    EXPECT_FALSE(client.call(15, share_enum_stub(1)));
    EXPECT_EQ(client.fault, 5U);
    EXPECT_TRUE(client.connection.broken());
}

// Wrong guesses are counted by whose pipe it is: nobody locks others out.
TEST(Rpc, AnExchangeIsWithThePipesUser) {
    auto view = make_view();
    const auto authority = std::make_shared<FakeAuthority>();
    view->authority_ = authority;
    Caller alice = user_caller();
    alice.domain = "NAS";
    alice.user = "alice";
    for (const Caller& caller : {alice, anonymous_caller()}) {
        Client client("srvsvc", view, caller);
        client.feed(with_auth(bind_pdu(srvsvc_interface()), AuthType::ntlmssp, AuthLevel::integrity,
                              text_bytes("hello")));
        EXPECT_EQ(authority->last_peer(), "a pipe of " + caller.domain + "\\" + caller.user);
    }
}

TEST(Rpc, BindsThatCannotAuthenticateAreRefused_MsRpce_2_2_2_5) {
    auto view = make_view();
    const auto bind_with = [&](AuthType type, AuthLevel level, std::string_view token) {
        Client client("srvsvc", view);
        const auto replies =
            client.feed(with_auth(bind_pdu(srvsvc_interface()), type, level, text_bytes(token)));
        EXPECT_EQ(replies.size(), 1U);
        EXPECT_EQ(type_of(replies.at(0)), 13U);
        EXPECT_TRUE(client.connection.broken());
        return u16_at(replies.at(0), 16);
    };
    EXPECT_EQ(bind_with(AuthType::ntlmssp, AuthLevel::integrity, "hello"), 8);  // no authority
    view->authority_ = std::make_shared<FakeAuthority>();
    EXPECT_EQ(bind_with(static_cast<AuthType>(68), AuthLevel::integrity, "hello"), 8);
    EXPECT_EQ(bind_with(AuthType::ntlmssp, static_cast<AuthLevel>(7), "hello"), 8);
    EXPECT_EQ(bind_with(AuthType::ntlmssp, AuthLevel::integrity, "nonsense"), 9);
}

}  // namespace
}  // namespace smb3d::pipe::test
