// Opens that outlive their connection: [MS-SMB2] 3.3.5.9.6, .7, .10, .12, .13, 3.3.5.15.9, 3.3.7.1.
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "durable_fixture.h"
#include "fscc/fsctl.h"

namespace smb3d::test {
namespace {

class Durable : public ::testing::Test {
  protected:
    explicit Durable(TestServerOptions options = {.loops = 2}) : server_(std::move(options)) {}

    std::unique_ptr<TestClient> client(std::string_view user = "alice", std::uint8_t guid = 0xC1,
                                       std::uint16_t dialect = 0x0311) {
        auto made = std::make_unique<TestClient>(server_);
        made->client_guid.fill(guid);
        EXPECT_TRUE(made->negotiate(all_capabilities(dialect)).ok());
        EXPECT_TRUE(made->session_setup(user).ok());
        EXPECT_TRUE(made->tree_connect("data").ok());
        return made;
    }
    // Its connection is gone and its opens wait.
    void lose(std::unique_ptr<TestClient>& client, std::size_t waiting = 1) {
        client.reset();
        EXPECT_TRUE(TestServer::eventually([&] { return waiting_opens() == waiting; }));
    }
    std::size_t waiting_opens() {
        std::size_t count = 0;
        for (const auto& open : server_.engine().opens()) count += open.waiting ? 1 : 0;
        return count;
    }

