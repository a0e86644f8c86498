// Information classes and FSCTL payloads: sizes, field order, lists.
#include <gtest/gtest.h>

#include "fscc/attributes.h"
#include "fscc/structure_list.h"
#include "unit/wire/hex.h"

namespace smb3d::fscc {

namespace {

using wire::built_size;
using wire::test::hex;
using wire::test::to_hex;
using wire::test::utf16;

const InfoClassRow& row(FileInfoClass info_class) {
    return *find_file_info_class(static_cast<std::uint8_t>(info_class));
}
const InfoClassRow& row(FsInfoClass info_class) {
    return *find_fs_info_class(static_cast<std::uint8_t>(info_class));
}

// The C structure's size: with a one-character name, and aligned.
template <class T>
std::size_t size_in_c(std::size_t alignment) {
    return (built_size(T{}) + sizeof(char16_t) + alignment - 1) / alignment * alignment;
}

}  // namespace

TEST(InfoClass, QuerySizesOfFixedClasses) {
    EXPECT_EQ(row(FileInfoClass::basic).query_size, built_size(FileBasicInformation{}));
    EXPECT_EQ(row(FileInfoClass::standard).query_size, built_size(FileStandardInformation{}));
    EXPECT_EQ(row(FileInfoClass::internal).query_size, built_size(FileInternalInformation{}));
    EXPECT_EQ(row(FileInfoClass::ea).query_size, built_size(FileEaInformation{}));
    EXPECT_EQ(row(FileInfoClass::access).query_size, built_size(FileAccessInformation{}));
    EXPECT_EQ(row(FileInfoClass::position).query_size, built_size(FilePositionInformation{}));
    EXPECT_EQ(row(FileInfoClass::mode).query_size, built_size(FileModeInformation{}));
    EXPECT_EQ(row(FileInfoClass::alignment).query_size, built_size(FileAlignmentInformation{}));
    EXPECT_EQ(row(FileInfoClass::pipe).query_size, built_size(FilePipeInformation{}));
    EXPECT_EQ(row(FileInfoClass::pipe_local).query_size, built_size(FilePipeLocalInformation{}));
    EXPECT_EQ(row(FileInfoClass::compression).query_size, built_size(FileCompressionInformation{}));
    EXPECT_EQ(row(FileInfoClass::network_open).query_size,
              built_size(FileNetworkOpenInformation{}));
    EXPECT_EQ(row(FileInfoClass::attribute_tag).query_size,
              built_size(FileAttributeTagInformation{}));
    EXPECT_EQ(row(FileInfoClass::id).query_size, built_size(FileIdInformation{}));
    EXPECT_EQ(row(FileInfoClass::stat).query_size, built_size(FileStatInformation{}));
    EXPECT_EQ(row(FsInfoClass::size).query_size, built_size(FileFsSizeInformation{}));
    EXPECT_EQ(row(FsInfoClass::device).query_size, built_size(FileFsDeviceInformation{}));
    EXPECT_EQ(row(FsInfoClass::control).query_size, built_size(FileFsControlInformation{}));
    EXPECT_EQ(row(FsInfoClass::full_size).query_size, built_size(FileFsFullSizeInformation{}));
    EXPECT_EQ(row(FsInfoClass::object_id).query_size, built_size(FileFsObjectIdInformation{}));
    EXPECT_EQ(row(FsInfoClass::sector_size).query_size, built_size(FileFsSectorSizeInformation{}));
}

TEST(InfoClass, QuerySizesOfNamedClassesAreThoseOfTheCStructures) {
    EXPECT_EQ(row(FileInfoClass::all).query_size, size_in_c<FileAllInformation>(8));
    EXPECT_EQ(row(FileInfoClass::alternate_name).query_size, size_in_c<FileNameInformation>(4));
    EXPECT_EQ(row(FileInfoClass::stream).query_size, 32U);
    EXPECT_EQ(row(FsInfoClass::volume).query_size, size_in_c<FileFsVolumeInformation>(8));
    EXPECT_EQ(row(FsInfoClass::attribute).query_size, size_in_c<FileFsAttributeInformation>(4));
}

TEST(InfoClass, SetSizesSufficeToParse) {
    EXPECT_EQ(row(FileInfoClass::basic).set_size, built_size(FileBasicInformation{}));
    EXPECT_EQ(row(FileInfoClass::rename).set_size, built_size(FileRenameInformation{}));
    EXPECT_EQ(row(FileInfoClass::link).set_size, built_size(FileLinkInformation{}));
    EXPECT_EQ(row(FileInfoClass::rename_ex).set_size, built_size(FileRenameInformationEx{}));
    EXPECT_EQ(row(FileInfoClass::disposition).set_size, built_size(FileDispositionInformation{}));
    EXPECT_EQ(row(FileInfoClass::end_of_file).set_size, built_size(FileEndOfFileInformation{}));
    EXPECT_EQ(row(FileInfoClass::allocation).set_size, built_size(FileAllocationInformation{}));
    EXPECT_EQ(find_file_info_class(0), nullptr);
    EXPECT_EQ(find_file_info_class(30), nullptr);
    EXPECT_EQ(find_fs_info_class(0), nullptr);
    EXPECT_EQ(row(FileInfoClass::standard).set_size, 0U);
}

TEST(Info, FileRenameInformationForSmb2) {
    const auto bytes =
        hex("01 00000000000000 0000000000000000 04000000 61006200"
            "0000");  // padding behind is ignored
    const Result<FileRenameInformation> rename = wire::parse<FileRenameInformation>(bytes);
    ASSERT_TRUE(rename);
    EXPECT_EQ(rename->replace_if_exists, 1);
    EXPECT_EQ(rename->root_directory, 0U);
    EXPECT_EQ(to_hex(rename->file_name), "61006200");
    const auto longer = hex("00 00000000000000 0000000000000000 06000000 61006200");
    const auto refused = wire::parse<FileRenameInformation>(longer, NtStatus::INFO_LENGTH_MISMATCH);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), NtStatus::INFO_LENGTH_MISMATCH);
    EXPECT_FALSE(wire::parse<FileRenameInformation>(
        hex("00 00000000000000 0000000000000000 03000000 616263")));
}

