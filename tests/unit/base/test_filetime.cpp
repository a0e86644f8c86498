#include "base/filetime.h"

#include <gtest/gtest.h>

namespace smb3d {
namespace {

::timespec time_of(std::int64_t seconds, long nanoseconds) {
    ::timespec time{};
    time.tv_sec = seconds;
    time.tv_nsec = nanoseconds;
    return time;
}

TEST(FileTime, MsDtyp_2_3_3_Epochs) {
    EXPECT_EQ(to_filetime(time_of(0, 0)), filetime_unix_epoch);
    EXPECT_EQ(to_filetime(time_of(-11'644'473'600, 0)), 0U);
    // 2009-07-25 23:00:00 UTC, the example of Microsoft's time functions.
    EXPECT_EQ(to_filetime(time_of(1'248'562'800, 0)), 128'930'364'000'000'000U);
}

TEST(FileTime, RoundTrip) {
    for (const std::int64_t seconds : {-11'644'473'600LL, -1LL, 0LL, 1LL, 4'000'000'000LL}) {
        for (const long nanoseconds : {0L, 100L, 999'999'900L}) {
            const ::timespec back = to_timespec(to_filetime(time_of(seconds, nanoseconds)));
            EXPECT_EQ(back.tv_sec, seconds);
            EXPECT_EQ(back.tv_nsec, nanoseconds);
        }
    }
    EXPECT_EQ(to_timespec(to_filetime(time_of(5, 199))).tv_nsec, 100);
}

TEST(FileTime, OutOfRange) {
    EXPECT_EQ(to_filetime(time_of(-11'644'473'601, 0)), 0U);
    EXPECT_EQ(to_filetime(time_of(INT64_MIN, 0)), 0U);
    EXPECT_EQ(to_filetime(time_of(INT64_MAX, 0)), filetime_never);
    EXPECT_GT(to_timespec(~0ULL).tv_sec, 900'000'000'000);
    EXPECT_FALSE(is_filetime(0));
    EXPECT_FALSE(is_filetime(~0ULL));
    EXPECT_TRUE(is_filetime(1));
}

TEST(FileTime, Now) {
    EXPECT_GT(filetime_now(), 133'000'000'000'000'000U);  // after 2022
    const FileTime earlier = filetime_now();
    EXPECT_LE(earlier, filetime_now());
}

}  // namespace
}  // namespace smb3d
