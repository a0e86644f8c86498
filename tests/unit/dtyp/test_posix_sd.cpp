#include "dtyp/posix_sd.h"

#include <gtest/gtest.h>

#include "dtyp/access_check.h"
#include "dtyp/sddl.h"

namespace smb3d::dtyp {
namespace {

Token user_token(std::uint32_t uid, std::uint32_t gid) {
    return {{sids::unix_user(uid), sids::unix_group(gid), sids::everyone}, 0};
}

TEST(PosixDescriptor, OrdinaryFile) {
    const auto descriptor = posix_descriptor({1000, 100, 0644, false});
    EXPECT_EQ(to_sddl(descriptor).value(),
              "O:S-1-22-1-1000G:S-1-22-2-100D:(A;;0x17019f;;;S-1-22-1-1000)"
              "(A;;FR;;;S-1-22-2-100)(A;;FR;;;WD)");
    EXPECT_TRUE(SecurityDescriptor::parse(descriptor.build().value()));
}

TEST(PosixDescriptor, DirectoryWithEverything) {
    EXPECT_EQ(to_sddl(posix_descriptor({0, 0, 0755, true})).value(),
              "O:S-1-22-1-0G:S-1-22-2-0D:(A;;FA;;;S-1-22-1-0)"
              "(A;;0x1200a9;;;S-1-22-2-0)(A;;0x1200a9;;;WD)");
    const auto shared = maximal_access(posix_descriptor({0, 50, 0770, true}), user_token(7, 50));
    EXPECT_EQ(shared,
              file_generic_read | file_generic_write | file_generic_execute | file_delete_child);
}

TEST(PosixDescriptor, SuppliedSids) {
    SidMap map;
    map.user = [](std::uint32_t uid) { return Sid(5, {21, 1, 2, 3, 1000 + uid}); };
    const auto descriptor = posix_descriptor({5, 6, 0600, false}, map);
    EXPECT_EQ(descriptor.owner->text(), "S-1-5-21-1-2-3-1005");
    EXPECT_EQ(descriptor.group->text(), "S-1-22-2-6");
    EXPECT_EQ(mode_of_descriptor(descriptor, {5, 6, 0, false}, map), 0600U);
}

// What access(2) says for each class and mode, the descriptor must say as well.
TEST(PosixDescriptor, MeansWhatEveryModeMeans) {
    struct Row {
        std::uint32_t uid;
        std::uint32_t gid;
        unsigned shift;
    };
    const Row rows[] = {{1, 1, 6}, {1, 9, 6}, {2, 1, 3}, {3, 3, 0}};
    for (const bool directory : {false, true}) {
        for (std::uint32_t mode = 0; mode <= 0777; ++mode) {
            const auto descriptor = posix_descriptor({1, 1, mode, directory});
            for (const Row& row : rows) {
                const AccessMask rights = maximal_access(descriptor, user_token(row.uid, row.gid));
                const std::uint32_t rwx = mode >> row.shift & 7;
                ASSERT_EQ((rights & file_read_data) != 0, (rwx & 4) != 0) << std::oct << mode;
                ASSERT_EQ((rights & file_write_data) != 0, (rwx & 2) != 0) << std::oct << mode;
                ASSERT_EQ((rights & file_append_data) != 0, (rwx & 2) != 0) << std::oct << mode;
                ASSERT_EQ((rights & file_execute) != 0, (rwx & 1) != 0) << std::oct << mode;
                ASSERT_NE(rights & file_read_attributes, 0U);
                ASSERT_NE(rights & read_control, 0U);
                const bool is_owner = row.uid == 1;
                ASSERT_EQ((rights & write_dac) != 0, is_owner);
                ASSERT_EQ((rights & delete_access) != 0, is_owner);
                const bool may_empty = directory && (rwx & 2) != 0;
                ASSERT_EQ((rights & file_delete_child) != 0, may_empty || (is_owner && rwx == 7))
                    << std::oct << mode;
            }
        }
    }
}

TEST(PosixDescriptor, ModeComesBack) {
    for (std::uint32_t mode = 0; mode <= 0777; ++mode) {
        const PosixOwner owner{1, 1, mode, mode % 2 == 0};
        ASSERT_EQ(mode_of_descriptor(posix_descriptor(owner), owner), mode) << std::oct << mode;
    }
}

TEST(PosixDescriptor, ModeOfOtherDescriptors) {
    const PosixOwner owner{1, 1, 0, false};
    const auto mode = [&](const char* text) {
        return mode_of_descriptor(from_sddl(text).value(), owner);
    };
    EXPECT_EQ(mode("O:BA"), std::nullopt);
    EXPECT_EQ(mode("D:"), 0U);
    EXPECT_EQ(mode("D:NO_ACCESS_CONTROL"), 0777U);
    EXPECT_EQ(mode("D:(A;;FA;;;S-1-22-1-1)(A;;FR;;;AU)"), 0744U);
    EXPECT_EQ(mode("D:(A;;FA;;;S-1-22-1-1)(A;;0x1200a9;;;S-1-22-2-1)"), 0750U);
}

}  // namespace
}  // namespace smb3d::dtyp
