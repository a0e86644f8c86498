// Sessions with several channels: [MS-SMB2] 3.3.5.5 (binding), 3.3.5.5.3, 3.3.5.6, 3.3.7.1.
#include <thread>

#include <gtest/gtest.h>

#include "client/test_client.h"
#include "engine/server_impl.h"
#include "engine/unsolicited.h"
#include "fscc/fsctl.h"
#include "wire/next_list.h"
#include "wire/notification.h"

namespace smb3d::test {
namespace {

using Configure = std::function<void(engine::ServerConfig&)>;

TestServerOptions two_loops(Configure configure = {}, bool logon_on_worker = false) {
    TestServerOptions options;
    options.loops = 2;
    options.logon_on_worker = logon_on_worker;
    options.configure = std::move(configure);
    return options;
}

engine::SessionInfo only_session(TestServer& server) {
    const auto sessions = server.engine().sessions();
    return sessions.size() == 1 ? sessions.front() : engine::SessionInfo{};
}

class BindingEveryDialect : public ::testing::TestWithParam<std::tuple<std::uint16_t, bool, bool>> {
};

TEST_P(BindingEveryDialect, ASecondChannelSharesTheSession_3_3_5_5) {
    const auto [dialect, encrypted, on_worker] = GetParam();
    TestServer server(two_loops(
        [required = encrypted](engine::ServerConfig& config) {
            if (required) config.encryption = engine::Encryption::required;
        },
        on_worker));
    TestClient first(server);
    ASSERT_TRUE(first.log_on(dialect));
    const Reply created = first.create("shared");
    ASSERT_TRUE(created.ok());
    const wire::FileId file = created.body<wire::CreateResponse>().file_id;
    const Message data(100, std::byte{7});
    ASSERT_TRUE(first.write(file, 0, data).ok());

    TestClient second(server, "192.0.2.2");
    ASSERT_TRUE(second.negotiate(dialect).ok());
    const Reply bound = second.bind(first, "2/alice");
    ASSERT_TRUE(bound.ok());
    EXPECT_TRUE(bound.was_signed);
    const Reply read = second.read(file, 0, 100);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read.encrypted, encrypted);
    EXPECT_TRUE(encrypted || read.was_signed);
    EXPECT_TRUE(first.close(file).ok());
    EXPECT_EQ(second.read(file, 0, 1).status(), NtStatus::FILE_CLOSED);

