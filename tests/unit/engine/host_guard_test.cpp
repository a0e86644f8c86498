// What clients cache beside somebody on the host: he waits until they have given it up.
#include <chrono>

#include <gtest/gtest.h>

#include "client/test_client.h"
#include "wire/create_context.h"

namespace smb3d::test {
namespace {

using wire::OplockLevel;

constexpr std::uint32_t r = 1;
constexpr std::uint32_t rh = 3;
constexpr std::uint32_t rwh = 7;
constexpr std::uint32_t reading = 0x00120089;

wire::LeaseKey key_of(std::uint8_t n) {
    wire::LeaseKey key{};
    key.fill(n);
    return key;
}

CreateOptions leased(std::uint8_t key, std::uint32_t state, std::uint32_t access = 0x0013019F) {
    wire::LeaseV2 lease;
    lease.lease_key = key_of(key);
    lease.lease_state = state;
    wire::CreateContextBuilder contexts;
    contexts.add(wire::tag::rqls, lease);
    const Bytes bytes = contexts.bytes();
    return {
        .access = access, .oplock = OplockLevel::lease, .contexts = {bytes.begin(), bytes.end()}};
}

std::uint32_t granted(const Reply& reply) {
    const auto response = reply.body<wire::CreateResponse>();
    wire::CreateContextReader reader(response.create_contexts);
    wire::CreateContext context;
    while (reader.next(context)) {
        if (!context.is(wire::tag::rqls)) continue;
        if (auto lease = wire::parse<wire::LeaseV2>(context.data)) return lease->lease_state;
    }
    return 0;
}
wire::FileId id_of(const Reply& reply) { return reply.body<wire::CreateResponse>().file_id; }

class HostGuard : public ::testing::Test {
  protected:
    explicit HostGuard(TestServerOptions options = {.loops = 2}) : server_(std::move(options)) {
        server_.share().support_guards();
    }
    std::unique_ptr<TestClient> client(std::uint8_t guid) {
        auto made = std::make_unique<TestClient>(server_);
        made->client_guid.fill(guid);
        made->keep_notices = true;
        NegotiateOptions options;
        options.dialects = {0x0311};
        options.capabilities |= wire::capabilities::leasing;
        EXPECT_TRUE(made->negotiate(options).ok());
        EXPECT_TRUE(made->session_setup("alice").ok());
        EXPECT_TRUE(made->tree_connect("data").ok());
        return made;
    }
    // The next break that the client is told of: from and to, "none" if none comes.
    static std::string told(TestClient& client) {
        TestServer::eventually([&] {
            client.poll();
            return !client.notices.empty();
        });
        if (client.notices.empty()) return "none";
        const auto notice = client.notices.front().body<wire::LeaseBreakNotification>();
        client.notices.pop_front();
        return std::to_string(notice.current_lease_state) + " -> " +
               std::to_string(notice.new_lease_state);
    }
    static bool acknowledge(TestClient& client, std::uint8_t key, std::uint32_t state) {
        wire::LeaseBreakAcknowledgment body;
        body.lease_key = key_of(key);
        body.lease_state = state;
        return client.call(body).ok();
    }
    bool goes_on() {
        return TestServer::eventually([&] { return !server_.share().host_waits("file"); });
    }

