// The durable simulation: clients lose their connections, their time and their server, and come
// back (or others in their name), while they open, lock, write and break each other's leases. After
// every step: what was promised is there (handles until their time-outs, leases unless broken,
// locks, acknowledged writes), and nothing else is (no handle beyond its time, no lock of nobody,
// no lease to read what others have changed).  The server is killed with requests on their way.
#include <cstdlib>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "sim/durable_world.h"

namespace smb3d::test::durable_sim {
namespace {

Seen simulate(std::uint64_t seed, unsigned steps) {
    SCOPED_TRACE("SMB3D_DURABLE_SEED=" + std::to_string(seed));
    World world(seed);
    for (unsigned i = 0; i < steps && world.complaint().empty(); ++i) world.step();
    if (world.complaint().empty()) world.wind_down();
    EXPECT_EQ(world.complaint(), "") << "seed " << seed;
    return world.seen;
}

class DurableSimulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(DurableSimulation, WhatWasPromisedIsThere) {
    const Seen seen = simulate(GetParam(), 250);
    // It tried what it is for.
    EXPECT_GT(seen.reconnected, 5U);
    EXPECT_GT(seen.persistent, 3U);
    EXPECT_GT(seen.restarts, 1U);
    EXPECT_GT(seen.locks, 5U);
    EXPECT_GT(seen.breaks, 5U);
}
INSTANTIATE_TEST_SUITE_P(Seeds, DurableSimulation, ::testing::Values(1, 2));

TEST(DurableSimulationOfYours, FromTheEnvironment) {
    const char* const seed = std::getenv("SMB3D_DURABLE_SEED");
    if (seed == nullptr) GTEST_SKIP() << "SMB3D_DURABLE_SEED is not set";
    const char* const rounds = std::getenv("SMB3D_SIM_ROUNDS");
    const std::uint64_t first = std::strtoull(seed, nullptr, 10);
    const std::uint64_t count = rounds != nullptr ? std::strtoull(rounds, nullptr, 10) : 1;
    for (std::uint64_t i = 0; i < count && !testing::Test::HasFailure(); ++i) {
        const Seen s = simulate(first + i, 250);
        fmt::print(
            "seed {}: {} opens ({} durable, {} resilient, {} persistent), {} breaks, {} not "
            "answered, {} expired, {} reconnected, {} refused, {} restarts ({} interrupted), {} "
            "locks ({} in vain, {} waited, {} replayed, {} kept, {} at restarts), {} writes, {} "
            "stale, {} CREATEs "
            "replayed, {} instances ended\n",
            first + i, s.opens, s.durable, s.resilient, s.persistent, s.breaks, s.muted, s.expired,
            s.reconnected, s.refused_reconnects, s.restarts, s.interrupted, s.locks,
            s.lock_conflicts, s.lock_waits, s.lock_replays, s.restored_locks, s.locks_at_restarts,
            s.writes, s.stale, s.create_replays, s.instances);
    }
}

}  // namespace
}  // namespace smb3d::test::durable_sim
