// Who ends what: locks that wait, LOGOFF, TREE_DISCONNECT, loss of a connection, the administrator,
// limits, stop(). [MS-SMB2] 3.3.4.2, 3.3.5.6, 3.3.5.8, 3.3.5.10, 3.3.5.14, 3.3.5.16, 3.3.7.1.
#include <chrono>

#include <gtest/gtest.h>

#include "base/utf16.h"
#include "client/test_client.h"

namespace smb3d::test {
namespace {

constexpr std::uint32_t exclusive = wire::lock_flags::exclusive_lock;

wire::FileId open_file(TestClient& client, std::string_view name = "file") {
    const Reply reply = client.create(name);
    EXPECT_TRUE(reply.ok());
    return reply.body<wire::CreateResponse>().file_id;
}

class LockWait : public ::testing::Test {
  protected:
    LockWait() : server_({.loops = 2}), holder_(server_), waiter_(server_) {
        EXPECT_TRUE(holder_.log_on());
        EXPECT_TRUE(waiter_.log_on());
        held_ = open_file(holder_);
        EXPECT_TRUE(holder_.lock(held_, 0, 10, exclusive).ok());
        wanted_ = open_file(waiter_);
    }
    // A LOCK that waits; its message id.
    std::uint64_t begin() {
        wire::LockRequest request;
        request.file_id = wanted_;
        request.locks.push_back({5, 10, exclusive});
        const std::uint64_t id = waiter_.send(waiter_.make(request));
        interim_ = waiter_.wait_interim(id);
        EXPECT_FALSE(interim_.lost);
        EXPECT_TRUE(interim_.header.is_async());
        EXPECT_NE(interim_.header.async_id, 0U);
        EXPECT_GE(interim_.header.credits, 1);
        return id;
    }
    TestServer server_;
    TestClient holder_;
    TestClient waiter_;
    wire::FileId held_;
    wire::FileId wanted_;
    Reply interim_;
};

TEST_F(LockWait, IsGrantedWhenTheHolderUnlocks_3_3_4_2) {
    const std::uint64_t id = begin();
    EXPECT_TRUE(waiter_.echo().ok());  // others are not held up
    EXPECT_TRUE(holder_.lock(held_, 0, 10, wire::lock_flags::unlock).ok());
    const Reply reply = waiter_.wait(id);
    EXPECT_TRUE(reply.ok());
    EXPECT_TRUE(reply.was_signed);
    EXPECT_TRUE(reply.header.is_async());
    EXPECT_EQ(reply.header.async_id, interim_.header.async_id);
    EXPECT_EQ(reply.header.credits, 0);
    EXPECT_EQ(holder_.lock(held_, 5, 1, exclusive | wire::lock_flags::fail_immediately).status(),
              NtStatus::LOCK_NOT_GRANTED);
}

TEST_F(LockWait, IsCancelledByAsyncId_3_3_5_16) {
    const std::uint64_t id = begin();
    waiter_.cancel(id);
    EXPECT_EQ(waiter_.wait(id).status(), NtStatus::CANCELLED);
    waiter_.cancel(id);  // too late: nothing happens
    EXPECT_TRUE(waiter_.echo().ok());
    EXPECT_TRUE(holder_.lock(held_, 0, 10, wire::lock_flags::unlock).ok());
    EXPECT_TRUE(holder_.lock(held_, 5, 10, exclusive | wire::lock_flags::fail_immediately).ok());
}

TEST_F(LockWait, EndsWithItsOpen_3_3_5_10) {
    const std::uint64_t id = begin();
    EXPECT_TRUE(waiter_.close(wanted_).ok());
    EXPECT_EQ(waiter_.wait(id).status(), NtStatus::RANGE_NOT_LOCKED);
    EXPECT_EQ(server_.engine().totals().opens, 1U);
}

TEST_F(LockWait, EndsWithItsTree_3_3_5_8) {
    const std::uint64_t id = begin();
    EXPECT_TRUE(waiter_.tree_disconnect().ok());
    EXPECT_FALSE(waiter_.wait(id).lost);
    EXPECT_EQ(server_.engine().totals().opens, 1U);
}

TEST_F(LockWait, EndsWithItsSession_3_3_5_6) {
    const std::uint64_t id = begin();
    EXPECT_TRUE(waiter_.logoff().ok());
    EXPECT_FALSE(waiter_.wait(id).lost);
    EXPECT_EQ(server_.engine().totals().sessions, 1U);
}

TEST_F(LockWait, EndsWithItsConnection_3_3_7_1) {
    begin();
    waiter_.disconnect();
    EXPECT_TRUE(TestServer::eventually([&] { return server_.engine().totals().opens == 1; }));
    holder_.disconnect();
    EXPECT_TRUE(server_.all_released()) << server_.leftovers();
}

TEST_F(LockWait, EndsWhenTheHoldersConnectionIsLost_3_3_7_1) {
    const std::uint64_t id = begin();
    holder_.disconnect();
    EXPECT_TRUE(waiter_.wait(id).ok());
}

TEST_F(LockWait, DoesNotHoldUpStop) {
    const std::uint64_t id = begin();
    const auto begun = std::chrono::steady_clock::now();
    server_.stop(std::chrono::seconds(5));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3));
    // Granted if the holder's connection went first.
    const Reply reply = waiter_.wait(id);
    EXPECT_TRUE(reply.ok() || reply.status() == NtStatus::CANCELLED);
    EXPECT_EQ(server_.share().counters().open_files, 0U);
}

