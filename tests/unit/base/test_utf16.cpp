#include "base/utf16.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "base/upcase_table.h"

namespace smb3d {
namespace {

std::string lone(char16_t unit) { return utf16_to_utf8(std::u16string_view(&unit, 1)); }

TEST(Utf16, RoundTripOfEveryUnitAlone) {
    for (unsigned unit = 0; unit < 0x10000; ++unit) {
        const std::u16string text{u'a', static_cast<char16_t>(unit), u'z'};
        const std::string narrow = utf16_to_utf8(text);
        const auto wide = utf8_to_utf16(narrow);
        ASSERT_TRUE(wide) << unit;
        ASSERT_EQ(*wide, text) << unit;
        ASSERT_EQ(utf16_length(narrow), 3U) << unit;
    }
}

TEST(Utf16, PairsAreOneFourByteForm) {
    const std::u16string text = u"\U0001F600x\U0010FFFF";
    const std::string narrow = utf16_to_utf8(text);
    EXPECT_EQ(narrow, "\xF0\x9F\x98\x80x\xF4\x8F\xBF\xBF");
    EXPECT_EQ(utf8_to_utf16(narrow), text);
    EXPECT_EQ(utf16_length(narrow), 5U);
}

TEST(Utf16, LoneSurrogatesBecomeWtf8) {
    EXPECT_EQ(lone(0xD800), "\xED\xA0\x80");
    EXPECT_EQ(lone(0xDFFF), "\xED\xBF\xBF");
    const std::u16string reversed{0xDC00, 0xD800};
    EXPECT_EQ(utf8_to_utf16(utf16_to_utf8(reversed)), reversed);
    const std::u16string high_at_end{u'a', 0xD83D};
    EXPECT_EQ(utf8_to_utf16(utf16_to_utf8(high_at_end)), high_at_end);
    // Two names that would be the same on the wire must not both exist.
    EXPECT_FALSE(utf8_to_utf16("\xED\xA0\xBD\xED\xB8\x80"));
}

TEST(Utf16, RefusesMalformedUtf8) {
    for (const char* text : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x80\x80", "\xE0\x9F\xBF",
                             "\xE2\x82", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                             "\xF5\x80\x80\x80", "\xFF", "abcdefgh\xFE", "a\xE2\x28\xA1"}) {
        EXPECT_FALSE(utf8_to_utf16(text)) << text;
    }
}

TEST(Utf16, OddNumberOfBytes) {
    const std::byte bytes[3] = {std::byte{'a'}, std::byte{0}, std::byte{'b'}};
    EXPECT_FALSE(utf16le_to_utf8(bytes));
    EXPECT_EQ(utf16le_to_utf8(Bytes(bytes).first(2)), "a");
    EXPECT_EQ(utf16le_to_utf8({}), "");
}

TEST(Utf16, WireFormIsLittleEndian) {
    const auto bytes = utf16le_bytes(u"a\u20AC");
    const std::vector<std::byte> expected{std::byte{'a'}, std::byte{0}, std::byte{0xAC},
                                          std::byte{0x20}};
    EXPECT_EQ(bytes, expected);
    EXPECT_TRUE(utf16le_bytes({}).empty());
}

// The fast path and the general one must agree wherever the first other character stands.
TEST(Utf16, OtherCharacterAtEachPlace) {
    for (std::size_t length = 1; length < 40; ++length) {
        for (std::size_t at = 0; at < length; ++at) {
            std::u16string text(length, u'q');
            text[at] = u'\u00E9';
            const std::string narrow = utf16_to_utf8(text);
            ASSERT_EQ(narrow.size(), length + 1);
            ASSERT_EQ(utf8_to_utf16(narrow), text);
            ASSERT_EQ(utf16_length(narrow), length);
            std::u16string upper(length, u'Q');
            upper[at] = u'\u00C9';
            ASSERT_EQ(fold_name(narrow), utf16_to_utf8(upper));
        }
    }
}

TEST(Utf16, RandomUnitsSurvive) {
    std::mt19937 random(1);
    for (int i = 0; i < 3000; ++i) {
        std::u16string text(random() % 20, u' ');
        for (char16_t& unit : text) {
            const unsigned kind = random() % 4;
            unit = static_cast<char16_t>(kind == 0   ? 0xD800 + random() % 0x800
                                         : kind == 1 ? random() % 0x80
                                                     : random() % 0x10000);
        }
        const auto back = utf8_to_utf16(utf16_to_utf8(text));
        ASSERT_TRUE(back);
        ASSERT_EQ(*back, text);
    }
}

// Values of the up-case table in Microsoft's exFAT specification, 7.2.5.1, which is Windows' table
// of that time.
TEST(Upcase, AgreesWithWindows) {
    const std::pair<char16_t, char16_t> rows[] = {
        {u'a', u'A'},     {u'z', u'Z'},     {u'{', u'{'},     {u'@', u'@'},     {0x00E0, 0x00C0},
        {0x00F7, 0x00F7}, {0x00FE, 0x00DE}, {0x00FF, 0x0178}, {0x00B5, 0x00B5}, {0x00DF, 0x00DF},
        {0x0101, 0x0100}, {0x0130, 0x0130}, {0x0131, 0x0131}, {0x0133, 0x0132}, {0x0138, 0x0138},
        {0x013A, 0x0139}, {0x0149, 0x0149}, {0x017E, 0x017D}, {0x017F, 0x017F}, {0x0180, 0x0243},
        {0x0195, 0x01F6}, {0x019A, 0x023D}, {0x01C5, 0x01C5}, {0x01C6, 0x01C4}, {0x01C8, 0x01C8},
        {0x01DD, 0x018E}, {0x01F0, 0x01F0}, {0x01F2, 0x01F2}, {0x01F3, 0x01F1}, {0x023C, 0x023B},
        {0x0253, 0x0181}, {0x0259, 0x018F}, {0x026B, 0x2C62}, {0x0292, 0x01B7}, {0x0345, 0x0345},
        {0x037B, 0x03FD}, {0x0390, 0x0390}, {0x03AC, 0x0386}, {0x03B1, 0x0391}, {0x03C2, 0x03A3},
        {0x03C3, 0x03A3}, {0x03CE, 0x038F}, {0x03D0, 0x03D0}, {0x03D1, 0x03D1}, {0x03D5, 0x03D5},
        {0x03F0, 0x03F0}, {0x03F2, 0x03F9}, {0x0430, 0x0410}, {0x0450, 0x0400}, {0x045F, 0x040F},
        {0x0481, 0x0480}, {0x04C2, 0x04C1}, {0x04CF, 0x04C0}, {0x0561, 0x0531}, {0x0586, 0x0556},
        {0x0587, 0x0587}, {0x10D0, 0x10D0}, {0x1D7D, 0x2C63}, {0x1E01, 0x1E00}, {0x1E96, 0x1E96},
        {0x1E9B, 0x1E9B}, {0x1EA1, 0x1EA0}, {0x1F00, 0x1F08}, {0x1F51, 0x1F59}, {0x4E00, 0x4E00},
        {0xFF41, 0xFF21}, {0xD800, 0xD800}, {0xFFFF, 0xFFFF},
    };
    for (const auto& [from, to] : rows) {
        EXPECT_EQ(static_cast<unsigned>(upcase(from)), static_cast<unsigned>(to))
            << std::hex << static_cast<unsigned>(from);
    }
}

TEST(Upcase, IsStableAndGoesBack) {
    unsigned mapped = 0;
    for (unsigned i = 0; i < 0x10000; ++i) {
        const auto unit = static_cast<char16_t>(i);
        const char16_t upper = upcase(unit);
        ASSERT_EQ(upcase(upper), upper) << i;
        ASSERT_EQ(upcase(downcase(unit)), upper) << i;
        if (upper == unit) continue;
        ++mapped;
        if (i != 0x03C2) {
            ASSERT_EQ(downcase(upper), unit) << i;
        }
    }
    EXPECT_GT(mapped, 900U);
    EXPECT_LT(mapped, 1300U);
    EXPECT_EQ(upcase(std::u16string_view(u"Straße")), u"STRAßE");
}

TEST(FoldName, EqualIffFoldedFormsAreEqual) {
    const char* names[] = {"",
                           "readme.txt",
                           "README.TXT",
                           "readme.tx",
                           "r\xC3\xA9sum\xC3\xA9",
                           "R\xC3\x89SUM\xC3\x89",
                           "\xCF\x82",
                           "\xCE\xA3",
                           "\xCF\x83",
                           "\xF0\x90\x90\xA8",  // Deseret: beyond the BMP nothing is folded
                           "\xF0\x90\x90\x80",
                           "\xED\xA0\x80",
                           "\xC3",
                           "\xE9",
                           "\xC9",
                           "\xE2\x84\xAA",  // Kelvin sign is its own upper case
                           "k",
                           "K",
                           "a\xC3",
                           "A\xC3"};
    for (const char* a : names) {
        for (const char* b : names) {
            EXPECT_EQ(equal_folded(a, b), fold_name(a) == fold_name(b)) << a << " " << b;
        }
    }
    EXPECT_TRUE(equal_folded("Report (1).DOCX", "report (1).docx"));
    EXPECT_TRUE(equal_folded("\xCF\x82", "\xCF\x83"));
    EXPECT_FALSE(equal_folded("k", "\xE2\x84\xAA"));
    EXPECT_FALSE(equal_folded("\xE9", "\xC9"));
    EXPECT_EQ(fold_name(fold_name("r\xC3\xA9sum\xC3\xA9")), fold_name("r\xC3\xA9sum\xC3\xA9"));
}

TEST(FoldName, RandomBytesAgree) {
    std::mt19937 random(3);
    const std::string_view alphabet = "aA\xC3\xA9\x89\xE2\x84\xAA\xED\xA0\x80\xF0\x9F";
    for (int i = 0; i < 20'000; ++i) {
        std::string a(random() % 6, 'a');
        std::string b(random() % 6, 'a');
        for (char& c : a) c = alphabet[random() % alphabet.size()];
        for (char& c : b) c = alphabet[random() % alphabet.size()];
        ASSERT_EQ(equal_folded(a, b), fold_name(a) == fold_name(b));
        ASSERT_EQ(fold_name(fold_name(a)), fold_name(a));
    }
}

}  // namespace
}  // namespace smb3d
