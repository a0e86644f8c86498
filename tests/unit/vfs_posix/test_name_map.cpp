// name_map.h: both directions, one to one.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vfs_posix/name_map.h"

namespace smb3d::vfs_posix {
namespace {

using Pair = std::pair<std::string, std::string>;  // on disk, to clients

TEST(NameMap, KnownForms) {
    const std::vector<Pair> pairs{
        {"plain.txt", "plain.txt"},
        {".hidden", ".hidden"},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"a:b", "a\uF022b"},
        {"\"*:<>?\\|", "\uF020\uF021\uF022\uF023\uF024\uF025\uF026\uF027"},
        {"tab\there\x1f", "tab\uF009here\uF01F"},
        {"dot.", "dot\uF029"},
        {"dots..", "dots.\uF029"},
        {"space ", "space\uF028"},
        {" .x", " .x"},
        {"...", "..\uF029"},
        {"\xFF", "\xED\xB3\xBF"},
        {"a\x80z", "a\xED\xB2\x80z"},
        {"\xC3", "\xED\xB3\x83"},
        {"\xC0\xAF", "\xED\xB3\x80\xED\xB2\xAF"},  // overlong
        {"\xED\xA0\x80", "\xED\xA0\x80"},          // U+D800 alone: WTF-8
        {"\xED\xA0\x80x", "\xED\xA0\x80x"},
        {"\xED\xB4\x80", "\xED\xB4\x80"},                          // U+DD00 alone
        {"\xED\xB2\x80", "\xED\xB3\xAD\xED\xB2\xB2\xED\xB2\x80"},  // U+DC80 as such: bytewise
        {"mid\uF029dle", "mid\uF029dle"},
    };
    for (const auto& [disk, client] : pairs) {
        EXPECT_EQ(to_client(disk), client) << disk;
        EXPECT_EQ(to_disk(client), disk) << disk;
        EXPECT_EQ(maps_to_itself(disk),
                  disk == client && disk[0] != '\xED' && disk.find("\uF029") == std::string::npos)
            << disk;
    }
}

TEST(NameMap, RefusesWhatMustNotReachTheDisk) {
    for (const std::string& name :
         {std::string(), std::string("."), std::string(".."), std::string("a/b"),
          std::string("a\0b", 3), std::string("\uF029"), std::string(".\uF029"),
          std::string("\xC3"), std::string("\xFF"),
          std::string("\xED\xB3\x83\xED\xB2\xA4")}) {  // escaped bytes that spell a valid character
        EXPECT_FALSE(to_disk(name)) << name;
    }
}

TEST(NameMap, EveryShortNameRoundTrips) {
    // All names of up to three bytes from what makes decoders stumble.
    const std::string alphabet("a.: \x01\x7F\x80\xBF\xC3\xED\xA0\xB2\xEF\x82\xA2\xF0\xFF");
    std::vector<std::string> names{""};
    for (int length = 0; length < 4; ++length) {
        std::vector<std::string> longer;
        for (const std::string& name : names) {
            for (const char c : alphabet) longer.push_back(name + c);
        }
        for (const std::string& name : longer) {
            if (name == "." || name == "..") continue;
            const std::string client = to_client(name);
            // A literal private-use character is the one thing that is not told apart (name_map.h's
            // users search for it).
            if (name.find("\xEF\x80") != std::string::npos) continue;
            ASSERT_EQ(to_disk(client), name) << testing::PrintToString(name);
        }
        if (length < 3) names = std::move(longer);
    }
}

TEST(NameMap, Paths) {
    EXPECT_EQ(path_to_disk("a/b\uF022/c\uF029"), "a/b:/c.");
    EXPECT_EQ(path_to_client("a/b:/c."), "a/b\uF022/c\uF029");
    EXPECT_EQ(path_to_disk(""), "");
    for (const char* path : {"/a", "a/", "a//b", "a/../b", "..", "a/\uF029"}) {
        EXPECT_FALSE(path_to_disk(path)) << path;
    }
    EXPECT_TRUE(path_maps_to_itself("a/b/c"));
    EXPECT_TRUE(path_maps_to_itself(""));
    EXPECT_FALSE(path_maps_to_itself("a/../c"));
    EXPECT_FALSE(path_maps_to_itself("a/b:/c"));
}

}  // namespace
}  // namespace smb3d::vfs_posix