TEST_F(LockWait, InsideACompoundIsRefused_3_3_4_2) {
    wire::LockRequest request;
    request.file_id = wanted_;
    request.locks.push_back({5, 10, exclusive});
    std::vector<Request> requests;
    requests.push_back(waiter_.make(request));
    requests.push_back(waiter_.make(wire::EchoRequest{}));
    const auto ids = waiter_.send_compound(std::move(requests), false);
    EXPECT_TRUE(is_error(waiter_.wait(ids[0]).status()));
    EXPECT_TRUE(waiter_.wait(ids[1]).ok());
}

TEST(Lifetime, LogoffReleasesEverythingOfTheSession_3_3_5_6) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    const wire::FileId file = open_file(client);
    open_file(client, "other");
    ASSERT_TRUE(client.tree_connect("data").ok());
    EXPECT_EQ(server.engine().totals().trees, 2U);
    EXPECT_TRUE(client.logoff().ok());
    const engine::Totals totals = server.engine().totals();
    EXPECT_EQ(totals.sessions + totals.trees + totals.opens, 0U);
    EXPECT_EQ(totals.connections, 1U);
    EXPECT_EQ(server.share().counters().open_files, 0U);
    EXPECT_EQ(client.close(file).status(), NtStatus::USER_SESSION_DELETED);
    EXPECT_EQ(client.logoff().status(), NtStatus::USER_SESSION_DELETED);
}

TEST(Lifetime, TreeDisconnectReleasesItsOpensOnly_3_3_5_8) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    const wire::FileId file = open_file(client);
    const std::uint32_t first = client.tree_id;
    ASSERT_TRUE(client.tree_connect("data").ok());
    const wire::FileId other = open_file(client, "other");
    // An open belongs to its tree.
    EXPECT_EQ(client.read(file, 0, 1).status(), NtStatus::FILE_CLOSED);
    const std::uint32_t second = std::exchange(client.tree_id, first);
    EXPECT_TRUE(client.tree_disconnect().ok());
    EXPECT_EQ(client.close(file).status(), NtStatus::NETWORK_NAME_DELETED);
    EXPECT_EQ(client.tree_disconnect().status(), NtStatus::NETWORK_NAME_DELETED);
    client.tree_id = second;
    EXPECT_EQ(server.engine().totals().opens, 1U);
    EXPECT_TRUE(client.close(other).ok());
    EXPECT_EQ(client.close(other).status(), NtStatus::FILE_CLOSED);
}

TEST(Lifetime, LossOfAConnectionReleasesEverything_3_3_7_1) {
    TestServer server({.loops = 2});
    {
        TestClient client(server);
        ASSERT_TRUE(client.log_on());
        open_file(client);
        ASSERT_TRUE(client.session_setup("2/bob").ok());
        ASSERT_TRUE(client.tree_connect("data").ok());
        open_file(client);
        EXPECT_EQ(server.engine().totals().sessions, 2U);
    }
    EXPECT_TRUE(server.all_released()) << server.leftovers();
}

