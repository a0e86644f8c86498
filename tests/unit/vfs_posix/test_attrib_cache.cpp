// attrib_cache.h and pace.h: what is kept and for how long; and that a share sees what others set.
#include <chrono>
#include <thread>

#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "unit/vfs_posix/posix_fixture.h"
#include "vfs_posix/attrib_cache.h"
#include "vfs_posix/dos_attrib.h"
#include "vfs_posix/pace.h"
#include "vfs_posix/share.h"

namespace smb3d::vfs_posix {
namespace {

constexpr DirKey file{1, 2};
constexpr std::int64_t second = 1'000'000'000;

std::int64_t now_ns() {
    return std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

TEST(AttribCache, AnswersForTheSameInodeAndChangeTimeOnly) {
    AttribCache cache(true);
    EXPECT_FALSE(cache.find(file, 5));
    cache.store(file, 5, DosAttrib{3U, 7U});
    const auto found = cache.find(file, 5);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(**found, (DosAttrib{3U, 7U}));
    EXPECT_FALSE(cache.find(file, 6));
    EXPECT_FALSE(cache.find({1, 3}, 5));
    EXPECT_FALSE(cache.find({2, 2}, 5));
    cache.store(file, 6, std::nullopt);
    EXPECT_FALSE(cache.find(file, 5));
    ASSERT_TRUE(cache.find(file, 6));
    EXPECT_FALSE(*cache.find(file, 6));
}

TEST(AttribCache, KeepsNothingThatTheClockCannotTellApart) {
    const std::int64_t now = now_ns() | 1;  // no whole second
    AttribCache coarse(false);
    coarse.store(file, now, DosAttrib{});
    EXPECT_FALSE(coarse.find(file, now));  // could change again in this tick
    coarse.store(file, now - second, DosAttrib{});
    EXPECT_TRUE(coarse.find(file, now - second));
    AttribCache distinct(true);
    distinct.store(file, now, DosAttrib{});
    EXPECT_TRUE(distinct.find(file, now));
    // A file system that keeps whole seconds.
    const std::int64_t whole = now / second * second;
    distinct.store(file, whole, DosAttrib{});
    EXPECT_FALSE(distinct.find(file, whole));
    distinct.store(file, whole - 5 * second, DosAttrib{});
    EXPECT_TRUE(distinct.find(file, whole - 5 * second));
}

TEST(AttribCache, ForgetsRatherThanGrowsAndNeverMixesFilesUp) {
    AttribCache cache(true);
    constexpr std::uint64_t count = 300'000;
    for (std::uint64_t i = 0; i < count; ++i) {
        cache.store({1, i}, 5, DosAttrib{static_cast<std::uint32_t>(i), i});
    }
    std::uint64_t found = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto got = cache.find({1, i}, 5);
        if (!got) continue;
        ++found;
        ASSERT_TRUE(*got);
        ASSERT_EQ((*got)->creation_time, i);
    }
    EXPECT_GT(found, 50'000U);
    EXPECT_LE(found, 16U * 8 * 1024);
}

TEST(Pace, StaysQuickWhenSlowWithoutSleeping) {
    Pace pace;
    for (int i = 0; i < 3; ++i) {
        const Pace::Watch watch(pace);
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
        while (std::chrono::steady_clock::now() < until) {
        }
    }
    EXPECT_TRUE(pace.quick());
}

TEST(Pace, PausesAfterTheSecondSlowSleep) {
    Pace pace;
    const auto sleep = [&pace] {
        const Pace::Watch watch(pace);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    };
    sleep();
    EXPECT_TRUE(pace.quick());
    sleep();
    EXPECT_FALSE(pace.quick());
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!pace.quick() && std::chrono::steady_clock::now() < end) ::usleep(10'000);
    EXPECT_TRUE(pace.quick());
}

using AttribOfOthers = PosixShareTest;

// What another program sets is seen at once, however often the share has looked before.
TEST_F(AttribOfOthers, AreSeenAtOnce) {
    write_file(on_disk("f"), "x");
    const DosAttrib probe{attribute_hidden, 1};
    const auto probe_value = build_dos_attrib(probe);
    if (::setxattr(on_disk("f").c_str(), dos_attrib_name, probe_value.data(), probe_value.size(),
                   0) != 0) {
        GTEST_SKIP() << "no user xattrs here";
    }
    for (std::uint32_t i = 0; i < 200; ++i) {
        const DosAttrib attrib{i % 2 == 0 ? attribute_hidden : attribute_system, 1000 + i};
        const auto value = build_dos_attrib(attrib);
        ASSERT_EQ(::setxattr(on_disk("f").c_str(), dos_attrib_name, value.data(), value.size(), 0),
                  0);
        for (int look = 0; look < 2; ++look) {
            const auto stat = ops().stat_path("f");
            ASSERT_TRUE(stat) << status_name(stat.error());
            EXPECT_EQ(stat->attributes, *attrib.attributes) << i;
            EXPECT_EQ(stat->creation_time, *attrib.creation_time) << i;
        }
    }
}

}  // namespace
}  // namespace smb3d::vfs_posix