    const engine::SessionInfo session = only_session(server);
    ASSERT_EQ(session.channels.size(), 2U);
    EXPECT_NE(session.channels[0].loop, session.channels[1].loop);
    EXPECT_EQ(session.channels[1].transport, "test");
    EXPECT_EQ(session.channels[1].peer.rfind("192.0.2.2", 0), 0U);
}

INSTANTIATE_TEST_SUITE_P(Multichannel, BindingEveryDialect,
                         ::testing::Values(std::tuple{0x0300, false, false},
                                           std::tuple{0x0300, true, false},
                                           std::tuple{0x0302, false, true},
                                           std::tuple{0x0311, false, false},
                                           std::tuple{0x0311, true, true}));

struct Bound {
    explicit Bound(Configure configure = {}, NegotiateOptions options = {.dialects = {0x0311}})
        : server(two_loops(std::move(configure))), first(server), second(server, "192.0.2.2") {
        good = first.negotiate(options).ok() && first.session_setup("alice").ok() &&
               first.tree_connect("data").ok() && second.negotiate(options).ok() &&
               second.bind(first).ok();
    }
    TestServer server;
    TestClient first;
    TestClient second;
    bool good{false};
};

TEST(Binding, IsRefusedAsWindowsDoes_3_3_5_5) {
    TestServer server(two_loops());
    const NegotiateOptions same{.dialects = {0x0311}, .signing = {wire::signing::aes_cmac}};
    TestClient first(server);
    ASSERT_TRUE(first.negotiate(same).ok() && first.session_setup("alice").ok());
    ASSERT_TRUE(first.tree_connect("data").ok());
    const auto status_of = [&](const NegotiateOptions& options, auto try_it) {
        TestClient second(server, "192.0.2.2");
        EXPECT_TRUE(second.negotiate(options).ok());
        return try_it(second).status();
    };
    const auto plainly = [&](TestClient& c) { return c.bind(first); };
    EXPECT_EQ(status_of({.dialects = {0x0210}}, plainly), NtStatus::REQUEST_NOT_ACCEPTED);
    EXPECT_EQ(status_of({.dialects = {0x0302}}, plainly), NtStatus::INVALID_PARAMETER);
    NegotiateOptions other = same;
    other.ciphers = {wire::cipher::aes_128_ccm};
    EXPECT_EQ(status_of(other, plainly), NtStatus::INVALID_PARAMETER);
    other = same;
    other.signing = {wire::signing::aes_gmac};
    EXPECT_EQ(status_of(other, plainly), NtStatus::NOT_SUPPORTED);
    EXPECT_EQ(status_of(same, [&](TestClient& c) { return c.bind(first, "bob"); }),
              NtStatus::ACCESS_DENIED);
    EXPECT_EQ(status_of(same, [&](TestClient& c) { return c.bind(first, "bad"); }),
              NtStatus::LOGON_FAILURE);
    EXPECT_EQ(status_of(same, [&](TestClient& c) { return c.bind(first, "guest"); }),
              NtStatus::ACCESS_DENIED);
    // Of no session, with another session's key, with none.
    EXPECT_EQ(status_of(same,
                        [&](TestClient& c) {
                            const std::uint64_t real = std::exchange(first.session_id, 0x4711);
                            Reply reply = c.bind(first);
                            first.session_id = real;
                            return reply;
                        }),
              NtStatus::USER_SESSION_DELETED);
    EXPECT_EQ(status_of(same,
                        [&](TestClient& c) {
                            TestClient stranger(server);
                            EXPECT_TRUE(stranger.log_on(0x0300));
                            return c.bind(first, "alice", stranger.session_signer.get());
                        }),
              NtStatus::ACCESS_DENIED);
    EXPECT_EQ(status_of(same,
                        [&](TestClient& c) {
                            wire::SessionSetupRequest setup;
                            setup.flags = wire::session_flag_binding;
                            Request request = c.make(setup);
                            request.header.session_id = first.session_id;
                            return c.wait(c.send(std::move(request)));
                        }),
              NtStatus::INVALID_PARAMETER);
    // Without the flag, the other connection's session is not there: said to its owner signed.
    EXPECT_EQ(
        status_of(same, [&](TestClient& c) { return c.session_setup("x", first.session_id); }),
        NtStatus::USER_SESSION_DELETED);
    // Nothing of all that has hurt the session.
    EXPECT_TRUE(first.create("still").ok());
    EXPECT_EQ(only_session(server).channels.size(), 1U);
}

TEST(Binding, DoesNotTakeAnOlderSignatureThanGmac) {
    TestServer server(two_loops());
    TestClient first(server);
    ASSERT_TRUE(first.log_on(0x0311));
    for (const std::uint16_t dialect : std::vector<std::uint16_t>{0x0311, 0x0302, 0x0210}) {
        TestClient second(server, "192.0.2.2");
        ASSERT_TRUE(
            second.negotiate({.dialects = {dialect}, .signing = {wire::signing::aes_cmac}}).ok());
        EXPECT_EQ(second.bind(first).status(), NtStatus::REQUEST_OUT_OF_SEQUENCE);
    }
}

TEST(Binding, RefusalsAreSignedWithTheSessionsKey_3_3_4_1_1) {
    TestServer server(two_loops());
    TestClient first(server);
    ASSERT_TRUE(first.log_on(0x0302));
    TestClient second(server, "192.0.2.2");
    ASSERT_TRUE(second.negotiate(0x0210).ok());
    const Reply refused = second.bind(first);
    EXPECT_EQ(refused.status(), NtStatus::REQUEST_NOT_ACCEPTED);
    EXPECT_TRUE(refused.was_signed);
}

TEST(Binding, GuestsAndAnonymousUsersHaveOneChannel_3_3_5_5) {
    for (const char* who : {"guest", "anonymous"}) {
        TestServer server(two_loops([](engine::ServerConfig& config) {
            auto policy = std::make_shared<engine::SharePolicy>(*config.shares.begin()->second);
            policy->allow_guest = policy->allow_anonymous = true;
            config.shares.begin()->second = policy;
        }));
        TestClient first(server);
        ASSERT_TRUE(first.negotiate(0x0311).ok());
        ASSERT_TRUE(first.session_setup(who).ok());
        TestClient owner(server);
        ASSERT_TRUE(owner.log_on(0x0311));
        TestClient second(server, "192.0.2.2");
        ASSERT_TRUE(second.negotiate(0x0311).ok());
        EXPECT_EQ(second.bind(first, who, owner.session_signer.get()).status(),
                  NtStatus::NOT_SUPPORTED);
    }
}

TEST(Binding, NeedsMultichannel_3_3_5_5) {
    TestServer server(two_loops([](engine::ServerConfig& c) { c.multichannel = false; }));
    TestClient first(server);
    const Reply negotiated = first.negotiate(0x0311);
    const auto bits = negotiated.body<wire::NegotiateResponse>().capabilities;
    EXPECT_EQ(bits & wire::capabilities::multi_channel, 0U);
    ASSERT_TRUE(first.session_setup("alice").ok());
    TestClient second(server);
    ASSERT_TRUE(second.negotiate(0x0311).ok());
    EXPECT_EQ(second.bind(first).status(), NtStatus::REQUEST_NOT_ACCEPTED);
}

TEST(Binding, HappensOncePerConnectionAndNotBeyondTheLimit) {
    Bound b([](engine::ServerConfig& config) { config.max_channels_per_session = 3; });
    ASSERT_TRUE(b.good);
    // With the channel's key, and with the session's: 3.3.5.5 step 4, 3.3.5.2.4.
    const auto signer = b.second.signer;
    EXPECT_EQ(b.second.bind(b.first, "alice", signer.get()).status(),
              NtStatus::REQUEST_NOT_ACCEPTED);
    EXPECT_EQ(b.second.bind(b.first).status(), NtStatus::ACCESS_DENIED);
    TestClient third(b.server);
    TestClient fourth(b.server);
    ASSERT_TRUE(third.negotiate(0x0311).ok() && fourth.negotiate(0x0311).ok());
    EXPECT_TRUE(third.bind(b.first).ok());
    EXPECT_EQ(fourth.bind(b.first).status(), NtStatus::INSUFFICIENT_RESOURCES);
    third.disconnect();
    EXPECT_TRUE(
        TestServer::eventually([&] { return only_session(b.server).channels.size() == 2; }));
    TestClient fifth(b.server);
    ASSERT_TRUE(fifth.negotiate(0x0311).ok());
    EXPECT_TRUE(fifth.bind(b.first).ok());
}

TEST(Channels, TheLastOneTakesTheSessionWithIt_3_3_7_1) {
    Bound b;
    ASSERT_TRUE(b.good);
    const Reply created = b.first.create("kept");
    const wire::FileId file = created.body<wire::CreateResponse>().file_id;
    b.first.disconnect();
    ASSERT_TRUE(
        TestServer::eventually([&] { return only_session(b.server).channels.size() == 1; }));
    EXPECT_TRUE(b.second.write(file, 0, Message(10)).ok());
    b.second.disconnect();
    EXPECT_TRUE(TestServer::eventually([&] { return b.server.all_released(); }))
        << b.server.leftovers();
}

TEST(Channels, ALogoffEndsTheSessionOnAll_3_3_5_6) {
    Bound b;
    ASSERT_TRUE(b.good);
    const wire::FileId file = b.first.create("locked").body<wire::CreateResponse>().file_id;
    const wire::FileId other = b.first.create("locked").body<wire::CreateResponse>().file_id;
    ASSERT_TRUE(b.first.lock(file, 0, 10, wire::lock_flags::exclusive_lock).ok());
    // A request that waits on the other channel must not hold the logoff up.
    wire::LockRequest waiting;
    waiting.file_id = other;
    waiting.locks.push_back({0, 10, wire::lock_flags::exclusive_lock});
    const std::uint64_t ticket = b.second.send(b.second.make(waiting));
    ASSERT_FALSE(b.second.wait_interim(ticket).lost);
    EXPECT_TRUE(b.first.logoff().ok());
    EXPECT_NE(b.second.wait(ticket).status(), NtStatus::SUCCESS);
    EXPECT_EQ(b.second.read(file, 0, 1).status(), NtStatus::USER_SESSION_DELETED);
    EXPECT_TRUE(b.second.session_setup("alice").ok()) << "the connection goes on";
}

TEST(Channels, EachMayReauthenticateAndAFailureEndsTheSession_3_3_5_5_3) {
    Bound b;
    ASSERT_TRUE(b.good);
    EXPECT_TRUE(b.second.session_setup("2/alice", b.second.session_id).ok());
    EXPECT_TRUE(b.first.session_setup("alice", b.first.session_id).ok());
    EXPECT_TRUE(b.second.create("after").ok());
    EXPECT_EQ(b.second.session_setup("bad", b.second.session_id).status(), NtStatus::LOGON_FAILURE);
    const Reply gone = b.second.create("gone");
    EXPECT_EQ(gone.status(), NtStatus::USER_SESSION_DELETED);
    EXPECT_TRUE(gone.was_signed) << "a client that signs believes no other answer";
    EXPECT_TRUE(TestServer::eventually(
        [&] { return b.first.create("gone").status() == NtStatus::USER_SESSION_DELETED; }));
    EXPECT_TRUE(b.server.engine().sessions().empty());
}

TEST(Channels, PreviousSessionIsEndedOnAll_3_3_5_5_3) {
    Bound b;
    ASSERT_TRUE(b.good);
    TestClient again(b.server, "192.0.2.3");
    ASSERT_TRUE(again.negotiate(0x0311).ok());
    wire::SessionSetupRequest setup;
    const std::string token = "alice";
    setup.security_buffer = std::as_bytes(std::span(token));
    setup.previous_session_id = b.first.session_id;
    EXPECT_TRUE(again.call(setup).ok());
    for (TestClient* client : {&b.first, &b.second}) {
        EXPECT_TRUE(TestServer::eventually(
            [&] { return client->create("x").status() == NtStatus::USER_SESSION_DELETED; }));
    }
}

// ---- [MS-SMB2] 2.2.44

TEST(Notification, TellsThatTheAdministratorEndedTheSession_2_2_44) {
    for (const bool encrypted : {false, true}) {
        NegotiateOptions options{.dialects = {0x0311}};
        options.capabilities |= wire::capabilities::notifications;
        Bound b(
            [&](engine::ServerConfig& config) {
                if (encrypted) config.encryption = engine::Encryption::required;
            },
            options);
        ASSERT_TRUE(b.good);
        ASSERT_TRUE(b.server.engine().end_session(b.first.session_id));
        for (TestClient* client : {&b.first, &b.second}) {
            const Reply notice = client->wait(~std::uint64_t{0});
            ASSERT_FALSE(notice.lost);
            EXPECT_EQ(notice.header.command, wire::Command::server_to_client_notification);
            EXPECT_EQ(notice.header.session_id, client->session_id);
            EXPECT_EQ(notice.encrypted, encrypted);
            EXPECT_FALSE(notice.header.is_signed());
            EXPECT_EQ(notice.body<wire::ServerToClientNotification>().notification_type,
                      wire::notify_session_closed);
        }
    }
}

TEST(Notification, IsNotSentToThoseThatDidNotAsk_3_3_5_4) {
    Bound b;
    ASSERT_TRUE(b.good);
    ASSERT_TRUE(b.server.engine().end_session(b.first.session_id));
    EXPECT_EQ(b.first.create("x").status(), NtStatus::USER_SESSION_DELETED);
    const std::uint64_t echo = b.first.send(b.first.make(wire::EchoRequest{}));
    const auto message = b.first.receive_message();
    ASSERT_TRUE(message);
    EXPECT_EQ(wire::parse<wire::Header>(*message)->message_id, echo);
}

struct Unsolicited : ::testing::Test {
    void SetUp() override {
        ASSERT_TRUE(b.good);
        session = server.session_table.find(b.first.session_id);
        const auto state = session->state.lock();
        ASSERT_EQ(state->channels.size(), 2U);
        one = state->channels[0].connection_id;
        two = state->channels[1].connection_id;
    }
    void send(const engine::SendRules& rules) {
        taken = ~std::uint64_t{0};
        engine::send_to_sessions(server, {{session, false}},
                                 engine::unsolicited(wire::OplockBreakNotification{}), rules,
                                 [this](std::uint64_t id) { taken = id; });
    }
    static bool got(TestClient& client) {
        return client.wait(~std::uint64_t{0}).header.command == wire::Command::oplock_break;
    }
    static void expect_nothing(TestClient& client) {
        const std::uint64_t echo = client.send(client.make(wire::EchoRequest{}));
        const auto message = client.receive_message();
        ASSERT_TRUE(message);
        EXPECT_EQ(wire::parse<wire::Header>(*message)->message_id, echo);
    }
    // Without reading anything, which would confirm it.
    static bool ended(const TestClient& client) {
        return TestServer::eventually([&] { return client.ended(); });
    }
    bool taken_by(std::uint64_t id) {
        return TestServer::eventually([&] { return taken == id; });
    }
    Bound b;
    engine::ServerImpl& server{static_cast<engine::ServerImpl&>(b.server.engine())};
    std::shared_ptr<engine::Session> session;
    std::uint64_t one{0};
    std::uint64_t two{0};
    std::atomic<std::uint64_t> taken{0};
};

TEST_F(Unsolicited, GoesOverTheChannelThatIsWanted_3_3_4_6) {
    send({});
    EXPECT_TRUE(got(b.first) && taken_by(one));
    send({.newest_first = true});
    EXPECT_TRUE(got(b.second) && taken_by(two));
    send({.preferred_connection = two});
    EXPECT_TRUE(got(b.second) && taken_by(two));
    send({.preferred_connection = one, .newest_first = true});
    EXPECT_TRUE(got(b.first) && taken_by(one));
}

TEST_F(Unsolicited, GoesOverAnotherChannelIfTheFirstIsGone_3_3_4_6) {
    b.second.disconnect();
    ASSERT_TRUE(
        TestServer::eventually([&] { return only_session(b.server).channels.size() == 1; }));
    send({.preferred_connection = two});
    EXPECT_TRUE(got(b.first) && taken_by(one));
    b.first.disconnect();
    ASSERT_TRUE(TestServer::eventually([&] { return b.server.engine().sessions().empty(); }));
    send({});
    EXPECT_TRUE(taken_by(0));
}

TEST_F(Unsolicited, GoesOverAnotherChannelIfItDoesNotArrive_3_3_4_7) {
    // The first client does not read: nothing is confirmed.
    send({.until_confirmed = true});
    EXPECT_TRUE(got(b.second) && taken_by(two));
    // Both have read: the first channel has it, and the second is left alone.
    EXPECT_TRUE(got(b.first));
    send({.until_confirmed = true});
    EXPECT_TRUE(got(b.first) && taken_by(one));
    expect_nothing(b.second);
    // Not confirmed, but answered.
    send({.until_confirmed = true, .still_wanted = [] { return false; }});
    EXPECT_TRUE(taken_by(one));
    expect_nothing(b.second);
}

TEST_F(Unsolicited, ASilentChannelIsClosedWhenThereIsAnother_3_3_4_7) {
    b.first.go_silent();
    send({.until_confirmed = true});
    EXPECT_TRUE(got(b.second) && taken_by(two));
    EXPECT_TRUE(b.first.disconnected());
    EXPECT_EQ(b.second.create("x").status(), NtStatus::SUCCESS);
    // The only one that is left is not closed, whatever it says.
    b.second.go_silent();
    send({.until_confirmed = true, .gone_after = {}, .still_wanted = [] { return true; }});
    EXPECT_TRUE(got(b.second) && taken_by(two));
    expect_nothing(b.second);
}

TEST_F(Unsolicited, AClientThatIsSilentOnAllChannelsIsGone_3_3_4_7) {
    b.first.go_silent();
    b.second.go_silent();
    send({.until_confirmed = true, .gone_after = {}, .still_wanted = [] { return true; }});
    EXPECT_TRUE(ended(b.first));
    EXPECT_TRUE(taken_by(two));
    EXPECT_TRUE(ended(b.second));
    EXPECT_TRUE(TestServer::eventually([&] { return b.server.engine().sessions().empty(); }));
}

TEST_F(Unsolicited, TheLastOfSilentChannelsHasTime_3_3_4_7) {
    b.first.go_silent();
    b.second.go_silent();
    std::atomic<bool> wanted{true};
    send({.until_confirmed = true, .still_wanted = [&] { return wanted.load(); }});
    EXPECT_TRUE(ended(b.first));
    std::this_thread::sleep_for(engine::confirm_after * 3 / 2);
    EXPECT_FALSE(b.second.ended());
    wanted = false;  // the client has answered
    EXPECT_TRUE(taken_by(two));
    EXPECT_TRUE(got(b.second));
    expect_nothing(b.second);
}

// ---- FSCTL_QUERY_NETWORK_INTERFACE_INFO

TEST(NetworkInterfaces, AreListed_3_3_5_15_11) {
    Bound b;
    ASSERT_TRUE(b.good);
    const auto code = static_cast<std::uint32_t>(fscc::Fsctl::query_network_interface_info);
    Reply none = b.first.ioctl(wire::file_id_any, code, {});
    ASSERT_TRUE(none.ok());
    EXPECT_EQ(none.body<wire::IoctlResponse>().output.size(), 0U);
    engine::NetworkInterface four{2, "eth0", 10'000'000'000, true, false, false, {192, 0, 2, 1}};
    engine::NetworkInterface six{2, "eth0", 10'000'000'000, true, true, true, {0x20, 1, 0xD, 0xB8}};
    b.server.engine().set_interfaces(
        std::make_shared<const engine::NetworkInterfaces>(engine::NetworkInterfaces{four, six}));
    const Reply some = b.second.ioctl(wire::file_id_any, code, {});
    ASSERT_TRUE(some.ok());
    const auto response = some.body<wire::IoctlResponse>();
    wire::NextListReader list(response.output.bytes, fscc::network_interface_alignment, 10);
    std::vector<fscc::NetworkInterfaceInfo> entries;
    for (Bytes entry; list.next(entry);) {
        const auto parsed = wire::parse_entry<fscc::NetworkInterfaceInfo>(entry);
        ASSERT_TRUE(parsed);
        entries.push_back(*parsed);
    }
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].if_index, 2U);
    EXPECT_EQ(entries[0].capability, fscc::NetworkInterfaceInfo::rss_capable);
    EXPECT_EQ(entries[0].link_speed, 10'000'000'000U);
    EXPECT_EQ(entries[0].sockaddr_storage.ipv4[0], 192);
    EXPECT_EQ(entries[1].sockaddr_storage.family, fscc::SockaddrStorage::inter_network_v6);
    EXPECT_EQ(entries[1].sockaddr_storage.ipv6[1], 1);
    EXPECT_EQ(entries[1].capability, 3U);
    EXPECT_EQ(b.first.ioctl(wire::file_id_any, code, {}, 100).status(), NtStatus::BUFFER_TOO_SMALL);
}

// ---- [MS-SMB2] 3.3.5.2.10, 3.3.5.14

TEST(ChannelSequence, StaleChangesAreRefused_3_3_5_2_10) {
    for (const bool replay : {false, true}) {
        Bound b;
        ASSERT_TRUE(b.good);
        TestClient& c = b.first;
        const wire::FileId file = c.create("ordered").body<wire::CreateResponse>().file_id;
        const auto write_with = [&](std::uint16_t sequence) {
            c.channel_sequence = sequence;
            c.replay = replay;
            const NtStatus status = c.write(file, 0, Message(8)).status();
            EXPECT_TRUE(c.read(file, 0, 8).ok()) << "what changes nothing is never refused";
            return status;
        };
        constexpr auto stale = NtStatus::FILE_NOT_AVAILABLE;
        EXPECT_EQ(write_with(0), NtStatus::SUCCESS);
        EXPECT_EQ(write_with(0x8000), stale);
        EXPECT_EQ(write_with(0xFFFF), stale);
        EXPECT_EQ(write_with(0x7FFF), NtStatus::SUCCESS);
        EXPECT_EQ(write_with(0x7FFE), stale);
        EXPECT_EQ(write_with(0), stale);
        EXPECT_EQ(write_with(0x8000), NtStatus::SUCCESS);
        EXPECT_EQ(write_with(0xFFFF), NtStatus::SUCCESS);
        EXPECT_EQ(write_with(0), NtStatus::SUCCESS);
        EXPECT_EQ(write_with(0xFFFF), stale);
        c.channel_sequence = 0xFFFF;
        EXPECT_EQ(c.delete_on_close(file).status(), stale);
        EXPECT_EQ(
            c.ioctl(file, static_cast<std::uint32_t>(fscc::Fsctl::get_compression), {}).status(),
            stale);
    }
}

TEST(ChannelSequence, AReplayWaitsForWhatItRepeats_3_3_5_2_10) {
    engine::ChannelOrder order;
    order.begin(0xFFFE);
    EXPECT_TRUE(order.enter(0xFFFE, false));
    EXPECT_TRUE(order.enter(0xFFFE, true));
    EXPECT_EQ(order.outstanding(), 2U);
    // The channel was lost: what is outstanding is of before.
    EXPECT_FALSE(order.enter(0, true));
    EXPECT_EQ(order.outstanding_earlier(), 2U);
    EXPECT_EQ(order.sequence(), 0);
    EXPECT_TRUE(order.enter(0, false)) << "a new request is none of before";
    order.leave(0xFFFE);
    EXPECT_FALSE(order.enter(0, true));
    order.leave(0xFFFE);
    EXPECT_TRUE(order.enter(0, true));
    order.leave(0);
    order.leave(0);
    EXPECT_EQ(order.outstanding(), 0U);
    EXPECT_FALSE(order.enter(0xFFFF, false));
}

TEST(LockSequence, ARepeatedLockIsAnsweredNotCarriedOut_3_3_5_14) {
    Bound b;
    ASSERT_TRUE(b.good);
    const wire::FileId file = b.first.create("locks").body<wire::CreateResponse>().file_id;
    const auto lock = [&](TestClient& client, std::uint32_t sequence, std::uint32_t flags) {
        wire::LockRequest request;
        request.file_id = file;
        request.lock_sequence = sequence;
        request.locks.push_back({0, 10, flags | wire::lock_flags::fail_immediately});
        if (flags == wire::lock_flags::unlock) request.locks[0].flags = flags;
        return client.call(request).status();
    };
    constexpr std::uint32_t exclusive = wire::lock_flags::exclusive_lock;
    EXPECT_EQ(lock(b.first, 0x10 | 3, exclusive), NtStatus::SUCCESS);
    // The same index and number, on whatever channel: the client has not got the answer.
    EXPECT_EQ(lock(b.second, 0x10 | 3, exclusive), NtStatus::SUCCESS);
    EXPECT_EQ(lock(b.first, 0x10 | 4, exclusive), NtStatus::LOCK_NOT_GRANTED);
    EXPECT_EQ(lock(b.first, 0x10 | 5, wire::lock_flags::unlock), NtStatus::SUCCESS);
    EXPECT_EQ(lock(b.second, 0x10 | 5, wire::lock_flags::unlock), NtStatus::SUCCESS);
    EXPECT_EQ(lock(b.second, 0, wire::lock_flags::unlock), NtStatus::RANGE_NOT_LOCKED);
}

// ---- races: for the thread sanitizer

void use_files(TestClient& client, unsigned seed, std::atomic<bool>& stop) {
    const std::string mine = "f" + std::to_string(seed);
    for (unsigned i = 0; !stop && !client.ended(); ++i) {
        const Reply created = client.create(i % 2 == 0 ? "common" : mine);
        if (!created.ok()) return;
        const wire::FileId file = created.body<wire::CreateResponse>().file_id;
        client.write(file, i % 64, Message(32, std::byte{1}));
        client.lock(file, seed, 1,
                    wire::lock_flags::exclusive_lock | wire::lock_flags::fail_immediately);
        client.read(file, 0, 64);
        client.query_directory(file);
        client.close(file);
    }
}

TEST(Race, ChannelsOnDifferentLoopsShareOneSession) {
    for (int round = 0; round < 4; ++round) {
        Bound b;
        ASSERT_TRUE(b.good);
        std::atomic<bool> stop{false};
        std::thread one([&] { use_files(b.first, 1, stop); });
        std::thread two([&] { use_files(b.second, 2, stop); });
        for (int i = 0; i < 8; ++i) {
            TestClient third(b.server, "192.0.2.3");
            if (third.negotiate(0x0311).ok() && third.bind(b.first).ok()) {
                std::atomic<bool> at_once{false};
                std::thread three([&] { use_files(third, 3, at_once); });
                at_once = true;
                three.join();
            }
            b.server.engine().sessions();
        }
        // Four ways for it to end while it is used.
        TestClient last(b.server, "192.0.2.4");
        if (round == 0) {
            EXPECT_TRUE(b.server.engine().end_session(b.first.session_id));
        } else if (round == 1 && last.negotiate(0x0311).ok() && last.bind(b.first).ok()) {
            EXPECT_TRUE(last.logoff().ok());
        } else if (round == 2) {
            b.first.disconnect();
            b.second.disconnect();
        }
        stop = true;
        one.join();
        two.join();
    }
}

}  // namespace
}  // namespace smb3d::test