TEST(Lifetime, DeleteOnCloseIsDoneWhenTheConnectionIsLost_3_3_7_1) {
    TestServer server;
    {
        TestClient client(server);
        ASSERT_TRUE(client.log_on());
        EXPECT_TRUE(client.create("doomed", {.options = 0x1000}).ok());
    }
    EXPECT_TRUE(server.all_released()) << server.leftovers();
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    EXPECT_EQ(client.create("doomed", {.disposition = wire::CreateDisposition::open}).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
}

Hostility stuck(VfsOp op) {
    Hostility hostility;
    VfsRule rule;
    rule.inline_weight = 0;
    rule.stuck_weight = 1;
    hostility.exceptions[op] = rule;
    return hostility;
}

TEST(Lifetime, LossOfAConnectionCancelsTheBackEnd_3_3_7_1) {
    for (const VfsOp op : {VfsOp::read, VfsOp::open, VfsOp::list}) {
        TestServer server;
        {
            TestClient client(server);
            ASSERT_TRUE(client.log_on());
            const wire::FileId file = open_file(client);
            const wire::FileId root =
                client.create("", {.access = 0x81, .disposition = wire::CreateDisposition::open})
                    .body<wire::CreateResponse>()
                    .file_id;
            client.write(file, 0, Message(100));
            server.share().set_hostility(stuck(op));
            wire::ReadRequest read;
            read.file_id = file;
            read.length = 10;
            client.send(client.make(read));
            const Message name = utf16("new");
            wire::CreateRequest create;
            create.desired_access = 0x1;
            create.create_disposition = wire::CreateDisposition::open_if;
            create.name = name;
            client.send(client.make(create));
            wire::QueryDirectoryRequest list;
            list.file_id = root;
            list.file_information_class = 12;
            list.output_buffer_length = 1000;
            const Message star = utf16("*");
            list.file_name = star;
            client.send(client.make(list));
            EXPECT_TRUE(
                TestServer::eventually([&] { return server.share().counters().stuck_now > 0; }));
        }
        EXPECT_TRUE(server.all_released()) << server.leftovers();
        EXPECT_EQ(server.share().counters().stuck_now, 0U);
    }
}

// A client that hears nothing for long gives its connection up.
TEST(Lifetime, WhatTakesLongIsAnsweredWithAnInterimResponse_3_3_4_2) {
    for (const bool cancelled : {false, true}) {
        TestServer server;
        TestClient client(server);
        ASSERT_TRUE(client.log_on());
        wire::FlushRequest flush;
        flush.file_id = open_file(client);
        server.share().set_hostility(stuck(VfsOp::flush));
        const std::uint64_t id = client.send(client.make(flush));
        const Reply interim = client.wait_interim(id);
        ASSERT_FALSE(interim.lost);
        EXPECT_EQ(interim.status(), NtStatus::PENDING);
        if (cancelled) {
            client.cancel(id);
        } else {
            server.share().release_stuck();
        }
        EXPECT_EQ(client.wait(id).status(), cancelled ? NtStatus::CANCELLED : NtStatus::SUCCESS);
        server.share().set_hostility(Hostility::none());
    }
}

TEST(Lifetime, StopCutsOffWhatIsStuckAfterTheGrace) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    const wire::FileId file = open_file(client);
    client.write(file, 0, Message(100));
    server.share().set_hostility(stuck(VfsOp::read));
    wire::ReadRequest read;
    read.file_id = file;
    read.length = 10;
    client.send(client.make(read));
    ASSERT_TRUE(TestServer::eventually([&] { return server.share().counters().stuck_now == 1; }));
    const auto begun = std::chrono::steady_clock::now();
    server.stop(std::chrono::milliseconds(200));
    const auto took = std::chrono::steady_clock::now() - begun;
    EXPECT_GE(took, std::chrono::milliseconds(150));
    EXPECT_LT(took, std::chrono::seconds(5));
    EXPECT_TRUE(client.disconnected());
    EXPECT_EQ(server.share().counters().open_files, 0U);
}

