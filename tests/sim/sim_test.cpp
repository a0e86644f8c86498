// The simulation: nothing is left behind, and what only one client touched reads back as written.
#include <atomic>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>

#include "sim/sim_client.h"

namespace smb3d::test {
namespace {

struct Shape {
    unsigned clients{5};
    unsigned operations{250};
    bool administrator{false};
    bool stop_under_load{false};
};

Hostility hostile(std::uint64_t seed) {
    Hostility hostility;
    hostility.seed = seed;
    hostility.rule.inline_weight = 2;
    hostility.rule.delayed_weight = 2;
    hostility.rule.thread_weight = 1;
    hostility.rule.fail_per_mille = 15;
    hostility.rule.short_read_per_mille = 50;
    VfsRule flush = hostility.rule;
    flush.stuck_weight = 3;
    hostility.exceptions[VfsOp::flush] = flush;
    return hostility;
}

// Reads all of it, in pieces.
Message content_of(TestClient& client, const std::string& name) {
    Message content;
    const Reply opened = client.create(name, {.disposition = wire::CreateDisposition::open});
    EXPECT_TRUE(opened.ok()) << name << " " << status_name(opened.status());
    if (!opened.ok()) return content;
    const wire::FileId id = opened.body<wire::CreateResponse>().file_id;
    while (true) {
        const Reply piece = client.read(id, content.size(), 65536);
        if (!piece.ok()) break;
        const auto body = piece.body<wire::ReadResponse>();
        content.insert(content.end(), body.data.bytes.begin(), body.data.bytes.end());
    }
    EXPECT_TRUE(client.close(id).ok());
    return content;
}

void administrate(TestServer& server, std::uint64_t seed, const std::atomic<bool>& over) {
    Chance chance(seed + 77);
    while (!over.load()) {
        const auto opens = server.engine().opens();
        if (!opens.empty() && chance.one_in(4)) {
            server.engine().close_open(opens[chance.below(opens.size())].id);
        }
        const auto sessions = server.engine().sessions();
        if (!sessions.empty() && chance.one_in(6)) {
            server.engine().end_session(sessions[chance.below(sessions.size())].id);
        }
        if (chance.one_in(10)) {  // the same share with another policy object: every tree ends
            auto config = std::make_shared<engine::ServerConfig>(*server.engine().config());
            for (auto& [name, policy] : config->shares) {
                policy = std::make_shared<engine::SharePolicy>(*policy);
            }
            server.engine().reconfigure(config);
        }
        server.engine().connections();
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
}

void simulate(std::uint64_t seed, const Shape& shape) {
    SCOPED_TRACE("SMB3D_SIM_SEED=" + std::to_string(seed));
    TestServer server({.loops = 2, .hostility = hostile(seed), .logon_on_worker = seed % 2 == 0});
    std::vector<std::unique_ptr<SimClient>> clients;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < shape.clients; ++i) {
        clients.push_back(std::make_unique<SimClient>(server, i, seed));
        if (shape.stop_under_load) clients.back()->expect_stop();
        if (shape.administrator) clients.back()->expect_administrator();
    }
    for (auto& client : clients) {
        threads.emplace_back([&client, &shape] { client->run(shape.operations); });
    }
    std::atomic<bool> over{false};
    std::thread administrator;
    if (shape.administrator) {
        administrator = std::thread([&] { administrate(server, seed, over); });
    }
    if (shape.stop_under_load) {
        // By what was done and not by the clock: a slow machine has hardly begun after some time.
        EXPECT_TRUE(server.eventually(
            [&] { return server.engine().totals().requests >= 100 + seed % 7 * 50; }));
        server.engine().stop(std::chrono::milliseconds(300));
    }
    for (auto& thread : threads) thread.join();
    over.store(true);
    if (administrator.joinable()) administrator.join();
    std::uint64_t succeeded = 0;
    for (const auto& client : clients) {
        EXPECT_EQ(client->complaint(), "");
        succeeded += client->succeeded();
    }
    EXPECT_GT(succeeded, shape.stop_under_load ? 1U : shape.clients * shape.operations / 4);
    EXPECT_TRUE(server.all_released()) << server.leftovers();
    const MemoryCounters counters = server.share().counters();
    EXPECT_EQ(counters.stuck_now, 0U);
    EXPECT_EQ(counters.started, counters.finished);
    if (shape.stop_under_load) return;
    server.share().set_hostility(Hostility::none());
    TestClient reader(server);
    ASSERT_TRUE(reader.log_on());
    for (const auto& client : clients) {
        for (const auto& [name, expected] : client->model()) {
            EXPECT_TRUE(content_of(reader, name) == expected) << name;
        }
    }
}

class Simulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Simulation, LeavesNothingBehindAndKeepsWhatWasWritten) { simulate(GetParam(), {}); }
TEST_P(Simulation, WithAnAdministrator) {
    simulate(GetParam(), {.operations = 150, .administrator = true});
}
TEST_P(Simulation, StoppedUnderLoad) {
    simulate(GetParam(), {.operations = 100'000, .stop_under_load = true});
}
INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, ::testing::Values(1, 2, 3, 20261122));

TEST(SimulationOfYours, FromTheEnvironment) {
    const char* const seed = std::getenv("SMB3D_SIM_SEED");
    if (seed == nullptr) GTEST_SKIP() << "SMB3D_SIM_SEED is not set";
    const std::uint64_t value = std::strtoull(seed, nullptr, 10);
    simulate(value, {});
    simulate(value, {.operations = 150, .administrator = true});
    simulate(value, {.operations = 100'000, .stop_under_load = true});
}

}  // namespace
}  // namespace smb3d::test
