// BreakTimers: [MS-SMB2] 3.3.2.1, 3.3.2.5: one entry a holder, gone with the answer.
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "client/test_client.h"
#include "engine/server_impl.h"
#include "wire/create_context.h"
#include "wire/oplock_break.h"

namespace smb3d::test {
namespace {

struct Nobody final : fsa::CacheHolder {
    void cache_broken(const fsa::BreakNotice&) override {}
};

engine::BreakTimers& timers_of(TestServer& server) {
    return static_cast<engine::ServerImpl&>(server.engine()).break_timers;
}

TEST(BreakTimers, OneEntryAHolderWhicheverBreakItIs) {
    TestServer server;
    engine::BreakTimers& timers = timers_of(server);
    const auto one = std::make_shared<Nobody>();
    const auto two = std::make_shared<Nobody>();
    fsa::BreakNotice notice;
    for (std::uint32_t number = 1; number <= 1000; ++number) {
        notice.number = number;
        timers.watch(*one, {}, notice);
    }
    timers.watch(*two, {}, notice);
    EXPECT_EQ(timers.size(), 2U);
    timers.forget(*one, 999);  // an answer to a break that another one has followed
    EXPECT_EQ(timers.size(), 2U);
    timers.forget(*one, 1000);
    EXPECT_EQ(timers.size(), 1U);
    timers.forget(*one, 1000);
    timers.forget(*two, 1000);
    EXPECT_EQ(timers.size(), 0U);
}

TEST(BreakTimers, TheOldestFiresAndTheRestStay) {
    TestServer server;
    engine::BreakTimers& timers = timers_of(server);
    timers.set_timeout(std::chrono::milliseconds(20));
    std::vector<std::shared_ptr<Nobody>> holders;
    for (int i = 0; i < 10; ++i) {
        holders.push_back(std::make_shared<Nobody>());
        timers.watch(*holders.back(), {}, {});
    }
    timers.set_timeout(std::chrono::hours(1));
    const auto last = std::make_shared<Nobody>();
    timers.watch(*last, {}, {});
    EXPECT_TRUE(TestServer::eventually([&] { return timers.size() == 1; }));
    timers.forget(*last, 0);
    EXPECT_EQ(timers.size(), 0U);
}

Message lease_context(std::uint8_t key, std::uint32_t state) {
    wire::LeaseV2 lease;
    lease.lease_key.fill(key);
    lease.lease_state = state;
    wire::CreateContextBuilder builder;
    builder.add(wire::tag::rqls, lease);
    return {builder.bytes().begin(), builder.bytes().end()};
}

std::unique_ptr<TestClient> client_of(TestServer& server, std::uint8_t guid) {
    auto client = std::make_unique<TestClient>(server);
    client->client_guid.fill(guid);
    NegotiateOptions options;
    options.dialects = {0x0302};
    options.capabilities |= wire::capabilities::leasing;
    EXPECT_TRUE(client->negotiate(options).ok());
    EXPECT_TRUE(client->session_setup("alice").ok());
    EXPECT_TRUE(client->tree_connect("data").ok());
    return client;
}

wire::FileId file_of(const Reply& reply) { return reply.body<wire::CreateResponse>().file_id; }

// A client that breaks and acknowledges, or closes instead, in a loop leaves nothing behind.
TEST(BreakTimers, NothingIsLeftOfABreakThatWasAnswered_3_3_5_22) {
    TestServer server({.loops = 2});
    engine::BreakTimers& timers = timers_of(server);
    const auto holder = client_of(server, 1);
    const auto other = client_of(server, 2);
    for (int round = 0; round < 50; ++round) {
        const Reply held = holder->create(
            "file", {.oplock = wire::OplockLevel::lease, .contexts = lease_context(7, 7)});
        ASSERT_TRUE(held.ok());
        const std::uint64_t waiting = other->send_create("file");
        ASSERT_EQ(holder->wait(~std::uint64_t{0}).header.command, wire::Command::oplock_break);
        EXPECT_EQ(timers.size(), 1U);
        if (round % 2 == 0) {
            wire::LeaseBreakAcknowledgment answer;
            answer.lease_key.fill(7);
            answer.lease_state = 3;
            EXPECT_TRUE(holder->call(answer).ok());
        } else {
            EXPECT_TRUE(holder->close(file_of(held)).ok());
        }
        const Reply opened = other->wait(waiting);
        ASSERT_TRUE(opened.ok());
        EXPECT_EQ(timers.size(), 0U);
        EXPECT_TRUE(other->close(file_of(opened)).ok());
        if (round % 2 == 0) {
            EXPECT_TRUE(holder->close(file_of(held)).ok());
        }
    }
}

}  // namespace
}  // namespace smb3d::test
