#include <gtest/gtest.h>

#include "fsa/access.h"
#include "fsa/attributes.h"
#include "fsa/timestamps.h"

namespace smb3d::fsa {
namespace {

NtStatus create_status(std::uint32_t desired, std::uint32_t shared = 7,
                       std::uint32_t disposition = 1, std::uint32_t options = 0,
                       std::uint32_t attributes = 0) {
    const auto result = check_create_parameters(desired, shared, disposition, options, attributes);
    return result ? NtStatus::SUCCESS : result.error();
}

// The masks that smbtorture smb2.create.gentest finds on Windows, save for SYNCHRONIZE alone, which
// smb2.sharemode wants granted.
TEST(CreateParameters, MsFsa_2_1_5_1_DesiredAccess) {
    std::uint32_t denied = 0;
    for (unsigned bit = 0; bit < 32; ++bit) {
        if (create_status(1U << bit) == NtStatus::ACCESS_DENIED) denied |= 1U << bit;
    }
    // ACCESS_SYSTEM_SECURITY is for the privilege check, not for this one.
    EXPECT_EQ(denied, 0x0df0fe00U & ~access::system_security & ~access::synchronize);
    EXPECT_EQ(create_status(0), NtStatus::ACCESS_DENIED);
}

TEST(CreateParameters, MsSmb2_3_3_5_9_Options) {
    std::uint32_t ok = 0;
    std::uint32_t unsupported = 0;
    std::uint32_t invalid = 0;
    for (unsigned bit = 0; bit < 32; ++bit) {
        switch (create_status(access::maximum_allowed, 7, 3, 1U << bit)) {
            case NtStatus::SUCCESS:
                ok |= 1U << bit;
                break;
            case NtStatus::NOT_SUPPORTED:
                unsupported |= 1U << bit;
                break;
            case NtStatus::INVALID_PARAMETER:
                invalid |= 1U << bit;
                break;
            default:
                ADD_FAILURE() << bit;
        }
    }
    EXPECT_EQ(unsupported, 0x00102080U);
    EXPECT_EQ(invalid, 0xff000000U);
    EXPECT_EQ(ok, 0x00efcf7eU | option::directory_file | option::delete_on_close);
}

TEST(CreateParameters, MsFsa_2_1_5_1_Combinations) {
    constexpr std::uint32_t read = access::read_data;
    EXPECT_EQ(create_status(read, 8), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(create_status(read, 7, 6), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(create_status(read, 7, 1, option::directory_file | option::non_directory_file),
              NtStatus::INVALID_PARAMETER);
    for (const std::uint32_t disposition : {0U, 4U, 5U}) {
        EXPECT_EQ(create_status(read, 7, disposition, option::directory_file),
                  NtStatus::INVALID_PARAMETER);
    }
    EXPECT_EQ(create_status(read, 7, 1, option::delete_on_close), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(create_status(read | access::delete_, 7, 1, option::delete_on_close),
              NtStatus::SUCCESS);
    std::uint32_t valid = 0;
    for (unsigned bit = 0; bit < 32; ++bit) {
        if (create_status(read, 7, 3, 0, 1U << bit) == NtStatus::SUCCESS) valid |= 1U << bit;
    }
    EXPECT_EQ(valid, 0x00007fb7U);
    EXPECT_EQ(valid, attribute::valid);
}

TEST(Access, Operations) {
    EXPECT_TRUE(check_operation(Operation::read, access::execute));
    EXPECT_FALSE(check_operation(Operation::read, access::read_attributes));
    EXPECT_TRUE(check_operation(Operation::write, access::append_data));
    EXPECT_FALSE(check_operation(Operation::flush, access::read_data));
    EXPECT_FALSE(check_operation(Operation::set_size, access::append_data));
    EXPECT_TRUE(check_operation(Operation::set_sparse, access::write_attributes));
    EXPECT_FALSE(check_operation(Operation::zero_data, access::write_attributes));
    EXPECT_TRUE(check_operation(Operation::link, 0));
    for (int op = 0; op <= static_cast<int>(Operation::query_ranges); ++op) {
        const auto operation = static_cast<Operation>(op);
        EXPECT_TRUE(check_operation(operation, access::file_all));
        if (operation != Operation::link) {
            EXPECT_FALSE(check_operation(operation, access::synchronize));
        }
    }
}

TEST(Access, VfsAccess) {
    EXPECT_EQ(vfs_access(access::read_attributes, false), vfs::access_attributes);
    EXPECT_EQ(vfs_access(access::read_attributes, true), vfs::access_write_data);
    EXPECT_EQ(vfs_access(access::execute, false), vfs::access_read_data);
    EXPECT_EQ(vfs_access(access::append_data, false), vfs::access_write_data);
    EXPECT_EQ(vfs_access(access::append_data | access::write_data, false), vfs::access_write_data);
}

TEST(Attributes, MsFsa_2_1_5_1_1_NewFile) {
    using namespace attribute;
    EXPECT_EQ(attributes_of_new_file(0, false, 0), archive);
    EXPECT_EQ(attributes_of_new_file(normal, false, 0), archive);
    EXPECT_EQ(attributes_of_new_file(hidden | directory, false, 0), hidden | archive);
    EXPECT_EQ(attributes_of_new_file(hidden, true, 0), hidden | directory);
    EXPECT_EQ(attributes_of_new_file(sparse_file | compressed, false, 0), archive);
    EXPECT_EQ(attributes_of_new_file(0x40, false, 0).error(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(attributes_of_new_file(temporary, true, 0).error(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(attributes_of_new_file(readonly, false, option::delete_on_close).error(),
              NtStatus::CANNOT_DELETE);
    EXPECT_EQ(normalize_attributes(normal | hidden, false), hidden);
    EXPECT_EQ(normalize_attributes(directory, false), normal);
}

TEST(Attributes, MsFsa_2_1_5_1_2_1_ReadOnlyFiles) {
    using namespace attribute;
    const auto status = [](std::uint32_t stored, bool is_directory, std::uint32_t desired,
                           CreateDisposition disposition = CreateDisposition::open,
                           std::uint32_t options = 0) {
        const auto result =
            check_open_attributes(stored, is_directory, desired, disposition, options);
        return result ? NtStatus::SUCCESS : result.error();
    };
    EXPECT_EQ(status(readonly, false, access::read_data | access::delete_), NtStatus::SUCCESS);
    EXPECT_EQ(status(readonly, false, access::write_data), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(status(readonly, false, access::append_data), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(status(readonly, true, access::write_data), NtStatus::SUCCESS);
    EXPECT_EQ(status(readonly, false, access::read_data, CreateDisposition::overwrite_if),
              NtStatus::ACCESS_DENIED);
    EXPECT_EQ(
        status(readonly, false, access::delete_, CreateDisposition::open, option::delete_on_close),
        NtStatus::CANNOT_DELETE);
    EXPECT_EQ(
        status(readonly, true, access::delete_, CreateDisposition::open, option::delete_on_close),
        NtStatus::CANNOT_DELETE);
    EXPECT_EQ(status(archive, false, access::file_all, CreateDisposition::supersede,
                     option::delete_on_close),
              NtStatus::SUCCESS);
}

TEST(Attributes, MsFsa_2_1_5_1_2_Overwrite) {
    using namespace attribute;
    constexpr auto overwrite = CreateDisposition::overwrite;
    constexpr auto supersede = CreateDisposition::supersede;
    EXPECT_EQ(attributes_of_overwritten_file(hidden, 0, overwrite).error(),
              NtStatus::ACCESS_DENIED);
    EXPECT_EQ(attributes_of_overwritten_file(system | hidden, hidden, overwrite).error(),
              NtStatus::ACCESS_DENIED);
    EXPECT_EQ(attributes_of_overwritten_file(readonly, readonly, overwrite).error(),
              NtStatus::ACCESS_DENIED);
    EXPECT_EQ(attributes_of_overwritten_file(hidden, hidden, overwrite), hidden | archive);
    EXPECT_EQ(attributes_of_overwritten_file(normal, system, overwrite), system | archive);
    EXPECT_EQ(attributes_of_overwritten_file(offline | sparse_file, 0, overwrite),
              offline | archive);
    EXPECT_EQ(attributes_of_overwritten_file(offline | sparse_file, 0, supersede), archive);
}

TEST(Attributes, MsFsa_2_1_5_15_2_SetByUser) {
    using namespace attribute;
    EXPECT_EQ(attributes_set_by_user(hidden | sparse_file, 0, false), hidden | sparse_file);
    EXPECT_EQ(attributes_set_by_user(hidden | sparse_file, normal, false), sparse_file);
    EXPECT_EQ(attributes_set_by_user(archive, normal, false), normal);
    EXPECT_EQ(attributes_set_by_user(directory, normal, true), directory);
    EXPECT_EQ(attributes_set_by_user(archive, readonly | reparse_point | compressed, false),
              readonly);
    EXPECT_EQ(attributes_set_by_user(archive, directory, false).error(),
              NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(attributes_set_by_user(directory, temporary, true).error(),
              NtStatus::INVALID_PARAMETER);
}

TEST(TimePins, MsFsa_2_1_5_15_2_SpecialValues) {
    TimePins pins;
    vfs::FileStat stat;
    stat.attributes = attribute::archive;
    stat.last_access_time = 100;
    stat.last_write_time = 200;
    stat.change_time = 300;

    for (const auto field : {&BasicInformation::creation_time, &BasicInformation::last_access_time,
                             &BasicInformation::last_write_time, &BasicInformation::change_time}) {
        BasicInformation bad;
        bad.*field = -3;
        EXPECT_EQ(pins.apply(bad, stat).error(), NtStatus::INVALID_PARAMETER);
    }
    EXPECT_FALSE(pins.any());

    BasicInformation info;
    auto change = pins.apply(info, stat);
    ASSERT_TRUE(change);
    EXPECT_FALSE(change->creation_time || change->last_access_time || change->last_write_time ||
                 change->change_time || change->attributes);
    EXPECT_FALSE(pins.after_write() || pins.after_read());

    info.creation_time = -1;
    info.last_write_time = -1;
    change = pins.apply(info, stat);
    ASSERT_TRUE(change);
    EXPECT_FALSE(change->creation_time || change->last_write_time);
    ASSERT_TRUE(pins.after_write());
    EXPECT_EQ(pins.after_write()->last_write_time, 200U);
    EXPECT_FALSE(pins.after_write()->change_time);

    info = {};
    info.creation_time = 50;
    info.last_write_time = -2;
    info.last_access_time = 777;
    info.attributes = attribute::hidden;
    change = pins.apply(info, stat);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->creation_time, 50U);
    EXPECT_EQ(change->last_access_time, 777U);
    EXPECT_EQ(change->attributes, attribute::hidden);
    EXPECT_FALSE(pins.after_write());
    ASSERT_TRUE(pins.after_read());
    EXPECT_EQ(pins.after_read()->last_access_time, 777U);
}

TEST(TimePins, RefusedChangePinsNothing) {
    TimePins pins;
    BasicInformation info;
    info.last_write_time = -1;
    info.attributes = attribute::directory;
    EXPECT_FALSE(pins.apply(info, vfs::FileStat{}));
    EXPECT_FALSE(pins.any());
}

}  // namespace
}  // namespace smb3d::fsa
