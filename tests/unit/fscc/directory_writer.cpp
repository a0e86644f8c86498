// [MS-FSCC] 2.4: directory entries, as a QUERY_DIRECTORY answers them.
#include "fscc/directory_writer.h"

#include <gtest/gtest.h>

#include "fscc/attributes.h"
#include "unit/wire/hex.h"
#include "wire/codec.h"
#include "wire/next_list.h"

namespace smb3d::fscc {

namespace {

using wire::test::hex;
using wire::test::to_hex;
using wire::test::utf16;

vfs::FileStat some_stat() {
    vfs::FileStat stat;
    stat.id.inode = 0x8877665544332211;
    stat.attributes = file_attribute::archive;
    stat.creation_time = 1;
    stat.last_access_time = 2;
    stat.last_write_time = 3;
    stat.change_time = 4;
    stat.end_of_file = 5;
    stat.allocation_size = 6;
    stat.ea_size = 7;
    return stat;
}

std::uint32_t u32(Bytes bytes, std::size_t at) {
    return wire::detail::from_little<std::uint32_t>(bytes.data() + at);
}

DirectoryWriter writer(FileInfoClass info_class, MutableBytes out) {
    return *DirectoryWriter::create(static_cast<std::uint8_t>(info_class), out);
}

// One entry named "ab", as hexadecimal.
std::string one_entry(FileInfoClass info_class) {
    std::vector<std::byte> memory(256, std::byte{0xEE});
    DirectoryWriter list = writer(info_class, memory);
    EXPECT_TRUE(list.add(std::string_view("ab"), some_stat()));
    return to_hex(Bytes(memory).first(list.size()));
}

const std::string common =
    "0000000000000000"
    "0100000000000000"
    "0200000000000000"
    "0300000000000000"
    "0400000000000000"
    "0500000000000000"
    "0600000000000000"
    "2000000004000000";
const std::string ea = "07000000";
const std::string no_tag = "00000000";
const std::string short_name = "0000" + std::string(48, '0');
const std::string id = "1122334455667788";
const std::string id_128 = id + std::string(16, '0');
const std::string name = "61006200";

}  // namespace

TEST(DirectoryWriter, FileDirectoryInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::directory), common + name);
}
TEST(DirectoryWriter, FileFullDirectoryInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::full_directory), common + ea + name);
}
TEST(DirectoryWriter, FileBothDirectoryInformation_2_4_8) {
    EXPECT_EQ(one_entry(FileInfoClass::both_directory), common + ea + short_name + name);
}
TEST(DirectoryWriter, FileIdBothDirectoryInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::id_both_directory),
              common + ea + short_name + "0000" + id + name);
}
TEST(DirectoryWriter, FileIdFullDirectoryInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::id_full_directory), common + ea + "00000000" + id + name);
}
TEST(DirectoryWriter, FileNamesInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::names), "000000000000000004000000" + name);
}
TEST(DirectoryWriter, FileIdExtdDirectoryInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::id_extd_directory), common + ea + no_tag + id_128 + name);
}
TEST(DirectoryWriter, FileIdExtdBothDirectoryInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::id_extd_both_directory),
              common + ea + no_tag + id_128 + short_name + name);
}
TEST(DirectoryWriter, FileId64ExtdDirectoryInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::id_64_extd_directory), common + ea + no_tag + id + name);
    EXPECT_EQ(one_entry(FileInfoClass::id_64_extd_both_directory),
              common + ea + no_tag + id + short_name + name);
}
TEST(DirectoryWriter, FileIdAllExtdDirectoryInformation) {
    EXPECT_EQ(one_entry(FileInfoClass::id_all_extd_directory),
              common + ea + no_tag + id + id_128 + name);
    EXPECT_EQ(one_entry(FileInfoClass::id_all_extd_both_directory),
              common + ea + no_tag + id + id_128 + short_name + name);
}

// [MS-FSCC] 2.4.8 EaSize: of a reparse point it is the tag.
TEST(DirectoryWriter, ReparseTagInPlaceOfEaSize) {
    vfs::FileStat stat = some_stat();
    stat.attributes = file_attribute::reparse_point;
    stat.reparse_tag = reparse_tag::symlink;
    std::vector<std::byte> memory(256);
    DirectoryWriter full = writer(FileInfoClass::full_directory, memory);
    ASSERT_TRUE(full.add(std::string_view("a"), stat));
    EXPECT_EQ(u32(memory, 64), reparse_tag::symlink);
    DirectoryWriter extended = writer(FileInfoClass::id_extd_directory, memory);
    ASSERT_TRUE(extended.add(std::string_view("a"), stat));
    EXPECT_EQ(u32(memory, 64), 7U);
    EXPECT_EQ(u32(memory, 68), reparse_tag::symlink);
}