TEST(Info, FileBasicInformation_2_4_7) {
    FileBasicInformation basic;
    basic.creation_time = 1;
    basic.last_access_time = 2;
    basic.last_write_time = 3;
    basic.change_time = 4;
    basic.file_attributes = file_attribute::hidden;
    EXPECT_EQ(to_hex(wire::to_bytes(basic)),
              "0100000000000000"
              "0200000000000000"
              "0300000000000000"
              "0400000000000000"
              "0200000000000000");
}

TEST(Info, FileAllInformation_2_4_2) {
    const std::vector<std::byte> name = utf16("\\a");
    FileAllInformation all;
    all.standard_information.number_of_links = 1;
    all.standard_information.directory = 1;
    all.internal_information.index_number = 9;
    all.access_information.access_flags = access::file_all;
    all.name_information.file_name = name;
    const std::vector<std::byte> bytes = wire::to_bytes(all);
    EXPECT_EQ(bytes.size(), 104U);
    EXPECT_EQ(to_hex(Bytes(bytes).subspan(56, 8)), "0100000000010000");
    EXPECT_EQ(to_hex(Bytes(bytes).subspan(64, 16)), "090000000000000000000000ff011f00");
    EXPECT_EQ(to_hex(Bytes(bytes).subspan(96)), "040000005c006100");
}

TEST(Info, FullEaList_2_4_16) {
    // "A"="xyz", then "B"=""
    const auto list =
        hex("10000000 00 01 0300 41 00 78797a 000000"
            "00000000 80 01 0000 42 00");
    wire::NextListReader reader(list, ea_alignment, max_eas);
    Bytes entry;
    ASSERT_TRUE(reader.next(entry));
    const auto first = wire::parse_entry<FileFullEaInformation>(entry);
    ASSERT_TRUE(first);
    EXPECT_EQ(to_hex(first->ea_name), "41");
    EXPECT_EQ(to_hex(first->ea_value), "78797a");
    ASSERT_TRUE(reader.next(entry));
    const auto second = wire::parse_entry<FileFullEaInformation>(entry);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->flags, ea_flag_need_ea);
    EXPECT_TRUE(second->ea_value.empty());
    EXPECT_FALSE(reader.next(entry));
    EXPECT_TRUE(reader.ok());
    // The value may not run into what follows, and the name has its terminator.
    EXPECT_FALSE(wire::parse_entry<FileFullEaInformation>(hex("00000000 00 01 0400 41 00 78797a")));
    EXPECT_FALSE(wire::parse_entry<FileFullEaInformation>(hex("00000000 00 01 0000 41 01")));
}