    TestServer server_;
};

TEST_F(Durable, AVersion1HandleComesBackWithANewVolatileId_3_3_5_9_7) {
    auto first = client();
    const Reply opened = first->create("file", batch(Contexts().dhnq()));
    ASSERT_TRUE(opened.ok());
    EXPECT_TRUE(context_of<wire::DurableHandleResponse>(opened, wire::tag::dhnq));
    EXPECT_TRUE(first->lock(id_of(opened), 0, 10, wire::lock_flags::exclusive_lock).ok());
    lose(first);

    auto second = client();
    const Reply back = second->create("other name", {.contexts = Contexts().dhnc(id_of(opened))});
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(id_of(back).persistent_id, id_of(opened).persistent_id);
    EXPECT_EQ(back.body<wire::CreateResponse>().oplock_level, OplockLevel::batch);
    EXPECT_FALSE(context_of<wire::DurableHandleResponse>(back, wire::tag::dhnq));
    EXPECT_EQ(waiting_opens(), 0U);
    // The lock is still its own.
    EXPECT_TRUE(second->lock(id_of(back), 0, 10, wire::lock_flags::unlock).ok());
    EXPECT_TRUE(second->close(id_of(back)).ok());
    // Once is once.
    EXPECT_EQ(second->create("file", {.contexts = Contexts().dhnc(id_of(back))}).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    second.reset();
    EXPECT_TRUE(server_.all_released()) << server_.leftovers();
}

TEST_F(Durable, BackBeforeTheEndOfTheOldConnectionWasSeen) {
    auto first = client();
    const Reply opened = first->create("file", batch(Contexts().dhnq()));
    ASSERT_TRUE(opened.ok());
    auto second = client();
    // While it is connected indeed.
    EXPECT_EQ(second->create("file", {.contexts = Contexts().dhnc(id_of(opened))}).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    server_.keep_busy(0, std::chrono::milliseconds(100));
    first.reset();
    const Reply back = second->create("file", {.contexts = Contexts().dhnc(id_of(opened))});
    EXPECT_TRUE(back.ok());
}

TEST_F(Durable, WithoutHandleCachingNothingIsGranted_3_3_5_9_6) {
    auto one = client();
    const Reply plain = one->create("file", {.contexts = Contexts().dhnq()});
    ASSERT_TRUE(plain.ok());
    EXPECT_FALSE(context_of<wire::DurableHandleResponse>(plain, wire::tag::dhnq));
    const Reply leased_r = one->create("other", leased(Contexts().dh2q(1).lease(1, 1)));
    ASSERT_TRUE(leased_r.ok());
    EXPECT_FALSE(is_durable_v2(leased_r));
    const Reply directory =
        one->create("folder", {.options = 0x1, .contexts = Contexts().dh2q(2).lease(2, 3)});
    ASSERT_TRUE(directory.ok());
    EXPECT_FALSE(is_durable_v2(directory));
    one.reset();
    EXPECT_TRUE(server_.all_released()) << server_.leftovers();
}

TEST_F(Durable, GuestsGetNone) {
    TestServer open_server(
        {.policy = [](engine::SharePolicy& policy) { policy.allow_guest = true; }});
    TestClient guest(open_server);
    ASSERT_TRUE(guest.negotiate(all_capabilities()).ok());
    ASSERT_TRUE(guest.session_setup("guest").ok());
    ASSERT_TRUE(guest.tree_connect("data").ok());
    const Reply opened = guest.create("file", batch(Contexts().dhnq()));
    ASSERT_TRUE(opened.ok());
    EXPECT_FALSE(context_of<wire::DurableHandleResponse>(opened, wire::tag::dhnq));
}

TEST_F(Durable, CombinationsThatAreNone_3_3_5_9_10) {
    auto one = client();
    const wire::FileId id{1, 1};
    for (const Message& contexts :
         {Message(Contexts().dhnq().dh2q(1)), Message(Contexts().dhnc(id).dh2q(1)),
          Message(Contexts().dh2q(1).dh2c(id, 1)), Message(Contexts().dhnq().dh2c(id, 1)),
          Message(Contexts().dhnc(id).dh2c(id, 1))}) {
        EXPECT_EQ(one->create("file", batch(contexts)).status(), NtStatus::INVALID_PARAMETER);
    }
    EXPECT_EQ(one->create("file", batch(Contexts().dhnq().dhnc(id))).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
}

TEST_F(Durable, EveryCheckOfAVersion2Reconnect_3_3_5_9_12) {
    auto first = client();
    const Reply opened = first->create("file", leased(Contexts().dh2q(7).lease(3)));
    ASSERT_TRUE(opened.ok());
    ASSERT_TRUE(is_durable_v2(opened));
    const wire::FileId id = id_of(opened);
    // It is not lost yet.
    auto second = client();
    EXPECT_EQ(second->create("file", leased(Contexts().dh2c(id, 7).lease(3))).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    lose(first);
    const auto fails = [&](TestClient& with, std::string_view name, const Message& contexts) {
        return with.create(name, leased(contexts)).status();
    };
    // another id, another GUID, persistent, no lease, another lease, another name
    EXPECT_EQ(fails(*second, "file", Contexts().dh2c({id.persistent_id + 1, 0}, 7).lease(3)),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_EQ(fails(*second, "file", Contexts().dh2c(id, 8).lease(3)),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_EQ(fails(*second, "file", Contexts().dh2c(id, 7, true).lease(3)),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_EQ(fails(*second, "file", Contexts().dh2c(id, 7)), NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_EQ(fails(*second, "file", Contexts().dh2c(id, 7).lease(4)),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_EQ(fails(*second, "else", Contexts().dh2c(id, 7).lease(3)), NtStatus::INVALID_PARAMETER);
    // another client, another user
    auto stranger = client("alice", 0xC2);
    EXPECT_EQ(fails(*stranger, "file", Contexts().dh2c(id, 7).lease(3)),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    auto bob = client("bob");
    EXPECT_EQ(fails(*bob, "file", Contexts().dh2c(id, 7).lease(3)), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(waiting_opens(), 1U);

    const Reply back = second->create("file", leased(Contexts().dh2c(id, 7).lease(3)));
    ASSERT_TRUE(back.ok());
    const auto lease = context_of<wire::LeaseV2>(back, wire::tag::rqls);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->lease_state, rwh);
}

TEST_F(Durable, ItsTimeIsTheClientsWithinReason_3_3_5_9_10) {
    auto one = client();
    const auto granted = [&](std::string_view name, std::uint8_t guid, std::uint32_t asked) {
        const Reply reply = one->create(name, batch(Contexts().dh2q(guid, false, asked)));
        const auto answer = context_of<wire::DurableHandleResponseV2>(reply, wire::tag::dh2q);
        return answer ? answer->timeout : 0;
    };
    EXPECT_EQ(granted("a", 1, 0), 60'000U);
    EXPECT_EQ(granted("b", 2, 5000), 5000U);
    EXPECT_EQ(granted("c", 3, 10'000'000), 300'000U);
}

TEST_F(Durable, WhenItsTimeIsOverItIsClosed_3_3_6_2) {
    auto first = client();
    ASSERT_TRUE(first
                    ->create("file", {.share = 0,
                                      .options = 0x1000,
                                      .oplock = OplockLevel::batch,
                                      .contexts = Contexts().dh2q(1, false, 200)})
                    .ok());
    lose(first);
    EXPECT_TRUE(server_.all_released()) << server_.leftovers();
    // Delete-on-close was done.
    auto second = client();
    EXPECT_EQ(second->create("file", {.disposition = CreateDisposition::open}).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
}

TEST_F(Durable, SomebodyElsesOpenEndsIt_3_3_4_6) {
    auto first = client();
    const Reply opened = first->create("file", batch(Contexts().dhnq()));
    ASSERT_TRUE(opened.ok());
    lose(first);
    auto second = client("bob", 0xC2);
    EXPECT_TRUE(second->create("file").ok());
    EXPECT_EQ(second->create("file", {.contexts = Contexts().dhnc(id_of(opened))}).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
}

TEST_F(Durable, LogoffPreservesTreeDisconnectDoesNot_3_3_5_6_3_3_5_8) {
    auto first = client();
    const Reply opened = first->create("file", batch(Contexts().dhnq()));
    ASSERT_TRUE(first->tree_disconnect().ok());
    ASSERT_TRUE(first->tree_connect("data").ok());
    EXPECT_EQ(first->create("file", {.contexts = Contexts().dhnc(id_of(opened))}).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    const Reply again = first->create("file", batch(Contexts().dhnq()));
    ASSERT_TRUE(again.ok());
    ASSERT_TRUE(first->logoff().ok());
    auto second = client();
    EXPECT_TRUE(second->create("file", {.contexts = Contexts().dhnc(id_of(again))}).ok());
}

TEST_F(Durable, TheAdministratorEndsThem) {
    auto first = client();
    const Reply opened = first->create("file", batch(Contexts().dhnq()));
    ASSERT_TRUE(opened.ok());
    lose(first);
    const auto opens = server_.engine().opens();
    ASSERT_EQ(opens.size(), 1U);
    EXPECT_TRUE(opens[0].waiting);
    EXPECT_EQ(opens[0].durable, "durable");
    EXPECT_GT(opens[0].left_ms, 0U);
    EXPECT_TRUE(server_.engine().close_open(opens[0].id));
    EXPECT_TRUE(server_.all_released()) << server_.leftovers();

    auto second = client();
    ASSERT_TRUE(second->create("file", batch(Contexts().dhnq())).ok());
    EXPECT_TRUE(server_.engine().end_session(second->session_id));
    EXPECT_TRUE(TestServer::eventually([&] { return server_.engine().totals().opens == 0; }));
}

TEST_F(Durable, OnlySoManyWait) {
    TestServer small(
        {.configure = [](engine::ServerConfig& config) { config.max_disconnected_opens = 2; }});
    auto first = std::make_unique<TestClient>(small);
    ASSERT_TRUE(first->negotiate(all_capabilities()).ok());
    ASSERT_TRUE(first->session_setup("alice").ok());
    ASSERT_TRUE(first->tree_connect("data").ok());
    for (const char* name : {"a", "b", "c"}) {
        ASSERT_TRUE(first->create(name, batch(Contexts().dhnq())).ok());
    }
    first.reset();
    EXPECT_TRUE(TestServer::eventually([&] { return small.engine().opens().size() == 2; }));
}

TEST_F(Durable, AResilientHandleNeedsNoOplock_3_3_5_15_9) {
    auto first = client("alice", 0xC1, 0x0210);
    const Reply opened = first->create("file", {.share = 0});
    ASSERT_TRUE(opened.ok());
    const auto code = static_cast<std::uint32_t>(fscc::Fsctl::lmr_request_resiliency);
    const Message short_input(7);
    EXPECT_EQ(first->ioctl(id_of(opened), code, short_input).status(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(
        first->ioctl(id_of(opened), code, wire::to_bytes(fscc::NetworkResiliencyRequest{300'001}))
            .status(),
        NtStatus::INVALID_PARAMETER);
    ASSERT_TRUE(
        first->ioctl(id_of(opened), code, wire::to_bytes(fscc::NetworkResiliencyRequest{60'000}))
            .ok());
    lose(first);
    auto other = client("bob", 0xC2);
    EXPECT_EQ(other->create("file").status(), NtStatus::SHARING_VIOLATION);
    auto second = client("alice", 0xC1, 0x0210);
    EXPECT_TRUE(second->create("file", {.contexts = Contexts().dhnc(id_of(opened))}).ok());
}

TEST_F(Durable, AReplayedCreateHasTheSameOpen_3_3_5_9_10) {
    auto one = client();
    const CreateOptions options = batch(Contexts().dh2q(9));
    const Reply opened = one->create("file", options);
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ(one->create("file", options).status(), NtStatus::DUPLICATE_OBJECTID);
    CreateOptions replay = options;
    replay.replay = true;
    const Reply again = one->create("file", replay);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(id_of(again), id_of(opened));
    EXPECT_EQ(again.body<wire::CreateResponse>().create_action, wire::CreateAction::created);
    EXPECT_TRUE(is_durable_v2(again));
    EXPECT_EQ(server_.engine().opens().size(), 1U);
    // Once the handle is used, a CREATE with its GUID is a CREATE: it waits for the batch oplock.
    ASSERT_TRUE(one->flush(id_of(opened)).ok());
    const std::uint64_t waiting = one->send_create("file", replay);
    EXPECT_EQ(one->wait_interim(waiting).status(), NtStatus::PENDING);
    ASSERT_TRUE(one->close(id_of(opened)).ok());
    const Reply anew = one->wait(waiting);
    ASSERT_TRUE(anew.ok());
    EXPECT_NE(id_of(anew), id_of(opened));
}

TEST_F(Durable, AnotherInstanceOfTheApplicationTakesOver_3_3_5_9_13) {
    auto first = client("alice", 0xC1);
    const Reply opened = first->create("file", batch(Contexts().dh2q(1).instance(5).version(1, 5)));
    ASSERT_TRUE(opened.ok());
    auto second = client("alice", 0xC2);
    EXPECT_EQ(second->create("file", batch(Contexts().dh2q(2).instance(5).version(1, 5))).status(),
              NtStatus::FILE_FORCED_CLOSED);
    EXPECT_EQ(second->create("file", batch(Contexts().dh2q(3).instance(5).version(1, 4))).status(),
              NtStatus::FILE_FORCED_CLOSED);
    EXPECT_TRUE(second->create("file", batch(Contexts().dh2q(4).instance(5).version(1, 6))).ok());
    EXPECT_EQ(first->read(id_of(opened), 0, 1).status(), NtStatus::FILE_CLOSED);
}

// ---- persistent

TEST_F(Persistent, SurvivesTheServerWithLeaseAndLocks) {
    auto first = client();
    const Reply opened = first->create("file", leased(Contexts().dh2q(1, true).lease(1)));
    ASSERT_TRUE(opened.ok());
    ASSERT_TRUE(is_persistent(opened));
    EXPECT_TRUE(first->lock(id_of(opened), 0, 10, wire::lock_flags::exclusive_lock).ok());
    EXPECT_TRUE(first->lock(id_of(opened), 50, 10, wire::lock_flags::exclusive_lock).ok());
    EXPECT_TRUE(first->lock(id_of(opened), 50, 10, wire::lock_flags::unlock).ok());
    const Reply plain = first->create("gone", batch(Contexts().dh2q(2)));
    ASSERT_TRUE(is_durable_v2(plain));
    first.reset();
    for (int times = 0; times < 2; ++times) {
        end();
        start();
        EXPECT_EQ(server_->restored().restored, 1U);
        EXPECT_EQ(server_->restored().dropped, 0U);
    }
    const auto opens = server_->engine().opens();
    ASSERT_EQ(opens.size(), 1U);
    EXPECT_EQ(opens[0].durable, "persistent");
    EXPECT_EQ(opens[0].locks, 1U);

    auto second = client();
    EXPECT_EQ(second->create("gone", batch(Contexts().dh2c(id_of(plain), 2))).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    const Reply back =
        second->create("file", leased(Contexts().dh2c(id_of(opened), 1, true).lease(1)));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(id_of(back).persistent_id, id_of(opened).persistent_id);
    const auto lease = context_of<wire::LeaseV2>(back, wire::tag::rqls);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->lease_state, rwh);
    EXPECT_TRUE(second->lock(id_of(back), 0, 10, wire::lock_flags::unlock).ok());
    EXPECT_EQ(second->lock(id_of(back), 50, 10, wire::lock_flags::unlock).status(),
              NtStatus::RANGE_NOT_LOCKED);
    // Ids of this run are others.
    const Reply fresh = second->create("new", leased(Contexts().dh2q(3, true).lease(3)));
    EXPECT_NE(id_of(fresh).persistent_id >> 40, id_of(back).persistent_id >> 40);
    EXPECT_TRUE(second->close(id_of(back)).ok());
    EXPECT_TRUE(second->close(id_of(fresh)).ok());
    second.reset();
    end();
    start();
    EXPECT_EQ(server_->restored().restored, 0U);
}

TEST_F(Persistent, ARenameAndADeletionAreRemembered) {
    auto first = client();
    const Reply renamed = first->create("before", leased(Contexts().dh2q(1, true).lease(1)));
    ASSERT_TRUE(first->rename(id_of(renamed), "after").ok());
    const Reply doomed = first->create("doomed", leased(Contexts().dh2q(2, true).lease(2)));
    ASSERT_TRUE(first->delete_on_close(id_of(doomed)).ok());
    first.reset();
    end();
    start();
    EXPECT_EQ(server_->restored().restored, 2U);
    auto second = client();
    const Reply back =
        second->create("after", leased(Contexts().dh2c(id_of(renamed), 1, true).lease(1)));
    EXPECT_TRUE(back.ok());
    const Reply still =
        second->create("doomed", leased(Contexts().dh2c(id_of(doomed), 2, true).lease(2)));
    ASSERT_TRUE(still.ok());
    EXPECT_TRUE(second->close(id_of(still)).ok());
    EXPECT_EQ(second->create("doomed", {.disposition = CreateDisposition::open}).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
}

TEST_F(Persistent, WithoutTheAnswerTheGuidFindsIt_3_3_5_9_12) {
    auto first = client();
    const Reply opened = first->create("file", leased(Contexts().dh2q(1, true).lease(1)));
    ASSERT_TRUE(opened.ok());
    first.reset();
    ASSERT_TRUE(TestServer::eventually([&] {
        const auto opens = server_->engine().opens();
        return opens.size() == 1 && opens[0].waiting;
    }));
    auto second = client();
    EXPECT_EQ(second->create("file", leased(Contexts().dh2c({0, 0}, 9, true).lease(1))).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    const Reply back = second->create("file", leased(Contexts().dh2c({0, 0}, 1, true).lease(1)));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(id_of(back).persistent_id, id_of(opened).persistent_id);
}

TEST_F(Persistent, OthersAreToldToWaitForItsOwner_3_3_5_9) {
    auto first = client();
    CreateOptions alone = leased(Contexts().dh2q(1, true));
    alone.oplock = OplockLevel::none;
    alone.share = 0;
    ASSERT_TRUE(is_persistent(first->create("file", alone)));
    auto other = client(0xC2);
    EXPECT_EQ(other->create("file").status(), NtStatus::SHARING_VIOLATION);
    first.reset();
    EXPECT_TRUE(TestServer::eventually(
        [&] { return other->create("file").status() == NtStatus::FILE_NOT_AVAILABLE; }));
}

TEST_F(Persistent, AnotherFileByItsNameIsNotIt) {
    auto first = client();
    ASSERT_TRUE(is_persistent(first->create("file", leased(Contexts().dh2q(1, true).lease(1)))));
    first.reset();
    end();
    // Somebody replaces the file on the host.
    {
        TestServer host({.share = share_});
        TestClient by_hand(host);
        ASSERT_TRUE(by_hand.log_on());
        const Reply old = by_hand.create("file");
        ASSERT_TRUE(by_hand.delete_on_close(id_of(old)).ok());
        ASSERT_TRUE(by_hand.close(id_of(old)).ok());
        ASSERT_TRUE(by_hand.create("file").ok());
    }
    start();
    EXPECT_EQ(server_->restored().restored, 0U);
    EXPECT_EQ(server_->restored().dropped, 1U);
}

}  // namespace
}  // namespace smb3d::test
