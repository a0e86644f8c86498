#include "fsa/path.h"

#include <gtest/gtest.h>

#include "base/utf16.h"

namespace smb3d::fsa {
namespace {

Result<ParsedName> parse(std::u16string_view text,
                         LeadingSeparator leading = LeadingSeparator::refused) {
    const std::vector<std::byte> bytes = utf16le_bytes(text);
    return parse_name(bytes, leading);
}
std::string path_of(std::u16string_view text) {
    const auto name = parse(text);
    return name ? name->path : std::string(status_name(name.error()));
}
NtStatus error_of(std::u16string_view text) {
    const auto name = parse(text);
    return name ? NtStatus::SUCCESS : name.error();
}

TEST(Path, MsSmb2_3_3_5_9_OrdinaryNames) {
    EXPECT_EQ(path_of(u""), "");
    EXPECT_EQ(path_of(u"a"), "a");
    EXPECT_EQ(path_of(u"Dir\\Sub dir\\file.txt"), "Dir/Sub dir/file.txt");
    EXPECT_EQ(path_of(u"\u00e4\u4e16\U0001F600"), "\u00e4\u4e16\U0001F600");
    EXPECT_EQ(path_of(u"..."), "...");
    EXPECT_EQ(path_of(u".hidden"), ".hidden");
    EXPECT_EQ(path_of(u"trailing. "), "trailing. ");
    const auto name = parse(u"dir\\");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->path, "dir");
    EXPECT_TRUE(name->must_be_directory);
}

TEST(Path, MsSmb2_3_3_5_9_LeadingSeparator) {
    EXPECT_EQ(error_of(u"\\a"), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(error_of(u"\\"), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(parse(u"\\a\\b", LeadingSeparator::skipped)->path, "a/b");
    EXPECT_EQ(parse(u"\\", LeadingSeparator::skipped)->path, "");
    EXPECT_FALSE(parse(u"\\\\a", LeadingSeparator::skipped));
}

TEST(Path, MsFscc_2_1_5_WhatIsNotAName) {
    for (const char16_t unit : std::u16string_view(u"\"*<>?|\x01\x1f")) {
        EXPECT_EQ(error_of(std::u16string(u"a") + unit), NtStatus::OBJECT_NAME_INVALID)
            << int(unit);
        EXPECT_EQ(error_of(unit + std::u16string(u"\\b")), NtStatus::OBJECT_NAME_INVALID);
    }
    EXPECT_EQ(error_of(std::u16string_view(u"a\0b", 3)), NtStatus::OBJECT_NAME_INVALID);
    for (const char16_t* name : {u".", u"a\\.\\b", u"a\\\\b", u"a\\\\"}) {
        EXPECT_EQ(error_of(name), NtStatus::OBJECT_NAME_INVALID) << utf16_to_utf8(name);
    }
    for (const char16_t* name : {u"..", u"a\\..", u"a\\..\\b", u"..\\etc", u"a/../b"}) {
        EXPECT_EQ(error_of(name), NtStatus::OBJECT_PATH_SYNTAX_BAD) << utf16_to_utf8(name);
    }
    EXPECT_EQ(error_of(std::u16string(255, u'x')), NtStatus::SUCCESS);
    EXPECT_EQ(error_of(std::u16string(256, u'x')), NtStatus::OBJECT_NAME_INVALID);
    std::u16string deep;
    while (deep.size() < 32767) deep += u"x\\";
    deep.resize(32767);
    EXPECT_EQ(error_of(deep), NtStatus::SUCCESS);
    EXPECT_EQ(error_of(deep + u'x'), NtStatus::OBJECT_NAME_INVALID);
    const std::vector<std::byte> odd(3, std::byte{0x41});
    EXPECT_EQ(parse_name(odd).error(), NtStatus::INVALID_PARAMETER);
}

TEST(Path, UnpairedSurrogatesSurvive) {
    const std::u16string lone = {u'a', char16_t(0xD800), u'b'};
    const auto name = parse(lone);
    ASSERT_TRUE(name);
    EXPECT_EQ(utf8_to_utf16(name->path), lone);
}

TEST(Path, MsFscc_2_1_5_3_Streams) {
    const auto named = parse(u"d\\f:s");
    ASSERT_TRUE(named);
    EXPECT_EQ(named->path, "d/f");
    EXPECT_EQ(named->stream, "s");
    EXPECT_TRUE(named->has_stream);

    const auto typed = parse(u"f:s:$data");
    ASSERT_TRUE(typed);
    EXPECT_EQ(typed->stream, "s");

    const auto main = parse(u"f::$DATA");
    ASSERT_TRUE(main);
    EXPECT_EQ(main->path, "f");
    EXPECT_FALSE(main->has_stream);
    EXPECT_TRUE(main->stream_syntax);

    const auto of_root = parse(u":s");
    ASSERT_TRUE(of_root);
    EXPECT_EQ(of_root->path, "");
    EXPECT_TRUE(of_root->has_stream);

    const auto index = parse(u"d:$I30:$INDEX_ALLOCATION");
    ASSERT_TRUE(index);
    EXPECT_TRUE(index->index_stream);
    EXPECT_FALSE(index->has_stream);

    for (const char16_t* name :
         {u"f:", u"f::", u"f:s:", u"f:s:$BAD", u"f:s:$DATA:", u"f:a:b:c", u"d:s\\f", u"f:s\\",
          u"f:a/b", u"f:x:$INDEX_ALLOCATION", u"d\\:s"}) {
        EXPECT_EQ(error_of(name), NtStatus::OBJECT_NAME_INVALID) << utf16_to_utf8(name);
    }
    EXPECT_EQ(error_of(u"f:" + std::u16string(256, u's')), NtStatus::OBJECT_NAME_INVALID);
    // Wildcards are no wildcards in a stream's name.
    EXPECT_EQ(parse(u"f:a*b")->stream, "a*b");
}

TEST(Path, MsSmb_2_2_1_1_1_PreviousVersionToken) {
    const auto name = parse(u"@GMT-2024.01.31-23.59.59\\d\\f");
    ASSERT_TRUE(name);
    EXPECT_TRUE(name->previous_version);
    EXPECT_FALSE(parse(u"@GMT-2024.01.31-23.59.5\\f")->previous_version);
    EXPECT_FALSE(parse(u"@GMT-2024.01.31-23.59.5x\\f")->previous_version);
}

TEST(Path, Helpers) {
    EXPECT_EQ(parent_path("a/b/c"), "a/b");
    EXPECT_EQ(parent_path("a"), "");
    EXPECT_EQ(last_component("a/b/c"), "c");
    EXPECT_EQ(last_component("a"), "a");
    EXPECT_TRUE(is_below("a/b", "a"));
    EXPECT_TRUE(is_below("a", ""));
    EXPECT_FALSE(is_below("", ""));
    EXPECT_FALSE(is_below("a", "a"));
    EXPECT_FALSE(is_below("ab/c", "a"));
    EXPECT_EQ(to_backslashes("a/b"), "\\a\\b");
    EXPECT_EQ(to_backslashes(""), "\\");
}

}  // namespace
}  // namespace smb3d::fsa
