// dir_cache.h: what it answers, and when it must say that it does not know.
#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "vfs_posix/dir_cache.h"

namespace smb3d::vfs_posix {
namespace {

using Kind = DirCache::Answer::Kind;

std::string lower(std::string_view name) {
    std::string out(name);
    for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return out;
}

constexpr DirKey key{1, 2};

class DirCacheTest : public ::testing::Test {
  protected:
    // As if the directory had been read, long after its last change.
    void install(const DirKey& of, const DirStamp& stamp, const std::vector<std::string>& names) {
        cache.begin_scan(of);
        NameTable table;
        for (const auto& name : names) table.add(cache.hash_of_disk_name(name), name);
        cache.end_scan(of, stamp, std::move(table), 1000);
    }
    DirCache cache{&lower, true, 1 << 20};
};

TEST_F(DirCacheTest, AnswersByStamp) {
    EXPECT_EQ(cache.find(key, {1, 1}, "x").kind, Kind::unknown);
    install(key, {1, 1}, {"Name", "Other"});
    EXPECT_EQ(cache.find(key, {1, 1}, "nAME").name, "Name");
    EXPECT_EQ(cache.find(key, {1, 1}, "missing").kind, Kind::absent);
    EXPECT_EQ(cache.find(key, {2, 2}, "name").kind, Kind::unknown);
    EXPECT_EQ(cache.find(key, {1, 2}, "missing").kind, Kind::unknown);
    EXPECT_EQ(cache.find({1, 3}, {1, 1}, "name").kind, Kind::unknown);
}

TEST_F(DirCacheTest, OwnChangesKeepItRight) {
    install(key, {1, 1}, {"Name"});
    EXPECT_TRUE(cache.begin(key, {1, 1}));
    const DirCache::Change changes[] = {{true, "New"}, {false, "Name"}};
    EXPECT_EQ(cache.find(key, {2, 2}, "name").kind, Kind::present);  // while it is under way
    cache.end(key, true, {3, 3}, changes, 2);
    EXPECT_EQ(cache.find(key, {3, 3}, "new").name, "New");
    EXPECT_EQ(cache.find(key, {3, 3}, "NAME").kind, Kind::absent);
    EXPECT_EQ(cache.find(key, {4, 4}, "new").kind, Kind::unknown);
}

TEST_F(DirCacheTest, ForeignChangeBeforeAnOwnOneIsSeen) {
    install(key, {1, 1}, {"Name"});
    EXPECT_TRUE(cache.begin(key, {2, 2}));  // it was {1, 1}: somebody else changed it
    const DirCache::Change change{true, "New"};
    cache.end(key, true, {3, 3}, &change, 1);
    EXPECT_EQ(cache.find(key, {3, 3}, "missing").kind, Kind::unknown);
}

TEST_F(DirCacheTest, ChangesDuringAScanAreNotLost) {
    cache.begin_scan(key);
    NameTable seen;  // read before the change
    seen.add(cache.hash_of_disk_name("Old"), "Old");
    const bool begun = cache.begin(key, {1, 1});
    const DirCache::Change changes[] = {{true, "New"}, {false, "Old"}};
    cache.end(key, begun, {2, 2}, changes, 2);
    cache.end_scan(key, {1, 1}, std::move(seen), 1000);
    EXPECT_EQ(cache.find(key, {2, 2}, "new").name, "New");
    EXPECT_EQ(cache.find(key, {2, 2}, "old").kind, Kind::absent);
}

TEST_F(DirCacheTest, NamesThatDifferInCaseLiveSideBySide) {
    install(key, {1, 1}, {"name", "NAME"});
    EXPECT_TRUE(cache.begin(key, {1, 1}));
    const DirCache::Change change{false, "name"};
    cache.end(key, true, {2, 2}, &change, 1);
    EXPECT_EQ(cache.find(key, {2, 2}, "Name").name, "NAME");
}

TEST_F(DirCacheTest, MappedNamesAreFoundByTheClientsForm) {
    install(key, {1, 1}, {"A:b", "lit\uF022eral"});
    EXPECT_EQ(cache.find(key, {1, 1}, "a\uF022B").name, "A:b");
    EXPECT_EQ(cache.find(key, {1, 1}, "LIT\uF022ERAL").name, "lit\uF022eral");
}

TEST_F(DirCacheTest, MemoryIsBounded) {
    std::vector<std::string> names;
    for (int i = 0; i < 2000; ++i) names.push_back(fmt::format("some-longer-name-{}", i));
    for (std::uint64_t inode = 0; inode < 64; ++inode) install({9, inode << 32U}, {1, 1}, names);
    EXPECT_LT(cache.bytes(), std::size_t{4} << 20);
    EXPECT_EQ(cache.find({9, std::uint64_t{63} << 32U}, {1, 1}, names[7]).kind, Kind::present);
    EXPECT_EQ(cache.find({9, 0}, {1, 1}, names[7]).kind, Kind::unknown);
}

TEST(NameTableTest, ManyAddsAndRemoves) {
    NameTable table;
    const auto hash = [](int i) { return static_cast<std::uint32_t>(i % 97); };
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 1000; ++i) table.add(hash(i), fmt::format("n{}", i));
        for (int i = 0; i < 1000; i += 2) table.remove(hash(i), fmt::format("n{}", i));
    }
    EXPECT_EQ(table.size(), 500U);
    EXPECT_LT(table.bytes(), 200'000U);
    for (int i = 0; i < 1000; ++i) {
        const std::string name = fmt::format("n{}", i);
        const auto found = table.find(hash(i), [&](std::string_view at) { return at == name; });
        EXPECT_EQ(!found.empty(), i % 2 == 1) << name;
    }
}

}  // namespace
}  // namespace smb3d::vfs_posix
