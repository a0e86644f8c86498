// SequenceWindow, IdTable, InFlight, Serial, Task, Pending: the engine's small parts by themselves.
#include <deque>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/id_table.h"
#include "engine/credits.h"
#include "engine/serial.h"
#include "engine/task.h"

namespace smb3d::engine {
namespace {

// A Loop that only posts: what is posted runs when the test says so.
class PostLoop final : public Loop {
  public:
    unsigned index() const override { return 0; }
    bool in_loop_thread() const override { return true; }
    std::uint64_t now_ns() const override { return 0; }
    BufferPool& buffers() override { std::abort(); }
    WorkerPool& pool() override { std::abort(); }
    void post(Work& work) override { posted_.lock()->push_back(&work); }
    void arm(Timer&, std::chrono::nanoseconds) override {}
    void disarm(Timer&) override {}
    void accept(IoOp&, int) override {}
    void recv_pooled(IoOp&, int) override {}
    Bytes received(const IoOp&) const override { return {}; }
    void recv_exact(IoOp&, int, MutableBytes) override {}
    void send_all(IoOp&, int, std::span<::iovec>) override {}
    void poll(IoOp&, int, std::uint32_t) override {}
    void cancel(IoOp&) override {}
    bool has_file_io() const override { return false; }
    void file_read(IoOp&, int, std::span<const ::iovec>, std::uint64_t) override {}
    void file_write(IoOp&, int, std::span<const ::iovec>, std::uint64_t, int) override {}
    void file_sync(IoOp&, int, bool) override {}

    // The number of items run.
    std::size_t run() {
        std::size_t count = 0;
        while (true) {
            Work* work = nullptr;
            {
                auto posted = posted_.lock();
                if (posted->empty()) return count;
                work = posted->front();
                posted->pop_front();
            }
            work->run(work);
            ++count;
        }
    }

