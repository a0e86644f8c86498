// The lease simulation: leases, oplocks, locks, watches and durable handles of several clients on
// several channels, over a hostile back end.  After every step every file's state is consistent
// (fsa::File::audit: no conflicting caches or locks, none that nobody holds), and what each client
// believes is, as soon as all messages have arrived, what the server's tables say: so no break is
// lost, and no handle.  In the end nothing is left.
#include <algorithm>
#include <cstdlib>
#include <thread>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "sim/lease_client.h"

namespace smb3d::test {
namespace {

struct Shape {
    unsigned clients{4};
    unsigned steps{400};
    bool hostile{true};
};

Hostility hostility_of(std::uint64_t seed) {
    Hostility hostility;
    hostility.seed = seed;
    hostility.rule.inline_weight = 3;
    hostility.rule.delayed_weight = 2;
    hostility.rule.thread_weight = 1;
    hostility.rule.fail_per_mille = 10;
    return hostility;
}

std::string audit_files(World& world) {
    for (const auto& file : world.engine().files.all()) {
        std::string wrong = file->audit();
        if (!wrong.empty()) return wrong;
    }
    return {};
}

// Every open of the file table is a session's, or waits for its owner.
std::string audit_opens(World& world) {
    std::set<std::uint64_t> known;
    for (const auto& session : world.engine().session_table.all()) {
        session->state.lock()->opens.for_each(
            [&](std::uint64_t, std::shared_ptr<engine::Open>& open) {
                known.insert(open->persistent_id);
            });
    }
    for (const auto& waiting : world.engine().durable.table.waiting()) {
        known.insert(waiting.open->persistent_id);
    }
    for (const auto& file : world.engine().files.all()) {
        for (const fsa::File::OpenView& open : file->opens()) {
            if (!known.contains(open.id)) return open.path + ": an open that nobody has";
        }
    }
    return {};
}

using Clients = std::vector<std::unique_ptr<LeaseClient>>;

std::string compare(World& world, Clients& clients) {
    for (const auto& client : clients) {
        client->poll();
        std::string wrong = client->compare();
        if (!wrong.empty()) return wrong;
    }
    return audit_opens(world);
}

// Waits until `difference` says that there is none; else complains.
template <class Difference>
void settle(World& world, Clients& clients, Difference difference) {
    const auto deadline = Clock::now() + std::chrono::seconds(20);
    while (world.complaint.empty()) {
        for (const auto& client : clients) client->poll();
        if (std::string wrong = audit_files(world); !wrong.empty()) return world.complain(wrong);
        const std::string wrong = difference();
        if (wrong.empty()) return;
        if (Clock::now() > deadline) return world.complain(wrong);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
}

std::string leftovers(World& world) {
    engine::ServerImpl& engine = world.engine();
    std::string text = world.server.leftovers();
    const auto count = [&](const char* what, std::size_t number) {
        if (number != 0) text += fmt::format(" {} {}", number, what);
    };
    count("opens in the file table", engine.files.open_count());
    count("files in the file table", engine.files.file_count());
    count("directories with leases", engine.files.leased_count());
    count("leases", engine.leases.size());
    count("break timers", engine.break_timers.size());
    count("watches", engine.notifier.watch_count());
    count("handles waiting for their owners", engine.durable.table.waiting_count());
    return text;
}

void make_files(TestServer& server) {
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    for (unsigned node = 0; node < first_directory + directories; ++node) {
        const unsigned at = (node + first_directory) % (first_directory + directories);
        const bool directory = at >= first_directory;
        if (!directory && at >= stable_files) continue;
        const Reply made = client.create(
            name_of(at), {.options = directory ? wire::create_options::directory_file : 0});
        ASSERT_TRUE(made.ok()) << name_of(at);
        ASSERT_TRUE(client.close(made.body<wire::CreateResponse>().file_id).ok());
    }
}

void run(World& world, Clients& clients, const Shape& shape) {
    for (world.step = 0; world.step < shape.steps && world.complaint.empty(); ++world.step) {
        clients[world.chance.below(clients.size())]->act();
        for (const auto& client : clients) client->poll();
        if (std::string wrong = audit_files(world); !wrong.empty()) world.complain(wrong);
        if (world.chance.one_in(3)) {
            settle(world, clients, [&] { return compare(world, clients); });
        }
    }
    settle(world, clients, [&]() -> std::string {
        std::string text;
        for (const auto& client : clients) {
            client->wind_down();
            text += client->waiting_for();
        }
        return text;
    });
    settle(world, clients, [&] { return compare(world, clients); });
    for (const auto& client : clients) client->disconnect();
    settle(world, clients, [&] { return leftovers(world); });
}

void simulate(std::uint64_t seed, const Shape& shape, Coverage& seen) {
    SCOPED_TRACE("SMB3D_SIM_SEED=" + std::to_string(seed));
    TestServer server({.loops = 2, .configure = [](engine::ServerConfig& config) {
                           config.oplock_break_seconds = 1;
                           config.durable_timeout_ms = 500;
                       }});
    make_files(server);
    if (shape.hostile) server.share().set_hostility(hostility_of(seed));
    World world(server, seed);
    Clients clients;
    for (unsigned i = 0; i < shape.clients; ++i) {
        clients.push_back(std::make_unique<LeaseClient>(world, i));
    }
    run(world, clients, shape);
    EXPECT_EQ(world.complaint, "");
    const MemoryCounters counters = server.share().counters();
    EXPECT_EQ(counters.started, counters.finished);
    seen = world.seen;
}

class LeaseSimulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(LeaseSimulation, WhatClientsBelieveIsWhatTheServerSays) {
    Coverage seen;
    simulate(GetParam(), {}, seen);
    // It tried what it is for.
    EXPECT_GT(seen.opens, 50U);
    EXPECT_GT(seen.breaks, 20U);
    EXPECT_GT(seen.acknowledged, 3U);  // of some ten: the loops run as they like
    EXPECT_GT(seen.refused, 0U);
    EXPECT_GT(seen.locks, 2U);
    EXPECT_GT(seen.channels, 0U);
    RecordProperty("reconnected", static_cast<int>(seen.reconnected));
    RecordProperty("timed_out", static_cast<int>(seen.timed_out));
    RecordProperty("notified", static_cast<int>(seen.notified));
    RecordProperty("cached_reads", static_cast<int>(seen.cached_reads));
    RecordProperty("listings", static_cast<int>(seen.listings));
}
INSTANTIATE_TEST_SUITE_P(Seeds, LeaseSimulation, ::testing::Values(1, 2, 3, 20261123));

TEST(LeaseSimulationOfYours, FromTheEnvironment) {
    const char* const seed = std::getenv("SMB3D_SIM_SEED");
    if (seed == nullptr) GTEST_SKIP() << "SMB3D_SIM_SEED is not set";
    const char* const rounds = std::getenv("SMB3D_SIM_ROUNDS");
    const std::uint64_t first = std::strtoull(seed, nullptr, 10);
    const std::uint64_t count = rounds != nullptr ? std::strtoull(rounds, nullptr, 10) : 1;
    for (std::uint64_t i = 0; i < count && !testing::Test::HasFailure(); ++i) {
        Coverage seen;
        simulate(first + i, {.steps = 1500}, seen);
        fmt::print(
            "seed {}: {} opens, {} breaks, {} answered, {} refused, {} timed out, {} reconnected, "
            "{} locks, {} waited, {} notified, {} channels, {} cached reads, {} listings\n",
            first + i, seen.opens, seen.breaks, seen.acknowledged, seen.refused, seen.timed_out,
            seen.reconnected, seen.locks, seen.lock_waits, seen.notified, seen.channels,
            seen.cached_reads, seen.listings);
    }
}

}  // namespace
}  // namespace smb3d::test