    TestServer server_;
};

TEST_F(HostGuard, ALocalReaderWaitsForWhatIsWrittenBack) {
    const auto alice = client(1);
    const Reply opened = alice->create("file", leased(1, rwh));
    ASSERT_EQ(granted(opened), rwh);
    EXPECT_FALSE(server_.share().host_open("file", false));
    EXPECT_EQ(told(*alice), "7 -> 3");
    const std::string dirty = "dirty";
    EXPECT_TRUE(alice->write(id_of(opened), 0, std::as_bytes(std::span(dirty))).ok());
    EXPECT_TRUE(server_.share().host_waits("file"));
    EXPECT_TRUE(acknowledge(*alice, 1, rh));
    EXPECT_TRUE(goes_on());
    // Reads are guarded still; a writer takes them.
    EXPECT_FALSE(server_.share().host_open("file", true));
    EXPECT_EQ(told(*alice), "3 -> 0");
    EXPECT_TRUE(acknowledge(*alice, 1, 0));
    EXPECT_TRUE(goes_on());
}

TEST_F(HostGuard, NoMoreIsGrantedThanIsGuarded) {
    const auto alice = client(1);
    ASSERT_TRUE(alice->create("file").ok());
    EXPECT_TRUE(server_.share().host_open("file", true));
    const Reply beside_writer = alice->create("file", leased(1, rwh, reading));
    EXPECT_EQ(granted(beside_writer), 0U);
    server_.share().host_close("file");
    EXPECT_TRUE(server_.share().host_open("file", false));
    const Reply beside_reader = alice->create("file", leased(1, rh, reading));
    EXPECT_EQ(granted(beside_reader), rh);
    server_.share().host_close("file");
    // An oplock is no different.
    const auto bob = client(2);
    ASSERT_TRUE(bob->close(id_of(bob->create("other"))).ok());
    EXPECT_TRUE(server_.share().host_open("other", false));
    const Reply batch = bob->create("other", {.oplock = OplockLevel::batch});
    EXPECT_EQ(batch.body<wire::CreateResponse>().oplock_level, OplockLevel::ii);
}

TEST_F(HostGuard, AWriterWaitsForAllReaders) {
    const auto alice = client(1);
    const auto bob = client(2);
    ASSERT_TRUE(alice->close(id_of(alice->create("file"))).ok());
    ASSERT_EQ(granted(alice->create("file", leased(1, rh, reading))), rh);
    ASSERT_EQ(granted(bob->create("file", leased(2, rh, reading))), rh);
    EXPECT_TRUE(server_.share().host_open("file", false));  // a reader disturbs nobody
    EXPECT_FALSE(server_.share().host_open("file", true));
    EXPECT_EQ(told(*alice), "3 -> 0");
    EXPECT_EQ(told(*bob), "3 -> 0");
    EXPECT_TRUE(acknowledge(*alice, 1, 0));
    EXPECT_TRUE(server_.share().host_waits("file"));
    EXPECT_TRUE(acknowledge(*bob, 2, 0));
    EXPECT_TRUE(goes_on());
}

TEST_F(HostGuard, WhatNeedsNoAnswerIsNotWaitedFor) {
    const auto alice = client(1);
    ASSERT_TRUE(alice->close(id_of(alice->create("file"))).ok());
    ASSERT_EQ(granted(alice->create("file", leased(1, r, reading))), r);
    EXPECT_TRUE(server_.share().host_open("file", true));
    EXPECT_EQ(told(*alice), "1 -> 0");
}

TEST_F(HostGuard, TheEndOfAHandleEndsTheWait) {
    const auto alice = client(1);
    const Reply opened = alice->create("file", leased(1, rwh));
    ASSERT_EQ(granted(opened), rwh);
    EXPECT_FALSE(server_.share().host_open("file", true));
    EXPECT_EQ(told(*alice), "7 -> 0");
    EXPECT_TRUE(alice->close(id_of(opened)).ok());
    EXPECT_TRUE(goes_on());
}

class ImpatientHostGuard : public HostGuard {
  protected:
    ImpatientHostGuard()
        : HostGuard({.loops = 2, .configure = [](engine::ServerConfig& config) {
                         config.oplock_break_seconds = 1;
                     }}) {}
};

TEST_F(ImpatientHostGuard, AClientThatDoesNotAnswerIsWaitedForOnlySoLong) {
    const auto alice = client(1);
    ASSERT_EQ(granted(alice->create("file", leased(1, rwh))), rwh);
    EXPECT_FALSE(server_.share().host_open("file", false));
    EXPECT_TRUE(goes_on());
    alice->disconnect();
}

class UnguardedShare : public HostGuard {
  protected:
    UnguardedShare()
        : HostGuard({.policy = [](engine::SharePolicy& policy) { policy.guard_host = false; }}) {}
};

TEST_F(UnguardedShare, TheShareMayDoWithout) {
    const auto alice = client(1);
    ASSERT_EQ(granted(alice->create("file", leased(1, rwh))), rwh);
    EXPECT_TRUE(server_.share().host_open("file", true));
}

// Guards that come late and out of order, on other threads.
class HostileHostGuard : public HostGuard {
  protected:
    HostileHostGuard() : HostGuard({.loops = 2, .hostility = Hostility::everything(5)}) {}
};

TEST_F(HostileHostGuard, NothingIsCachedThatTheHostHasOpen) {
    const auto alice = client(1);
    ASSERT_TRUE(alice->close(id_of(alice->create("file"))).ok());
    for (int round = 0; round < 40; ++round) {
        const std::uint64_t creating = alice->send_create("file", leased(1, rwh));
        const bool at_once = server_.share().host_open("file", true);
        std::optional<Reply> opened;
        bool acknowledged = false;
        ASSERT_TRUE(TestServer::eventually([&] {
            alice->poll();
            if (!opened) opened = alice->take(creating);
            if (opened && !alice->notices.empty() && !acknowledged) {
                alice->notices.clear();
                acknowledged = acknowledge(*alice, 1, 0);
            }
            return opened && !server_.share().host_waits("file");
        })) << round
            << (at_once ? " at once" : " waits");
        ASSERT_TRUE(opened->ok());
        // Whatever was granted before the local open has been taken back by now.
        const Reply again = alice->create("file", leased(1, rwh));
        EXPECT_EQ(granted(again), 0U) << round;
        EXPECT_TRUE(alice->close(id_of(again)).ok());
        EXPECT_TRUE(alice->close(id_of(*opened)).ok());
        server_.share().host_close("file");
        alice->notices.clear();
    }
}

}  // namespace
}  // namespace smb3d::test
