#include "fsa/name_match.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "base/utf16.h"

namespace smb3d::fsa {
namespace {

bool match(std::u16string_view pattern, std::string_view name) {
    const auto expression = NameExpression::parse(pattern);
    return expression && expression->matches(name);
}

// [MS-FSA] 2.1.4.4 as it is written, by backtracking: right and slow.
bool reference(std::u16string_view p, std::u16string_view n, bool dot_ahead) {
    const auto later_dot = [&] { return n.substr(1).find(u'.') != std::u16string_view::npos; };
    if (p.empty()) return n.empty();
    const auto rest = p.substr(1);
    switch (p[0]) {
        case u'*':
            return reference(rest, n, dot_ahead) ||
                   (!n.empty() && reference(p, n.substr(1), dot_ahead));
        case u'<':
            if (reference(rest, n, dot_ahead)) return true;
            if (n.empty() || (n[0] == u'.' && !later_dot())) return false;
            return reference(p, n.substr(1), dot_ahead);
        case u'>':
            if (n.empty() || n[0] == u'.') return reference(rest, n, dot_ahead);
            return reference(rest, n.substr(1), dot_ahead);
        case u'"':
            if (n.empty()) return reference(rest, n, dot_ahead);
            return n[0] == u'.' && reference(rest, n.substr(1), dot_ahead);
        case u'?':
            return !n.empty() && reference(rest, n.substr(1), dot_ahead);
        default:
            return !n.empty() && n[0] == p[0] && reference(rest, n.substr(1), dot_ahead);
    }
}

TEST(NameExpression, MsFsa_2_1_4_4_AgreesWithTheReference) {
    std::mt19937 random(7);
    const std::u16string_view pattern_letters = u"AB.*?<>\"*<";
    const std::u16string_view name_letters = u"AB..";
    int matched = 0;
    for (int i = 0; i < 200000; ++i) {
        std::u16string pattern;
        std::u16string name;
        for (auto n = 1 + random() % 7; n > 0; --n) {
            pattern += pattern_letters[random() % pattern_letters.size()];
        }
        for (auto n = random() % 7; n > 0; --n)
            name += name_letters[random() % name_letters.size()];
        const auto expression = NameExpression::parse(pattern);
        ASSERT_TRUE(expression);
        const bool expected = reference(pattern, name, false);
        matched += expected ? 1 : 0;
        ASSERT_EQ(expression->matches_utf16(name), expected)
            << utf16_to_utf8(pattern) << " | " << utf16_to_utf8(name);
    }
    EXPECT_GT(matched, 20000);
}

TEST(NameExpression, PlainWildcards) {
    EXPECT_TRUE(match(u"*", "anything"));
    EXPECT_TRUE(match(u"*.txt", "A.TXT"));
    EXPECT_TRUE(match(u"*.TXT", "a.b.txt"));
    EXPECT_FALSE(match(u"*.txt", "a.txt2"));
    EXPECT_TRUE(match(u"a?c", "AbC"));
    EXPECT_FALSE(match(u"a?c", "ac"));
    EXPECT_TRUE(match(u"t*-*.txt", "t1-2.txt"));
    // Only clients turn *.* into *.
    EXPECT_TRUE(match(u"*.*", "a.b"));
    EXPECT_FALSE(match(u"*.*", "ab"));
}

TEST(NameExpression, DosWildcards) {
    // "dir *." and "dir ????????.???" as clients send them.
    EXPECT_TRUE(match(u"<", "noextension"));
    EXPECT_FALSE(match(u"<", "with.extension"));
    EXPECT_TRUE(match(u"<\"*", "a.b.c"));
    EXPECT_TRUE(match(u"<\"*", "abc"));
    EXPECT_TRUE(match(u"<.txt", "a.b.txt"));
    EXPECT_TRUE(match(u">>>>>>>>\">>>", "short.c"));
    EXPECT_TRUE(match(u">>>>>>>>\">>>", "short"));
    EXPECT_FALSE(match(u">>>>>>>>\">>>", "muchlonger.c"));
    EXPECT_TRUE(match(u"foo\"", "foo"));
    EXPECT_TRUE(match(u"foo\"", "foo."));
    EXPECT_FALSE(match(u"foo\"", "foox"));
}

TEST(NameExpression, CaseAndUnicode) {
    EXPECT_TRUE(match(u"\u00c4*", "\u00e4pfel"));
    EXPECT_TRUE(match(u"\u00e4pfel", "\u00c4PFEL"));
    EXPECT_FALSE(match(u"a", "\u00e4"));
    EXPECT_TRUE(match(u"??", "\U0001F600"));  // two UTF-16 units
    EXPECT_FALSE(match(u"?", "\U0001F600"));
    EXPECT_FALSE(match(u"?", "\xff\xfe"));  // not UTF-8: matches nothing but "*"
}

TEST(NameExpression, Kinds) {
    EXPECT_TRUE(NameExpression().matches_all());
    EXPECT_TRUE(NameExpression::parse(u"***")->matches_all());
    const auto literal = NameExpression::parse(u"File.Txt");
    ASSERT_TRUE(literal);
    EXPECT_TRUE(literal->is_literal());
    EXPECT_EQ(literal->literal(), "File.Txt");
    EXPECT_TRUE(literal->matches("FILE.TXT"));
    EXPECT_FALSE(NameExpression::parse(u""));
    EXPECT_FALSE(NameExpression::parse(u"a\\b"));
    EXPECT_FALSE(NameExpression::parse(u"a/b"));
    EXPECT_FALSE(NameExpression::parse(std::u16string_view(u"a\0", 2)));
    EXPECT_TRUE(NameExpression::parse(std::u16string(1024, u'a')));
    EXPECT_FALSE(NameExpression::parse(std::u16string(1025, u'a')));
    EXPECT_TRUE(has_wildcards(u"a<"));
    EXPECT_TRUE(has_wildcards("a\""));
    EXPECT_FALSE(has_wildcards("a.b"));
}

TEST(NameExpression, HostilePatternTakesNoLongTime) {
    std::u16string pattern;
    while (pattern.size() < 1000) pattern += u"*a";
    pattern += u"b";
    const std::string name(255, 'a');
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(match(pattern, name));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

}  // namespace
}  // namespace smb3d::fsa
