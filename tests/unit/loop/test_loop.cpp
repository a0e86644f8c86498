// Posts, timers and turns, on both loops.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "loop/timer_heap.h"
#include "loop_fixture.h"

namespace smb3d::loop {
namespace {

using namespace std::chrono_literals;

INSTANTIATE_TEST_SUITE_P(Kinds, LoopTest, ::testing::Values("io_uring", "epoll"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(LoopTest, RunsPostedWorkOnItsThreadInOrder) {
    EXPECT_FALSE(loop_->in_loop_thread());
    std::vector<int> order;
    struct Step : Work {
        std::vector<int>* order;
        int number;
    };
    std::vector<Step> steps(100);
    for (int i = 0; i < 100; ++i) {
        steps[i].order = &order;
        steps[i].number = i;
        steps[i].run = [](Work* work) {
            auto* step = static_cast<Step*>(work);
            step->order->push_back(step->number);
        };
        loop_->post(steps[i]);
    }
    bool inside = false;
    run_on(*loop_, [&] { inside = loop_->in_loop_thread(); });
    EXPECT_TRUE(inside);
    ASSERT_EQ(order.size(), 100U);
    EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST_P(LoopTest, LosesNoPostOfManyThreads) {
    constexpr int threads = 4;
    constexpr int posts = 5000;
    struct Counted : Work {
        int* counter;
        std::atomic<int>* done;
    };
    int counter = 0;  // the loop's
    std::atomic<int> done{0};
    std::vector<std::vector<Counted>> work(threads);
    std::vector<std::thread> posters;
    for (auto& mine : work) {
        mine.resize(posts);
        posters.emplace_back([&] {
            for (Counted& each : mine) {
                each.counter = &counter;
                each.done = &done;
                each.run = [](Work* w) {
                    auto* self = static_cast<Counted*>(w);
                    ++*self->counter;
                    self->done->fetch_add(1, std::memory_order_release);
                };
                loop_->post(each);
                if ((&each - mine.data()) % 512 == 0) std::this_thread::sleep_for(100us);
            }
        });
    }
    for (auto& poster : posters) poster.join();
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (done.load(std::memory_order_acquire) < threads * posts &&
           std::chrono::steady_clock::now() < limit) {
        std::this_thread::sleep_for(1ms);
    }
    run_on(*loop_, [&] { EXPECT_EQ(counter, threads * posts); });
}

TEST_P(LoopTest, APostWakesASleepingLoopAtOnce) {
    for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(2ms);  // it sleeps by now
        const auto begin = std::chrono::steady_clock::now();
        run_on(*loop_, [] {});
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 500ms);
    }
}

struct TestTimer : Timer {
    std::function<void()> function;
    TestTimer() {
        fire = [](Timer* timer) { static_cast<TestTimer*>(timer)->function(); };
    }
};

TEST_P(LoopTest, TimersFireInOrderAndNotEarly) {
    std::vector<int> order;
    std::promise<void> all;
    TestTimer timers[4];
    const int delays[4] = {40, 10, 30, 20};
    const auto begin = std::chrono::steady_clock::now();
    std::chrono::steady_clock::duration times[4]{};
    run_on(*loop_, [&] {
        for (int i = 0; i < 4; ++i) {
            timers[i].function = [&, i] {
                times[i] = std::chrono::steady_clock::now() - begin;
                order.push_back(delays[i]);
                if (order.size() == 4) all.set_value();
            };
            loop_->arm(timers[i], std::chrono::milliseconds(delays[i]));
        }
    });
    all.get_future().wait();
    EXPECT_EQ(order, (std::vector<int>{10, 20, 30, 40}));
    for (int i = 0; i < 4; ++i) EXPECT_GE(times[i], std::chrono::milliseconds(delays[i]));
}

TEST_P(LoopTest, TimersMoveAndDisarm) {
    TestTimer moved;
    TestTimer never;
    std::promise<void> fired;
    bool wrong = false;
    run_on(*loop_, [&] {
        moved.function = [&] { fired.set_value(); };
        never.function = [&] { wrong = true; };
        loop_->arm(moved, 1h);
        loop_->arm(never, 1ms);
        loop_->arm(moved, 5ms);
        loop_->disarm(never);
        EXPECT_FALSE(never.armed());
        loop_->disarm(never);
    });
    fired.get_future().wait();
    run_on(*loop_, [&] {
        EXPECT_FALSE(wrong);
        EXPECT_FALSE(moved.armed());
    });
}

TEST_P(LoopTest, ATimerThatRearmsItselfDoesNotStopTheLoop) {
    TestTimer greedy;
    std::uint64_t count = 0;
    run_on(*loop_, [&] {
        greedy.function = [&] {
            ++count;
            loop_->arm(greedy, 0ns);
        };
        loop_->arm(greedy, 0ns);
    });
    std::this_thread::sleep_for(5ms);
    run_on(*loop_, [&] {
        loop_->disarm(greedy);
        EXPECT_GT(count, 1U);
    });
}

TEST_P(LoopTest, TurnsEvenWhenIdle) {
    const std::uint64_t before = loop_->turns();
    std::this_thread::sleep_for(1100ms);
    const std::uint64_t after = loop_->turns();
    EXPECT_GT(after, before);
    EXPECT_LT(after - before, 50U) << "an idle loop must not spin";
}

TEST_P(LoopTest, StopBeforeRunStillRunsWhatWasPosted) {
    // stop() before run(): returns after what was posted.
    std::string why_not;
    LoopOptions options;
    options.buffers = &pool_;
    auto other = make_loop(GetParam(), 7, options, why_not);
    ASSERT_NE(other, nullptr) << why_not;
    EXPECT_EQ(other->index(), 7U);
    EXPECT_TRUE(other->in_loop_thread());
    bool ran = false;
    struct Flag : Work {
        bool* ran;
    } flag;
    flag.ran = &ran;
    flag.run = [](Work* work) { *static_cast<Flag*>(work)->ran = true; };
    other->post(flag);
    other->stop();
    other->run();
    EXPECT_TRUE(ran);
}

TEST(TimerHeapTest, KeepsOrderUnderRandomUse) {
    std::mt19937 random(42);
    std::vector<Timer> timers(200);
    TimerHeap heap;
    for (int round = 0; round < 5000; ++round) {
        Timer& timer = timers[random() % timers.size()];
        if (random() % 3 == 0) {
            heap.disarm(timer);
        } else {
            heap.arm(timer, random() % 1000);
        }
    }
    std::size_t armed = 0;
    for (const Timer& timer : timers) armed += timer.armed() ? 1 : 0;
    std::uint64_t last = 0;
    std::size_t popped = 0;
    while (Timer* timer = heap.pop_due(1000)) {
        EXPECT_GE(timer->deadline_ns, last);
        EXPECT_FALSE(timer->armed());
        last = timer->deadline_ns;
        ++popped;
    }
    EXPECT_EQ(popped, armed);
    EXPECT_TRUE(heap.empty());
}

TEST(UringProbe, SaysWhyNot) {
    std::string why_not;
    const bool works = uring_works(why_not);
    EXPECT_EQ(works, why_not.empty());
}

// As a container's filter does it, and only for the thread that asks for it.
void forbid_uring(int error) {
    ::sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(::seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const ::sock_fprog program{.len = 4, .filter = code};
    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

TEST(UringProbe, CopesWithASeccompFilter) {
    for (const int error : {EPERM, ENOSYS, ENOMEM}) {
        std::thread([error] {
            forbid_uring(error);
            std::string why_not;
            EXPECT_FALSE(uring_works(why_not));
            EXPECT_FALSE(why_not.empty());
            SizedBufferPool pool;
            LoopOptions options;
            options.buffers = &pool;
            EXPECT_EQ(make_uring_loop(0, options, why_not), nullptr);
            EXPECT_NE(make_epoll_loop(0, options, why_not), nullptr);
        }).join();
    }
}

}  // namespace
}  // namespace smb3d::loop