TEST(Lifetime, StopRefusesNewConnections) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    server.engine().stop(std::chrono::milliseconds(1000));
    EXPECT_TRUE(client.disconnected());
    EXPECT_EQ(server.leftovers(), "");
    TestClient late(server);
    EXPECT_TRUE(late.refused());
}

TEST(Administrator, EndsSessionsAndOpens) {
    TestServer server({.loops = 2});
    TestClient client(server);
    TestClient bob(server);
    ASSERT_TRUE(client.log_on());
    ASSERT_TRUE(bob.log_on(0x0302, "bob"));
    const wire::FileId file = open_file(client);
    const auto opens = server.engine().opens();
    ASSERT_EQ(opens.size(), 1U);
    EXPECT_EQ(opens[0].user, "alice");
    EXPECT_EQ(opens[0].path, "file");
    EXPECT_TRUE(server.engine().close_open(opens[0].id));
    EXPECT_FALSE(server.engine().close_open(opens[0].id));
    EXPECT_EQ(client.read(file, 0, 1).status(), NtStatus::FILE_CLOSED);
    open_file(client);
    open_file(bob);
    EXPECT_EQ(server.engine().sessions().size(), 2U);
    EXPECT_EQ(server.engine().connections().size(), 2U);
    EXPECT_TRUE(server.engine().end_session(client.session_id));
    EXPECT_FALSE(server.engine().end_session(client.session_id));
    EXPECT_EQ(client.create("x").status(), NtStatus::USER_SESSION_DELETED);
    EXPECT_EQ(server.engine().end_user("BOB"), 1U);
    EXPECT_EQ(bob.create("x").status(), NtStatus::USER_SESSION_DELETED);
    EXPECT_TRUE(TestServer::eventually([&] { return server.engine().totals().opens == 0; }));
    EXPECT_EQ(server.engine().totals().connections, 2U);
    // The connection is still good for a new logon.
    EXPECT_TRUE(client.session_setup("alice").ok());
    EXPECT_TRUE(client.tree_connect("data").ok());
}

TEST(Administrator, EndingASessionWakesItsWaitingLock) {
    TestServer server({.loops = 2});
    TestClient holder(server);
    TestClient waiter(server);
    ASSERT_TRUE(holder.log_on());
    ASSERT_TRUE(waiter.log_on());
    ASSERT_TRUE(holder.lock(open_file(holder), 0, 1, exclusive).ok());
    wire::LockRequest request;
    request.file_id = open_file(waiter);
    request.locks.push_back({0, 1, exclusive});
    const std::uint64_t id = waiter.send(waiter.make(request));
    ASSERT_FALSE(waiter.wait_interim(id).lost);
    EXPECT_TRUE(server.engine().end_session(waiter.session_id));
    EXPECT_FALSE(waiter.wait(id).lost);
    EXPECT_TRUE(TestServer::eventually([&] { return server.engine().totals().opens == 1; }));
}

TEST(Administrator, ReconfigureEndsTreesOfSharesThatAreGone) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    open_file(client);
    auto same = std::make_shared<engine::ServerConfig>(server.config());
    EXPECT_TRUE(server.engine().reconfigure(same).empty());
    EXPECT_TRUE(client.create("still").ok());
    auto without = std::make_shared<engine::ServerConfig>(server.config());
    without->shares.clear();
    EXPECT_EQ(server.engine().reconfigure(without).size(), 1U);
    EXPECT_TRUE(TestServer::eventually([&] { return server.engine().totals().trees == 0; }));
    EXPECT_EQ(client.create("x").status(), NtStatus::NETWORK_NAME_DELETED);
    EXPECT_EQ(client.tree_connect("data").status(), NtStatus::BAD_NETWORK_NAME);
    EXPECT_TRUE(TestServer::eventually([&] { return server.engine().totals().opens == 0; }));
    EXPECT_EQ(server.share().counters().open_files, 0U);
}