TEST(DirectoryWriter, EntriesAreChainedAndAligned) {
    std::vector<std::byte> memory(1024, std::byte{0xEE});
    DirectoryWriter list = writer(FileInfoClass::both_directory, memory);
    const std::string_view names[] = {"a", "abc", "abcdefgh"};
    for (const std::string_view each : names) ASSERT_TRUE(list.add(each, some_stat()));
    EXPECT_EQ(list.count(), 3U);
    const Bytes answer = Bytes(memory).first(list.size());
    wire::NextListReader reader(answer, 8, 10);
    Bytes entry;
    for (const std::string_view each : names) {
        ASSERT_TRUE(reader.next(entry));
        EXPECT_EQ((entry.data() - answer.data()) % 8, 0);
        const std::size_t name_length = u32(entry, 60);
        EXPECT_EQ(name_length, each.size() * 2);
        EXPECT_EQ(to_hex(entry.subspan(94, name_length)), to_hex(utf16(each)));
        for (const std::byte pad : entry.subspan(94 + name_length)) EXPECT_EQ(pad, std::byte{0});
    }
    EXPECT_FALSE(reader.next(entry));
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(list.size(), static_cast<std::size_t>(entry.data() - answer.data()) + 94 + 16);
}

// What does not fit changes nothing, at any size of the buffer.
TEST(DirectoryWriter, EntryThatDoesNotFitIsLeftForTheNextCall) {
    for (std::size_t size = 94; size < 330; ++size) {
        std::vector<std::byte> memory(size, std::byte{0xEE});
        memory.shrink_to_fit();
        DirectoryWriter list = writer(FileInfoClass::both_directory, memory);
        while (list.add(std::string_view("name"), some_stat())) {
        }
        // Entries of 102 bytes, each but the last padded to 104.
        EXPECT_EQ(list.count(), (size + 2) / 104) << size;
        const std::size_t expected = list.count() == 0 ? 0 : list.count() * 104 - 2;
        EXPECT_EQ(list.size(), expected) << size;
        if (list.count() > 0) {
            EXPECT_EQ(u32(memory, (list.count() - 1) * 104), 0U) << size;
        }
        // A shorter name may still fit.
        const std::size_t start = list.empty() ? 0 : list.count() * 104;
        EXPECT_EQ(list.add(std::u16string_view(u"n"), some_stat()), start + 96 <= size) << size;
    }
}

TEST(DirectoryWriter, BuffersThatHoldNoEntry_MS_SMB2_3_3_5_18) {
    std::vector<std::byte> memory(64);
    const auto create = [&](FileInfoClass info_class, std::size_t size) {
        return DirectoryWriter::create(static_cast<std::uint8_t>(info_class),
                                       MutableBytes(memory).first(size));
    };
    EXPECT_TRUE(create(FileInfoClass::directory, 64));
    ASSERT_FALSE(create(FileInfoClass::directory, 63));
    EXPECT_EQ(create(FileInfoClass::directory, 63).error(), NtStatus::INFO_LENGTH_MISMATCH);
    EXPECT_EQ(create(FileInfoClass::id_both_directory, 64).error(), NtStatus::INFO_LENGTH_MISMATCH);
    EXPECT_EQ(create(FileInfoClass::basic, 64).error(), NtStatus::INVALID_INFO_CLASS);
    EXPECT_EQ(DirectoryWriter::create(99, memory).error(), NtStatus::INVALID_INFO_CLASS);
}

TEST(DirectoryWriter, NamesOutsideAscii) {
    const auto written = [](std::string_view utf8) {
        std::vector<std::byte> memory(256);
        DirectoryWriter list = writer(FileInfoClass::names, memory);
        EXPECT_TRUE(list.add(utf8, some_stat()));
        EXPECT_EQ(u32(memory, 8), list.size() - 12);
        return to_hex(Bytes(memory).subspan(12, list.size() - 12));
    };
    EXPECT_EQ(written("\xC3\xA4"), "e400");
    EXPECT_EQ(written("\xE2\x82\xAC"), "ac20");
    EXPECT_EQ(written("\xF0\x9F\x98\x80"), "3dd800de");          // a surrogate pair
    EXPECT_EQ(written("\xED\xA0\x80"), "00d8");                  // a lone one, WTF-8
    EXPECT_EQ(written("a\xFF\x62"), "6100fdff6200");             // malformed
    EXPECT_EQ(written("\xE2\x82"), "fdfffdff");                  // cut
    EXPECT_EQ(written("\xC0\xAF"), "fdfffdff");                  // overlong
    EXPECT_EQ(written("\xF4\x90\x80\x80"), "fdfffdfffdfffdff");  // beyond U+10FFFF
}

}  // namespace smb3d::fscc
