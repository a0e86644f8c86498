// The sized buffer pool: classes, ceiling, memory given back, threads.
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/buffer_pool.h"

namespace smb3d {
namespace {

using limits::kib;
using limits::mib;

TEST(BufferPoolTest, GivesTheSizeAskedForAlignedToPages) {
    SizedBufferPool pool;
    for (const std::size_t size :
         {std::size_t{1}, 512 * 1UL, 513 * 1UL, 4 * kib, 64 * kib, 1 * mib, 8 * mib, 20 * mib}) {
        Buffer buffer = pool.allocate(size);
        ASSERT_EQ(buffer.size(), size);
        std::memset(buffer.data(), 0x5a, size);
        if (size >= 4 * kib) {
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 4096, 0U);
        }
    }
    EXPECT_TRUE(pool.allocate(0).empty());
    EXPECT_EQ(pool.stats().in_use, 0U);
}

TEST(BufferPoolTest, PayloadAndHeaderFitWithoutDoubling) {
    SizedBufferPool pool;
    constexpr std::size_t header = 64 + 52 + 112 + 256;
    for (const std::size_t payload : {64 * kib, 1 * mib, 8 * mib}) {
        const Buffer buffer = pool.allocate(payload + header);
        EXPECT_LE(pool.stats().in_use, payload + payload / 8);
    }
    EXPECT_EQ(pool.allocate(limits::max_message).size(), limits::max_message);
}

TEST(BufferPoolTest, ReusesWhatWasReleased) {
    SizedBufferPool pool;
    std::byte* first = nullptr;
    {
        const Buffer buffer = pool.allocate(100 * kib);
        first = buffer.data();
    }
    EXPECT_GT(pool.stats().cached, 0U);
    const Buffer again = pool.allocate(90 * kib);
    EXPECT_EQ(again.data(), first);
    const Buffer slice = again.slice(10, 20);
    EXPECT_EQ(slice.block(), again.block());
}

TEST(BufferPoolTest, HasACeilingThatIsNotPassed) {
    BufferPoolOptions options;
    options.ceiling = 4 * mib;
    SizedBufferPool pool(options);
    std::vector<Buffer> held;
    for (;;) {
        Buffer buffer = pool.allocate(64 * kib);
        if (buffer.empty()) break;
        held.push_back(std::move(buffer));
    }
    EXPECT_GT(held.size(), 50U);
    const BufferPoolStats full = pool.stats();
    EXPECT_LE(full.in_use + full.cached, 4 * mib);
    EXPECT_LE(full.peak, 4 * mib);
    EXPECT_EQ(full.refused, 1U);
    EXPECT_TRUE(pool.allocate(std::size_t{1} << 62).empty());
    held.clear();
    // What 64 KiB blocks have cached makes way for another size.
    EXPECT_FALSE(pool.allocate(2 * mib).empty());
    pool.set_ceiling(1 * mib);
    EXPECT_TRUE(pool.allocate(2 * mib).empty());
}

TEST(BufferPoolTest, MemoryFallsBackAfterABurst) {
    SizedBufferPool pool;
    {
        std::vector<Buffer> burst;
        for (int i = 0; i < 16; ++i) burst.push_back(pool.allocate(8 * mib));
        for (int i = 0; i < 500; ++i) burst.push_back(pool.allocate(16 * kib));
    }
    EXPECT_GT(pool.stats().cached, 100 * mib);
    pool.trim();  // begins to watch
    pool.trim();
    EXPECT_EQ(pool.stats().cached, 0U);
    EXPECT_EQ(pool.stats().in_use, 0U);
}

TEST(BufferPoolTest, TrimKeepsWhatIsInRegularUse) {
    SizedBufferPool pool;
    for (int round = 0; round < 5; ++round) {
        const Buffer buffer = pool.allocate(1 * mib);
        EXPECT_FALSE(buffer.empty());
        pool.trim();
    }
    { const Buffer buffer = pool.allocate(1 * mib); }
    pool.trim();
    EXPECT_GT(pool.stats().cached, 0U);
}

TEST(BufferPoolTest, BoundsItsCaches) {
    BufferPoolOptions options;
    options.thread_cache = 256 * kib;
    options.shared_cache = 2 * mib;
    SizedBufferPool pool(options);
    {
        std::vector<Buffer> burst;
        for (int i = 0; i < 1000; ++i) burst.push_back(pool.allocate(16 * kib));
    }
    EXPECT_LE(pool.stats().cached, 256 * kib + 2 * mib);
}

TEST(BufferPoolTest, BlocksMayDieOnOtherThreads) {
    SizedBufferPool pool;
    constexpr int rounds = 2000;
    std::atomic<Buffer*> slot{nullptr};
    std::atomic<bool> stop{false};
    std::thread consumer([&] {
        while (!stop.load()) {
            if (Buffer* got = slot.exchange(nullptr)) {
                EXPECT_EQ(got->data()[got->size() - 1], std::byte{7});
                delete got;
            } else {
                std::this_thread::yield();
            }
        }
    });
    std::thread trimmer([&] {
        while (!stop.load()) {
            pool.trim();
            static_cast<void>(pool.stats());
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    for (int i = 0; i < rounds; ++i) {
        const std::size_t sizes[] = {300, 5 * kib, 70 * kib, 300 * kib};
        auto* buffer = new Buffer(pool.allocate(sizes[i % 4]));
        ASSERT_FALSE(buffer->empty());
        buffer->data()[buffer->size() - 1] = std::byte{7};
        Buffer* expected = nullptr;
        while (!slot.compare_exchange_weak(expected, buffer)) {
            expected = nullptr;
            std::this_thread::yield();
        }
    }
    while (slot.load() != nullptr) std::this_thread::yield();
    stop.store(true);
    consumer.join();
    trimmer.join();
    EXPECT_EQ(pool.stats().in_use, 0U);
    EXPECT_LT(pool.stats().peak, 32 * mib);
}

}  // namespace
}  // namespace smb3d