  private:
    Guarded<std::deque<Work*>, Rank::leaf> posted_;
};

TEST(SequenceWindow, StartsWithMessageZeroOnly_3_3_5_1) {
    SequenceWindow window(512);
    EXPECT_FALSE(window.consume(1, 1));
    EXPECT_TRUE(window.consume(0, 1));
    EXPECT_FALSE(window.consume(0, 1));
    EXPECT_EQ(window.available(), 0U);
}

TEST(SequenceWindow, TakesIdsInAnyOrderButEachOnce_3_3_1_1) {
    SequenceWindow window(512);
    ASSERT_TRUE(window.consume(0, 1));
    EXPECT_EQ(window.grant(10), 10);
    for (const std::uint64_t id : {5U, 1U, 10U, 2U, 3U}) EXPECT_TRUE(window.consume(id, 1)) << id;
    for (const std::uint64_t id : {5U, 1U, 10U, 11U, 0U}) EXPECT_FALSE(window.consume(id, 1)) << id;
    EXPECT_EQ(window.available(), 5U);
}

TEST(SequenceWindow, ChargeTakesARange_3_3_5_2_3) {
    SequenceWindow window(512);
    ASSERT_TRUE(window.consume(0, 1));
    window.grant(8);  // 1 to 8
    EXPECT_FALSE(window.consume(1, 9));
    EXPECT_TRUE(window.consume(3, 2));
    EXPECT_FALSE(window.consume(1, 3));  // would take 3 again
    EXPECT_FALSE(window.consume(4, 2));
    EXPECT_FALSE(window.consume(~std::uint64_t{0}, 0xFFFF));
    EXPECT_TRUE(window.consume(1, 2));
    EXPECT_TRUE(window.consume(5, 4));
    EXPECT_EQ(window.available(), 0U);
}

TEST(SequenceWindow, ChargeZeroCountsAsOne_3_3_5_2_3) {
    SequenceWindow window(512);
    EXPECT_TRUE(window.consume(0, 0));
    EXPECT_FALSE(window.consume(0, 0));
}

TEST(SequenceWindow, GrantsAtLeastOneAndAtMostTheLimit_3_3_1_2) {
    SequenceWindow window(16);
    ASSERT_TRUE(window.consume(0, 1));
    EXPECT_EQ(window.grant(0), 1);
    EXPECT_EQ(window.grant(100), 15);
    EXPECT_EQ(window.grant(1), 0);
    EXPECT_EQ(window.available(), 16U);
}

// A client that never uses its lowest id must neither grow the ring nor run dry.
TEST(SequenceWindow, StaysBoundedWhenTheLowestIdIsNeverUsed_3_3_1_1) {
    SequenceWindow window(16);
    ASSERT_TRUE(window.consume(0, 1));
    window.grant(16);  // 1 to 16
    std::uint64_t next = 2;
    std::uint64_t granted_to = 16;
    while (next <= granted_to) {
        ASSERT_TRUE(window.consume(next++, 1));
        granted_to += window.grant(16);
        ASSERT_LE(granted_to, 1U + 2 * 16U);
    }
    EXPECT_EQ(window.available(), 1U);
    EXPECT_TRUE(window.consume(1, 1));  // and goes on when it is used
    EXPECT_EQ(window.grant(16), 16);
    EXPECT_TRUE(window.consume(next, 1));
}

TEST(SequenceWindow, EqualsASetOfIds) {
    SequenceWindow window(32);
    std::set<std::uint64_t> model{0};
    std::uint64_t high = 1;
    std::uint64_t state = 42;
    const auto draw = [&state](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (state >> 33) % below;
    };
    for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t from = high > 70 ? high - 70 : 0;
        const std::uint64_t id = from + draw(high - from + 2);
        const auto charge = static_cast<std::uint16_t>(1 + draw(3));
        bool expected = true;
        for (std::uint64_t n = id; n < id + charge; ++n) expected = expected && model.contains(n);
        ASSERT_EQ(window.consume(id, charge), expected) << "step " << i << " id " << id;
        if (expected) {
            for (std::uint64_t n = id; n < id + charge; ++n) model.erase(n);
        }
        const std::uint16_t granted = window.grant(static_cast<std::uint16_t>(draw(5)));
        for (unsigned n = 0; n < granted; ++n) model.insert(high++);
        ASSERT_EQ(window.available(), model.size());
    }
    EXPECT_GT(high, 100U);
}

TEST(IdTable, StaleIdsFindNothing) {
    IdTable<int, std::uint64_t> table;
    const std::uint64_t first = table.insert(7);
    EXPECT_NE(first, 0U);
    ASSERT_NE(table.find(first), nullptr);
    EXPECT_EQ(*table.find(first), 7);
    EXPECT_EQ(table.take(first), 7);
    EXPECT_EQ(table.take(first), 0);
    const std::uint64_t second = table.insert(8);
    EXPECT_NE(first, second);
    EXPECT_EQ(table.find(first), nullptr);
    EXPECT_EQ(table.find(0), nullptr);
    EXPECT_EQ(table.find(~std::uint64_t{0}), nullptr);
    EXPECT_EQ(table.size(), 1U);
}

TEST(IdTable, OfThirtyTwoBitsNeverGivesZeroOrAllOnes) {
    IdTable<int, std::uint32_t> table;
    for (int i = 0; i < 200'000; ++i) {
        const std::uint32_t id = table.insert(i);
        ASSERT_NE(id, 0U);
        ASSERT_NE(id, ~std::uint32_t{0});
        ASSERT_EQ(table.take(id), i);
    }
    EXPECT_EQ(table.size(), 0U);
}

TEST(IdTable, IsFullAtItsLimit) {
    IdTable<char, std::uint32_t> table;
    std::set<std::uint32_t> ids;
    for (std::size_t i = 0; i < table.max_size; ++i) ids.insert(table.insert('x'));
    EXPECT_EQ(ids.size(), table.max_size);
    EXPECT_EQ(table.insert('y'), 0U);
    table.take(*ids.begin());
    EXPECT_NE(table.insert('z'), 0U);
}

TEST(InFlight, ClosesOnceAndTellsWhenIdle) {
    PostLoop loop;
    InFlight flight;
    ASSERT_TRUE(flight.enter());
    ASSERT_TRUE(flight.enter());
    Signal idle(loop);
    Signal other(loop);
    EXPECT_TRUE(flight.begin_close(idle));
    EXPECT_FALSE(flight.begin_close(other));
    EXPECT_FALSE(flight.enter());
    flight.leave();
    EXPECT_FALSE(idle.is_set());
    flight.leave();
    EXPECT_TRUE(idle.is_set());
    EXPECT_FALSE(other.is_set());
}

TEST(InFlight, OfAnIdleObjectIsIdleAtOnce) {
    PostLoop loop;
    InFlight flight;
    Signal idle(loop);
    EXPECT_TRUE(flight.begin_close(idle));
    EXPECT_TRUE(idle.is_set());
}

TEST(InFlight, FromManyThreadsSetsIdleExactlyOnce) {
    for (int round = 0; round < 200; ++round) {
        PostLoop loop;
        InFlight flight;
        Signal idle(loop);
        std::atomic<int> inside{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                while (flight.enter()) {
                    inside.fetch_add(1);
                    inside.fetch_sub(1);
                    flight.leave();
                }
            });
        }
        EXPECT_TRUE(flight.begin_close(idle));
        for (auto& thread : threads) thread.join();
        EXPECT_TRUE(idle.is_set());
        EXPECT_EQ(inside.load(), 0);
    }
}

