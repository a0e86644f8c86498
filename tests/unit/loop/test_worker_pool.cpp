// Lanes of the worker threads.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>

#include "loop/worker_pool.h"

namespace smb3d::loop {
namespace {

using namespace std::chrono_literals;

struct TestWork : Work {
    std::function<void()> function;
    TestWork() {
        run = [](Work* work) { static_cast<TestWork*>(work)->function(); };
    }
};

// Holds the only thread until told to go on, so that what is submitted meanwhile queues up.
struct Blocker : TestWork {
    std::promise<void> running;
    std::promise<void> go;
    Blocker() {
        function = [this] {
            running.set_value();
            go.get_future().wait();
        };
    }
};

TEST(WorkerThreadsTest, UrgentLanesFirst) {
    WorkerThreads pool;
    ASSERT_EQ(pool.start(1, "w"), 1U);
    Blocker blocker;
    pool.submit(Lane::session, blocker);
    blocker.running.get_future().wait();
    std::vector<int> order;
    TestWork work[lane_count];
    for (const int lane : {3, 1, 4, 0, 2}) {
        work[lane].function = [&order, lane] { order.push_back(lane); };
        pool.submit(static_cast<Lane>(lane), work[lane]);
    }
    const auto waiting = pool.stats();
    for (const LaneStats& lane : waiting) EXPECT_EQ(lane.depth, 1U);
    EXPECT_EQ(waiting[0].accepted, 2U);
    blocker.go.set_value();
    pool.stop();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(WorkerThreadsTest, NoLaneStarves) {
    WorkerThreads pool;
    ASSERT_EQ(pool.start(1, "w"), 1U);
    Blocker blocker;
    pool.submit(Lane::session, blocker);
    blocker.running.get_future().wait();
    std::vector<char> order;
    std::vector<TestWork> urgent(100);
    TestWork patient;
    patient.function = [&] { order.push_back('b'); };
    pool.submit(Lane::background, patient);
    for (TestWork& work : urgent) {
        work.function = [&] { order.push_back('s'); };
        pool.submit(Lane::session, work);
    }
    blocker.go.set_value();
    pool.stop();
    ASSERT_EQ(order.size(), 101U);
    const auto when = std::ranges::find(order, 'b') - order.begin();
    EXPECT_EQ(when, static_cast<std::ptrdiff_t>(WorkerThreads::patience));
}

TEST(WorkerThreadsTest, BulkLeavesAThreadForTheRest) {
    WorkerThreads pool;
    ASSERT_EQ(pool.start(3, "w"), 3U);
    std::vector<Blocker> bulk(6);
    for (Blocker& each : bulk) pool.submit(Lane::bulk_io, each);
    bulk[0].running.get_future().wait();
    bulk[1].running.get_future().wait();
    auto third = bulk[2].running.get_future();
    EXPECT_EQ(third.wait_for(20ms), std::future_status::timeout);
    std::promise<void> done;
    TestWork small;
    small.function = [&] { done.set_value(); };
    pool.submit(Lane::metadata, small);
    EXPECT_EQ(done.get_future().wait_for(10s), std::future_status::ready);
    for (Blocker& each : bulk) each.go.set_value();
    third.wait();
    pool.stop();
    EXPECT_EQ(pool.stats()[static_cast<std::size_t>(Lane::bulk_io)].depth, 0U);
}

TEST(WorkerThreadsTest, RunsAllOfManySubmittersAndDrainsOnStop) {
    WorkerThreads pool;
    ASSERT_EQ(pool.start(4, "worker"), 4U);
    std::atomic<int> ran{0};
    constexpr int each = 3000;
    std::vector<std::vector<TestWork>> work(3);
    std::vector<std::thread> submitters;
    for (std::size_t i = 0; i < work.size(); ++i) {
        work[i] = std::vector<TestWork>(each);
        submitters.emplace_back([&, i] {
            for (int n = 0; n < each; ++n) {
                work[i][n].function = [&] { ran.fetch_add(1); };
                pool.submit(static_cast<Lane>((n + static_cast<int>(i)) % 5), work[i][n]);
                if (n % 500 == 0) std::this_thread::sleep_for(200us);
            }
        });
    }
    for (auto& submitter : submitters) submitter.join();
    pool.stop();
    EXPECT_EQ(ran.load(), 3 * each);
}

TEST(WorkerThreadsTest, NamesItsThreadsAndStartsAgain) {
    WorkerThreads pool;
    for (int round = 0; round < 2; ++round) {
        ASSERT_EQ(pool.start(1, "worker-"), 1U);
        std::string name;
        TestWork work;
        work.function = [&] {
            char text[16] = "";
            ::pthread_getname_np(::pthread_self(), text, sizeof text);
            name = text;
        };
        pool.submit(Lane::session, work);
        pool.stop();
        EXPECT_EQ(name, "worker-0");
    }
}

}  // namespace
}  // namespace smb3d::loop
