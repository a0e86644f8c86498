// Data: read, write, flush, sizes, allocation, ranges; and attributes and times.
#include "vfs_conformance/backends.h"

namespace smb3d::test {
namespace {

using vfs::WantKind;

constexpr std::uint32_t attribute_readonly = 0x01;
constexpr std::uint32_t attribute_hidden = 0x02;
constexpr std::uint32_t attribute_directory = 0x10;
constexpr std::uint32_t attribute_archive = 0x20;
constexpr std::uint32_t attribute_normal = 0x80;
constexpr std::uint32_t attribute_sparse = 0x200;

std::string pattern(std::size_t size) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    return out;
}

vfs::StatChange with_attributes(std::uint32_t attributes) {
    vfs::StatChange change;
    change.attributes = attributes;
    return change;
}

TEST_P(VfsConformance, ReadsWhatWasWritten) {
    auto file = ops().create("f");
    ASSERT_TRUE(file) << status_of(file);
    const std::string data = pattern(300'000);
    EXPECT_EQ(ops().write(*file->file, 0, data).value_or(0), data.size());
    EXPECT_EQ(ops().read(*file->file, 0, data.size()).value_or(""), data);
    EXPECT_EQ(ops().read(*file->file, 1234, 5678).value_or(""), data.substr(1234, 5678));
    EXPECT_EQ(ops().write(*file->file, 100, "MIDDLE").value_or(0), 6U);
    EXPECT_EQ(ops().read(*file->file, 98, 10).value_or(""),
              data.substr(98, 2) + "MIDDLE" + data.substr(106, 2));
    auto stat = ops().stat(*file->file);
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->end_of_file, data.size());
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, ReadsAtAndBeyondTheEnd) {
    ops().put("f", "0123456789");
    auto file = ops().open("f", {.access = vfs::access_read_data});
    ASSERT_TRUE(file) << status_of(file);
    EXPECT_EQ(ops().read(*file->file, 4, 100).value_or("?"), "456789");
    EXPECT_EQ(ops().read(*file->file, 10, 5).value_or("?"), "");
    EXPECT_EQ(ops().read(*file->file, 1'000'000, 5).value_or("?"), "");
    EXPECT_EQ(ops().read(*file->file, INT64_MAX - 1, 5).value_or("?"), "");
    EXPECT_EQ(ops().read(*file->file, UINT64_MAX - 1, 5).value_or("?"), "");
    EXPECT_EQ(ops().read(*file->file, 0, 0).value_or("?"), "");
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, WritesBeyondTheEndLeaveZeros) {
    auto file = ops().create("f");
    ASSERT_TRUE(file);
    EXPECT_TRUE(ops().write(*file->file, 5, "x"));
    EXPECT_EQ(ops().read(*file->file, 0, 100).value_or(""), std::string(5, '\0') + "x");
    EXPECT_EQ(status_of(ops().write(*file->file, INT64_MAX - 1, "xyz")),
              "STATUS_INVALID_PARAMETER");
    EXPECT_EQ(ops().write(*file->file, 3, "").value_or(9), 0U);
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, AppendsAndWritesThrough) {
    auto file = ops().create("f");
    ASSERT_TRUE(file);
    EXPECT_TRUE(ops().write(*file->file, 0, "one", true));
    EXPECT_TRUE(ops().write(*file->file, vfs::append_offset, "two"));
    EXPECT_TRUE(ops().write(*file->file, vfs::append_offset, "three", true));
    EXPECT_EQ(ops().read(*file->file, 0, 100).value_or(""), "onetwothree");
    EXPECT_TRUE(ops().flush(*file->file));
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, AccessIsWhatTheFileWasOpenedFor) {
    ops().put("f", "data");
    auto reader = ops().open("f", {.access = vfs::access_read_data});
    auto writer = ops().open("f", {.access = vfs::access_write_data});
    auto neither = ops().open("f", {.access = vfs::access_attributes});
    ASSERT_TRUE(reader && writer && neither);
    EXPECT_EQ(status_of(ops().write(*reader->file, 0, "x")), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(status_of(ops().read(*writer->file, 0, 1)), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(status_of(ops().read(*neither->file, 0, 1)), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(status_of(ops().write(*neither->file, 0, "x")), "STATUS_ACCESS_DENIED");
    EXPECT_TRUE(ops().stat(*neither->file));
    EXPECT_TRUE(ops().flush(*neither->file));
    for (auto* reply : {&*reader, &*writer, &*neither}) EXPECT_TRUE(ops().close(*reply->file));
}

TEST_P(VfsConformance, ManyOverlappingReads) {
    const std::string data = pattern(1 << 20);
    ops().put("f", data);
    auto file = ops().open("f", {.access = vfs::access_read_data});
    ASSERT_TRUE(file);
    constexpr std::size_t count = 64;
    constexpr std::size_t size = (1 << 20) / count;
    std::vector<std::string> parts(count, std::string(size, '?'));
    std::vector<::iovec> into(count);
    std::vector<std::future<Result<std::size_t>>> reads;
    for (std::size_t i = 0; i < count; ++i) {
        into[i] = {parts[i].data(), size};
        reads.push_back(ops().begin<std::size_t>(
            [&, i](const vfs::OpContext& context, vfs::Done<std::size_t> done) {
                file->file->read(context, i * size, std::span(&into[i], 1), done);
            }));
    }
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(reads[i].get().value_or(0), size);
        all += parts[i];
    }
    EXPECT_TRUE(all == data);
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, SetSizeGrowsWithZerosAndCuts) {
    auto file = ops().create("f");
    ASSERT_TRUE(file);
    EXPECT_TRUE(ops().write(*file->file, 0, "0123456789"));
    EXPECT_TRUE(ops().set_size(*file->file, 4));
    EXPECT_EQ(ops().read(*file->file, 0, 100).value_or(""), "0123");
    EXPECT_TRUE(ops().set_size(*file->file, 6));
    EXPECT_EQ(ops().read(*file->file, 0, 100).value_or(""), std::string("0123\0\0", 6));
    EXPECT_EQ(status_of(ops().set_size(*file->file, UINT64_MAX)), "STATUS_INVALID_PARAMETER");
    EXPECT_TRUE(ops().set_size(*file->file, 0));
    EXPECT_EQ(ops().stat(*file->file)->end_of_file, 0U);
    EXPECT_TRUE(ops().close(*file->file));
}

// [MS-FSA] 2.1.5.15.1: below the end of file it truncates, above it only reserves.
TEST_P(VfsConformance, AllocateMovesTheEndOnlyDownwards) {
    auto file = ops().create("f");
    ASSERT_TRUE(file);
    EXPECT_TRUE(ops().write(*file->file, 0, "0123456789"));
    auto reserved = ops().allocate(*file->file, 1 << 20);
    EXPECT_TRUE(reserved) << status_of(reserved);
    auto stat = ops().stat(*file->file);
    EXPECT_EQ(stat->end_of_file, 10U);
    EXPECT_TRUE(ops().allocate(*file->file, 3));
    EXPECT_EQ(ops().stat(*file->file)->end_of_file, 3U);
    EXPECT_EQ(ops().read(*file->file, 0, 100).value_or(""), "012");
    EXPECT_EQ(status_of(ops().allocate(*file->file, UINT64_MAX)), "STATUS_INVALID_PARAMETER");
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, RangesCoverTheData) {
    auto file = ops().create("f");
    ASSERT_TRUE(file);
    constexpr std::uint64_t far = 1 << 20;
    EXPECT_TRUE(ops().write(*file->file, 0, "begin"));
    EXPECT_TRUE(ops().write(*file->file, far, "end"));
    auto ranges = ops().ranges(*file->file, {0, far + 3});
    ASSERT_TRUE(ranges) << status_of(ranges);
    ASSERT_FALSE(ranges->empty());
    EXPECT_EQ(ranges->front().offset, 0U);
    EXPECT_EQ(ranges->back().offset + ranges->back().length, far + 3);
    for (std::size_t i = 1; i < ranges->size(); ++i) {
        EXPECT_GT((*ranges)[i].offset, (*ranges)[i - 1].offset + (*ranges)[i - 1].length);
    }
    auto first = ops().ranges(*file->file, {0, far + 3}, 1);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->size(), 1U);
    auto part = ops().ranges(*file->file, {1, 2});
    ASSERT_TRUE(part && part->size() == 1);
    EXPECT_EQ((*part)[0].offset, 1U);
    EXPECT_EQ((*part)[0].length, 2U);
    EXPECT_TRUE(ops().ranges(*file->file, {far + 100, 1000})->empty());
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, ZeroRangeNeverGrowsTheFile) {
    for (const std::uint32_t attributes :
         {attribute_archive, attribute_archive | attribute_sparse}) {
        const std::string data = pattern(200'000);
        ops().put("f", data);
        auto file = ops().open("f");
        ASSERT_TRUE(file);
        EXPECT_TRUE(ops().set_stat(*file->file, with_attributes(attributes)));
        auto zeroed = ops().zero(*file->file, {1000, 150'000});
        EXPECT_TRUE(zeroed) << status_of(zeroed);
        std::string expected = data;
        std::fill_n(expected.begin() + 1000, 150'000, '\0');
        EXPECT_TRUE(ops().read(*file->file, 0, data.size()).value_or("") == expected);
        EXPECT_TRUE(ops().zero(*file->file, {199'990, 1'000'000}));
        EXPECT_TRUE(ops().zero(*file->file, {UINT64_MAX - 5, 3}));
        EXPECT_EQ(ops().stat(*file->file)->end_of_file, data.size());
        std::fill_n(expected.begin() + 199'990, 10, '\0');
        EXPECT_TRUE(ops().read(*file->file, 0, data.size()).value_or("") == expected);
        EXPECT_TRUE(ops().close(*file->file));
    }
}

TEST_P(VfsConformance, AttributesAndTimesAreKept) {
    if (!ops().share().capabilities().dos_attributes) GTEST_SKIP() << "no user xattrs here";
    ops().put("f", "data");
    ASSERT_TRUE(ops().make_directory("d"));
    for (const char* path : {"f", "d"}) {
        const std::uint32_t kind = path[0] == 'd' ? attribute_directory : 0U;
        // With data access and without any.
        for (const std::uint32_t access :
             {std::uint32_t{vfs::access_read_data}, std::uint32_t{vfs::access_attributes}}) {
            auto file = ops().open(path, {.access = access});
            ASSERT_TRUE(file) << status_of(file);
            vfs::StatChange change;
            change.creation_time = 125'911'584'000'000'000 + access;  // 2000-01-01
            change.last_access_time = 126'227'808'001'234'567;
            change.last_write_time = 126'543'168'007'654'321;
            change.change_time = 126'543'168'007'654'321;  // may be ignored, must not fail
            change.attributes = attribute_hidden | attribute_readonly;
            auto set = ops().set_stat(*file->file, change);
            EXPECT_TRUE(set) << status_of(set);
            EXPECT_TRUE(ops().close(*file->file));
            auto stat = ops().stat_path(path);
            ASSERT_TRUE(stat);
            EXPECT_EQ(stat->creation_time, *change.creation_time);
            EXPECT_EQ(stat->last_access_time, *change.last_access_time);
            EXPECT_EQ(stat->last_write_time, *change.last_write_time);
            EXPECT_EQ(stat->attributes, attribute_hidden | attribute_readonly | kind);
        }
        auto file = ops().open(path, {.access = vfs::access_attributes});
        EXPECT_TRUE(ops().set_stat(*file->file, with_attributes(attribute_normal)));
        auto stat = ops().stat(*file->file);
        EXPECT_EQ(stat->attributes, kind == 0 ? attribute_normal : attribute_directory);
        EXPECT_EQ(stat->last_write_time, 126'543'168'007'654'321U);  // what is absent stays
        EXPECT_TRUE(ops().close(*file->file));
    }
}

// Beyond what 64 bits of nanoseconds count, as far as the file system goes: smb2.timestamps.
TEST_P(VfsConformance, TimesFarFromNow) {
    ASSERT_TRUE(ops().make_directory("folder"));
    ops().put("folder/file", "data");
    constexpr vfs::FileTime year_2445 = 266'444'736'000'000'000;
    constexpr vfs::FileTime year_2037 = 137'588'544'000'000'000;
    constexpr vfs::FileTime year_1902 = 94'985'568'000'000'000;
    for (const vfs::FileTime time : {year_2445, year_1902}) {
        for (const char* path : {"folder", "folder/file"}) {
            const auto file = ops().open(path, {.access = vfs::access_attributes});
            ASSERT_TRUE(file) << status_of(file);
            vfs::StatChange change;
            change.last_write_time = time;
            EXPECT_TRUE(ops().set_stat(*file->file, change));
            const auto stat = ops().stat(*file->file);
            ASSERT_TRUE(stat);
            // Not every file system goes beyond 2038.
            if (time == year_1902) EXPECT_EQ(stat->last_write_time, time);
            if (time == year_2445) EXPECT_GT(stat->last_write_time, year_2037);
            EXPECT_TRUE(ops().close(*file->file));
        }
        EXPECT_FALSE(ops().stat_path("folder/missing"));
        EXPECT_TRUE(ops().stat_path("folder/file"));
    }
}

TEST_P(VfsConformance, WritingMovesTheWriteTime) {
    ops().put("f", "data");
    auto file = ops().open("f");
    ASSERT_TRUE(file);
    vfs::StatChange old;
    old.last_write_time = 126'543'168'000'000'000;
    EXPECT_TRUE(ops().set_stat(*file->file, old));
    EXPECT_TRUE(ops().write(*file->file, 0, "more"));
    EXPECT_GT(ops().stat(*file->file)->last_write_time, 126'543'168'000'000'000U);
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, VolumeInfoMakesSense) {
    auto info = ops().volume();
    ASSERT_TRUE(info) << status_of(info);
    EXPECT_GT(info->total_units, 0U);
    EXPECT_LE(info->free_units, info->total_units);
    EXPECT_LE(info->caller_free_units, info->free_units);
    EXPECT_GT(info->bytes_per_sector, 0U);
    EXPECT_GT(info->sectors_per_unit, 0U);
    EXPECT_EQ(info->max_component_length, 255U);
    EXPECT_EQ(info->file_system_name, "NTFS");
}

TEST_P(VfsConformance, AnOpenFileOutlivesItsName) {
    ops().put("f", "still here");
    auto file = ops().open("f");
    ASSERT_TRUE(file);
    EXPECT_TRUE(ops().remove("f"));
    EXPECT_EQ(ops().exists("f"), NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_EQ(ops().read(*file->file, 0, 100).value_or(""), "still here");
    EXPECT_TRUE(ops().write(*file->file, 0, "STILL"));
    EXPECT_EQ(ops().stat(*file->file)->links, 0U);
    EXPECT_TRUE(ops().close(*file->file));
}

}  // namespace
}  // namespace smb3d::test