TEST(Info, StreamList) {
    std::vector<std::byte> out;
    wire::NextListWriter list(out, stream_alignment);
    const std::vector<std::byte> name = utf16("::$DATA");
    FileStreamInformation stream;
    stream.stream_size = 5;
    stream.stream_allocation_size = 4096;
    stream.stream_name = name;
    ASSERT_TRUE(list.add(stream));
    ASSERT_TRUE(list.add(stream));
    EXPECT_EQ(to_hex(Bytes(out).first(24)),
              "28000000"
              "0e000000"
              "0500000000000000"
              "0010000000000000");
    EXPECT_EQ(out.size(), 40U + 24U + 14U);
}

TEST(Info, NotifyRecords_2_7_1) {
    std::vector<std::byte> out;
    wire::NextListWriter list(out, notify_alignment);
    const std::vector<std::byte> name = utf16("x");
    ASSERT_TRUE(list.add(FileNotifyInformation{NotifyAction::renamed_old_name, name}));
    ASSERT_TRUE(list.add(FileNotifyInformation{NotifyAction::renamed_new_name, name}));
    EXPECT_EQ(to_hex(out),
              "10000000040000000200000078000000"
              "0000000005000000020000007800");
}

TEST(Info, NetworkInterface_MS_SMB2_2_2_32_5) {
    EXPECT_EQ(built_size(NetworkInterfaceInfo{}) + wire::next_size, 152U);
    NetworkInterfaceInfo info;
    info.if_index = 2;
    info.capability = NetworkInterfaceInfo::rss_capable;
    info.link_speed = 1000000000;
    info.sockaddr_storage.ipv4 = {192, 0, 2, 1};
    std::vector<std::byte> out;
    wire::NextListWriter list(out, network_interface_alignment);
    ASSERT_TRUE(list.add(info));
    EXPECT_EQ(to_hex(Bytes(out).first(32)),
              "00000000"
              "02000000"
              "01000000"
              "00000000"
              "00ca9a3b00000000"
              "02000000c0000201");
    info.sockaddr_storage.family = SockaddrStorage::inter_network_v6;
    EXPECT_EQ(built_size(info), built_size(NetworkInterfaceInfo{}));
}

TEST(Info, CopychunkBeyondTheLimitIsNotMalformed_MS_SMB2_3_3_5_15_6) {
    SrvCopychunkCopy copy;
    copy.chunks.resize(2);
    copy.chunks[1].length = 7;
    std::vector<std::byte> bytes = wire::to_bytes(copy);
    ASSERT_EQ(bytes.size(), 32U + 2 * 24U);
    const auto parsed = wire::parse<SrvCopychunkCopy>(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->chunk_count, 2U);
    EXPECT_EQ(parsed->chunks[1].length, 7U);
    bytes[24] = std::byte{3};
    EXPECT_FALSE(wire::parse<SrvCopychunkCopy>(bytes));
    bytes[27] = std::byte{0xFF};
    const auto too_many = wire::parse<SrvCopychunkCopy>(bytes);
    ASSERT_TRUE(too_many);
    EXPECT_GT(too_many->chunk_count, max_copychunks);
    EXPECT_TRUE(too_many->chunks.empty());
}

TEST(Info, FsctlNames) {
    EXPECT_EQ(fsctl_name(0x00140204), "validate_negotiate_info");
    EXPECT_EQ(fsctl_name(0x000900C4), "set_sparse");
    EXPECT_EQ(fsctl_name(1), "?");
    EXPECT_EQ(built_size(ValidateNegotiateInfoResponse{}), 24U);
    EXPECT_EQ(built_size(SrvRequestResumeKey{}), 32U);
    EXPECT_EQ(built_size(FileAllocatedRangeBuffer{}), allocated_range_size);
    EXPECT_EQ(built_size(FileObjectIdBuffer{}), 64U);
}

}  // namespace smb3d::fscc
