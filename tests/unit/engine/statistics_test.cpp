// Statistics: the buckets, and that requests land in them.
#include <gtest/gtest.h>

#include "base/tick_clock.h"
#include "client/test_client.h"
#include "engine/statistics.h"

namespace smb3d::test {
namespace {

using engine::ActivityTotals;
using engine::Histogram;

TEST(HistogramTest, EveryTimeIsInTheBucketThatEndsBehindIt) {
    std::uint64_t time = 0;
    while (time < std::uint64_t{1} << 40) {
        const std::size_t bucket = Histogram::bucket_of(time);
        ASSERT_LT(bucket, Histogram::buckets);
        ASSERT_LT(time, Histogram::end_of(bucket)) << time;
        if (bucket > 0) {
            ASSERT_GE(time, Histogram::end_of(bucket - 1)) << time;
        }
        time += 1 + time / 37;
    }
    EXPECT_EQ(Histogram::bucket_of(~std::uint64_t{0}), Histogram::buckets - 1);
    // A quarter of a power of two each: what is told is at most a quarter too much.
    for (std::size_t i = 2; i + 1 < Histogram::buckets; ++i) {
        EXPECT_LE(Histogram::end_of(i) * 4, Histogram::end_of(i - 1) * 5);
    }
}

TEST(TickClockTest, GoesAsTheClockGoes) {
    const TickClock& clock = TickClock::get();
    const std::uint64_t first = clock.now();
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(20)) {
    }
    const std::uint64_t passed = clock.nanoseconds(clock.now() - first);
    EXPECT_GT(passed, 19'000'000U);
    EXPECT_LT(passed, 2'000'000'000U);
}

const ActivityTotals& row(const std::vector<ActivityTotals>& rows, std::string_view name) {
    static const ActivityTotals none;
    for (const ActivityTotals& entry : rows) {
        if (entry.name == name) return entry;
    }
    ADD_FAILURE() << "no " << name;
    return none;
}

TEST(StatisticsTest, RequestsAreCountedByCommandShareAndTransport) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    const wire::FileId file = client.create("file").body<wire::CreateResponse>().file_id;
    EXPECT_TRUE(client.write(file, 0, Message(50'000)).ok());
    EXPECT_TRUE(client.read(file, 0, 50'000).ok());
    EXPECT_FALSE(client.read(file, 60'000, 10).ok());
    EXPECT_TRUE(client.close(file).ok());
    const engine::Statistics statistics = server.engine().statistics();
    const ActivityTotals& reads = row(statistics.commands, "READ");
    EXPECT_EQ(reads.requests, 2U);
    EXPECT_EQ(reads.errors, 1U);
    EXPECT_GT(reads.bytes_out, 50'000U);
    EXPECT_LT(reads.bytes_out, 51'000U);
    std::uint64_t measured = 0;
    for (const std::uint64_t count : reads.latency) measured += count;
    EXPECT_EQ(measured, 2U);
    EXPECT_GT(row(statistics.commands, "WRITE").bytes_in, 50'000U);
    EXPECT_GE(row(statistics.shares, "data").requests, 5U);
    ASSERT_EQ(statistics.transports.size(), 1U);
    EXPECT_EQ(statistics.transports[0].connections, 1U);
    EXPECT_GE(statistics.transports[0].requests, 8U);
}

}  // namespace
}  // namespace smb3d::test
