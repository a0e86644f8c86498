#include "base/status_map.h"

#include <set>

#include <gtest/gtest.h>

namespace smb3d {
namespace {

TEST(StatusMap, EveryRowRoundTrips) {
    std::set<std::uint32_t> values;
#define SMB3D_TEST_ROW(name, value)                          \
    EXPECT_EQ(status_text(NtStatus::name), #name);           \
    EXPECT_EQ(status_from("STATUS_" #name), NtStatus::name); \
    EXPECT_EQ(status_name(NtStatus::name), "STATUS_" #name); \
    EXPECT_TRUE(values.insert(static_cast<std::uint32_t>(value)).second) << #name;
    SMB3D_STATUS_ROWS(SMB3D_TEST_ROW)
#undef SMB3D_TEST_ROW
}

TEST(StatusMap, ValuesWithoutARow) {
    const auto unknown = static_cast<NtStatus>(0xC0FFEE00);
    EXPECT_EQ(status_text(unknown), "0xC0FFEE00");
    EXPECT_EQ(status_from("0xC0FFEE00"), unknown);
    EXPECT_FALSE(status_from("NO_SUCH_THING"));
    EXPECT_FALSE(status_from("0x"));
    EXPECT_FALSE(status_from("0x12345678Z"));
    EXPECT_FALSE(status_from("0x123456789"));
}

}  // namespace
}  // namespace smb3d