Detached use_serial(Serial& serial, Loop& loop, int id, Pending<int>& work,
                    std::vector<int>& order) {
    Serial::Acquire waiting(serial, loop);
    Serial::Held held = co_await waiting;
    order.push_back(id);
    Result<int> result = co_await work;
    order.push_back(id + *result);
}

TEST(Serial, IsFairAndHeldAcrossWaits) {
    PostLoop loop;
    Serial serial;
    std::vector<int> order;
    Pending<int> first(loop);
    Pending<int> second(loop);
    Pending<int> third(loop);
    use_serial(serial, loop, 1, first, order);
    use_serial(serial, loop, 2, second, order);
    use_serial(serial, loop, 3, third, order);
    second.done()(10);  // done before its turn
    loop.run();
    EXPECT_EQ(order, (std::vector<int>{1}));
    first.done()(10);
    loop.run();
    EXPECT_EQ(order, (std::vector<int>{1, 11, 2, 12, 3}));
    third.done()(10);
    loop.run();
    EXPECT_EQ(order, (std::vector<int>{1, 11, 2, 12, 3, 13}));
    // Free again.
    Pending<int> last(loop);
    last.done()(0);
    use_serial(serial, loop, 4, last, order);
    EXPECT_EQ(order.back(), 4);
}

Task<int> add(Pending<int>& a, Pending<int>& b) {
    Result<int> x = co_await a;
    Result<int> y = co_await b;
    if (!x || !y) co_return -1;
    co_return *x + *y;
}
Task<int> throw_bad_alloc() {
    throw std::bad_alloc();
    co_return 0;
}
Detached run_add(Pending<int>& a, Pending<int>& b, int& result) {
    Task<int> task = add(a, b);
    result = co_await task;
}
Detached run_throwing(bool& caught) {
    try {
        Task<int> task = throw_bad_alloc();
        co_await task;
    } catch (const std::bad_alloc&) {
        caught = true;
    }
}

TEST(Task, TakesResultsThatComeBeforeAndAfterTheWait) {
    PostLoop loop;
    Pending<int> a(loop);
    Pending<int> b(loop);
    int result = 0;
    a.done()(40);
    run_add(a, b, result);
    EXPECT_EQ(result, 0);
    b.done()(2);
    EXPECT_EQ(result, 0);  // never resumed inside done()
    EXPECT_EQ(loop.run(), 1U);
    EXPECT_EQ(result, 42);
}

TEST(Task, CarriesAnExceptionToItsAwaiter) {
    bool caught = false;
    run_throwing(caught);
    EXPECT_TRUE(caught);
}

TEST(Task, ThatNobodyAwaitsLeavesNothingBehind) {
    PostLoop loop;
    Pending<int> a(loop);
    Pending<int> b(loop);
    { Task<int> never = add(a, b); }
    EXPECT_EQ(loop.run(), 0U);
}

TEST(Pending, TakesResultsOfOtherThreads) {
    for (int round = 0; round < 500; ++round) {
        PostLoop loop;
        Pending<int> a(loop);
        Pending<int> b(loop);
        int result = 0;
        std::thread other([&] {
            a.done()(1);
            b.done()(2);
        });
        run_add(a, b, result);
        while (result == 0) loop.run();
        other.join();
        ASSERT_EQ(result, 3);
    }
}

}  // namespace
}  // namespace smb3d::engine
