// Which way copies go: both are tried, the cheaper one is taken, and the other one is not
// forgotten.
#include <gtest/gtest.h>

#include "vfs_posix/copy_ways.h"

namespace smb3d::vfs_posix {
namespace {

using Way = CopyWays::Way;

// How many of `count` copies went by mapping, if they cost so much.
int by_mapping(CopyWays& ways, int count, std::uint64_t mapping_ns, std::uint64_t range_ns) {
    int mapped = 0;
    for (int i = 0; i < count; ++i) {
        const Way way = ways.choose();
        if (way == Way::mapping) ++mapped;
        ways.measured(way, 4U << 20, way == Way::mapping ? mapping_ns : range_ns);
    }
    return mapped;
}

TEST(CopyWays, TakesTheCheaperAndFollowsAChange) {
    CopyWays ways;
    EXPECT_EQ(by_mapping(ways, 2, 1'000'000, 2'000'000), 1) << "each is tried";
    const int of = 10 * static_cast<int>(CopyWays::again);
    EXPECT_EQ(by_mapping(ways, of, 1'000'000, 2'000'000), of - 10);
    // What was the cheaper way costs more now: found out with the next ones that go there.
    by_mapping(ways, 10, 9'000'000, 2'000'000);
    EXPECT_EQ(by_mapping(ways, of, 9'000'000, 2'000'000), 10);
}

TEST(CopyWays, NothingIsLearntFromNothing) {
    CopyWays ways;
    ways.measured(Way::mapping, 0, 100);
    EXPECT_EQ(ways.choose(), Way::mapping);
    ways.measured(Way::mapping, 1U << 30, 1);
    EXPECT_EQ(ways.choose(), Way::copy_file_range) << "not known yet";
}

}  // namespace
}  // namespace smb3d::vfs_posix