// Who may use a share, and how it is listed, is nothing to those who use it already and still may.
TEST(Administrator, ReconfigureLeavesAloneWhomTheChangeDoesNotConcern) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    open_file(client);
    const auto with = [&](auto change) {
        auto config = std::make_shared<engine::ServerConfig>(server.config());
        for (auto& [name, policy] : config->shares) {
            auto changed = std::make_shared<engine::SharePolicy>(*policy);
            change(*changed);
            policy = std::move(changed);
        }
        return server.engine().reconfigure(config);
    };
    EXPECT_TRUE(with([](engine::SharePolicy& p) {
                    p.comment = "new";
                    p.hidden = true;
                    p.max_connections = 9;
                    p.denied_users = {"bob"};
                    p.read_only_users = {"carol"};
                }).empty());
    EXPECT_TRUE(client.create("still").ok());
    EXPECT_EQ(with([](engine::SharePolicy& p) { p.read_only_users = {"alice"}; }).size(), 1U);
    EXPECT_TRUE(TestServer::eventually([&] { return server.engine().totals().trees == 0; }));
    ASSERT_TRUE(client.tree_connect("data").ok());
    EXPECT_EQ(with([](engine::SharePolicy& p) {
                  p.read_only_users = {"alice"};
                  p.oplocks = false;
              }).size(),
              1U);
    EXPECT_TRUE(TestServer::eventually([&] { return server.engine().totals().trees == 0; }));
}

TEST(Limits, OfOpensSessionsAndConnections) {
    TestServerOptions options;
    options.configure = [](engine::ServerConfig& config) {
        config.max_open_files = 3;
        config.max_sessions = 2;
        config.max_connections_per_address = 2;
        config.max_connections = 3;
    };
    TestServer server(options);
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    std::vector<wire::FileId> files;
    for (int i = 0; i < 3; ++i) files.push_back(open_file(client));
    EXPECT_TRUE(is_error(client.create("fourth").status()));
    EXPECT_TRUE(client.close(files[0]).ok());
    EXPECT_TRUE(client.create("fourth").ok());

    ASSERT_TRUE(client.session_setup("bob").ok());
    EXPECT_EQ(client.session_setup("carol").status(), NtStatus::SMB_TOO_MANY_UIDS);
    ASSERT_TRUE(client.logoff().ok());
    EXPECT_TRUE(client.session_setup("carol").ok());

    auto second = std::make_unique<TestClient>(server);
    EXPECT_FALSE(second->refused());
    TestClient third(server);
    EXPECT_TRUE(third.refused());
    TestClient elsewhere(server, "192.0.2.2");
    EXPECT_FALSE(elsewhere.refused());
    TestClient beyond(server, "192.0.2.3");
    EXPECT_TRUE(beyond.refused());
    second.reset();
    EXPECT_TRUE(TestServer::eventually([&] { return server.engine().totals().connections == 2; }));
    TestClient again(server);
    EXPECT_FALSE(again.refused());
}

TEST(Limits, OfTreesInASession) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.negotiate(0x0210).ok());
    ASSERT_TRUE(client.session_setup("alice").ok());
    client.sign = false;
    for (std::size_t i = 0; i < limits::max_trees_per_session; ++i) {
        ASSERT_TRUE(client.tree_connect("data").ok()) << i;
    }
    EXPECT_EQ(client.tree_connect("data").status(), NtStatus::INSUFFICIENT_RESOURCES);
    EXPECT_TRUE(client.tree_disconnect().ok());
    EXPECT_TRUE(client.tree_connect("data").ok());
}

TEST(Limits, OfTheTimeToLogOn) {
    TestServer server({.configure = [](auto& c) { c.authentication_seconds = 1; }});
    TestClient idle(server);
    TestClient busy(server);
    ASSERT_TRUE(busy.log_on());
    EXPECT_TRUE(idle.disconnected());
    EXPECT_TRUE(busy.echo().ok());
}

TEST(Limits, OfAMessageBeforeAndAfterLogon) {
    TestServer server;
    TestClient client(server);
    client.send_message(Message(limits::max_message_unauthenticated + 1));
    EXPECT_TRUE(client.disconnected());
    TestClient later(server);
    later.credits_to_ask = 256;
    ASSERT_TRUE(later.log_on());
    EXPECT_TRUE(later.write(open_file(later), 0, Message(limits::max_transact)).ok());
}

}  // namespace
}  // namespace smb3d::test
