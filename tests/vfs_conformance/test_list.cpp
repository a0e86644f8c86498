// Listings: batches, filters, restarts, "." and "..", changes meanwhile.
#include <set>

#include <fmt/core.h>

#include "vfs_conformance/backends.h"

namespace smb3d::test {
namespace {

using vfs::FileKind;
using vfs::WantKind;

class SuffixFilter final : public vfs::NameFilter {
  public:
    explicit SuffixFilter(std::string suffix) : suffix_(std::move(suffix)) {}
    bool matches(std::string_view name) const override { return name.ends_with(suffix_); }

  private:
    std::string suffix_;
};

TEST_P(VfsConformance, DotAndDotDotComeFirst) {
    ASSERT_TRUE(ops().make_directory("d"));
    ASSERT_TRUE(ops().make_directory("d/e"));
    const vfs::FileId root = ops().stat_path("")->id;
    const vfs::FileId d = ops().stat_path("d")->id;
    struct Case {
        const char* path;
        vfs::FileId self;
        vfs::FileId parent;
    };
    for (const Case& c :
         {Case{"", root, root}, Case{"d", d, root}, Case{"d/e", ops().stat_path("d/e")->id, d}}) {
        auto directory = ops().open(c.path, {.kind = WantKind::directory});
        ASSERT_TRUE(directory);
        auto entries = ops().list(*directory->file, {});
        ASSERT_TRUE(entries) << status_of(entries);
        ASSERT_GE(entries->size(), 2U);
        EXPECT_EQ((*entries)[0].name, ".");
        EXPECT_EQ((*entries)[1].name, "..");
        EXPECT_EQ((*entries)[0].stat.id, c.self);
        EXPECT_EQ((*entries)[1].stat.id, c.parent);
        EXPECT_EQ((*entries)[1].stat.kind, FileKind::directory);
        EXPECT_TRUE(ops().close(*directory->file));
    }
}

TEST_P(VfsConformance, ThousandEntriesInBatches) {
    ASSERT_TRUE(ops().make_directory("d"));
    std::set<std::string> expected;
    for (int i = 0; i < 1000; ++i) {
        const std::string name = fmt::format("file-{:04}.{}", i, i % 4 == 0 ? "txt" : "dat");
        auto made = ops().create("d/" + name);
        ASSERT_TRUE(made) << status_of(made);
        EXPECT_TRUE(ops().close(*made->file));
        expected.insert(name);
    }
    for (const std::size_t batch :
         {std::size_t{1}, std::size_t{7}, std::size_t{256}, std::size_t{5000}}) {
        std::set<std::string> found;
        for (const auto& entry : ops().list_all("d", batch)) {
            EXPECT_TRUE(found.insert(entry.name).second) << entry.name << " twice";
            EXPECT_EQ(entry.stat.kind, FileKind::file);
        }
        EXPECT_EQ(found, expected);
    }
    // A filter, a restart in the middle, and the end.
    auto directory = ops().open("d", {.kind = WantKind::directory});
    ASSERT_TRUE(directory);
    const SuffixFilter filter(".txt");
    vfs::ListRequest request;
    request.filter = &filter;
    request.max_entries = 100;
    EXPECT_EQ(ops().list(*directory->file, request)->size(), 100U);
    request.restart = true;
    std::set<std::string> found;
    while (true) {
        auto part = ops().list(*directory->file, request);
        ASSERT_TRUE(part) << status_of(part);
        request.restart = false;
        if (part->empty()) break;
        for (const auto& entry : *part) EXPECT_TRUE(found.insert(entry.name).second);
    }
    EXPECT_EQ(found.size(), 250U);
    EXPECT_TRUE(ops().list(*directory->file, request)->empty());  // stays at the end
    EXPECT_TRUE(ops().close(*directory->file));
}

TEST_P(VfsConformance, EntriesHaveTheStatOfTheFile) {
    ops().put("file", "12345");
    ASSERT_TRUE(ops().make_directory("dir"));
    auto file = ops().open("file");
    vfs::StatChange change;
    change.attributes = 0x22;
    change.creation_time = 125'911'584'000'000'000;
    EXPECT_TRUE(ops().set_stat(*file->file, change));
    EXPECT_TRUE(ops().close(*file->file));
    for (const auto& entry : ops().list_all("")) {
        auto stat = ops().stat_path(entry.name);
        ASSERT_TRUE(stat);
        EXPECT_EQ(entry.stat.id, stat->id);
        EXPECT_EQ(entry.stat.kind, stat->kind);
        EXPECT_EQ(entry.stat.attributes, stat->attributes);
        EXPECT_EQ(entry.stat.end_of_file, stat->end_of_file);
        EXPECT_EQ(entry.stat.creation_time, stat->creation_time);
        EXPECT_EQ(entry.stat.last_write_time, stat->last_write_time);
    }
    // Names only: identity and kind all the same.
    auto root = ops().open("", {.kind = WantKind::directory});
    vfs::ListRequest names_only;
    names_only.names_only = true;
    auto entries = ops().list(*root->file, names_only);
    ASSERT_TRUE(entries);
    EXPECT_EQ(entries->size(), 4U);
    for (const auto& entry : *entries) {
        if (entry.name.starts_with('.')) continue;
        EXPECT_EQ(entry.stat.id, ops().stat_path(entry.name)->id);
        EXPECT_EQ(entry.stat.kind, entry.name == "dir" ? FileKind::directory : FileKind::file);
    }
    EXPECT_TRUE(ops().close(*root->file));
}

TEST_P(VfsConformance, ListingWhileEntriesGo) {
    ASSERT_TRUE(ops().make_directory("d"));
    for (int i = 0; i < 50; ++i) ops().put(fmt::format("d/{:02}", i), "x");
    auto directory = ops().open("d", {.kind = WantKind::directory});
    vfs::ListRequest request;
    request.max_entries = 5;
    ASSERT_TRUE(ops().list(*directory->file, request));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(ops().remove(fmt::format("d/{:02}", i)));
    while (true) {
        auto part = ops().list(*directory->file, request);
        ASSERT_TRUE(part) << status_of(part);
        if (part->empty()) break;
    }
    request.restart = true;
    request.max_entries = 100;
    EXPECT_EQ(ops().list(*directory->file, request)->size(), 2U);
    EXPECT_TRUE(ops().remove("d"));
    request.restart = true;
    auto gone = ops().list(*directory->file, request);
    EXPECT_TRUE(!gone || gone->size() <= 2) << "a removed directory has no entries";
    EXPECT_TRUE(ops().close(*directory->file));
}

TEST_P(VfsConformance, ListingNeedsADirectoryOpenedForReading) {
    ops().put("f", "x");
    auto file = ops().open("f");
    EXPECT_EQ(status_of(ops().list(*file->file, {})), "STATUS_INVALID_DEVICE_REQUEST");
    EXPECT_TRUE(ops().close(*file->file));
    auto root = ops().open("", {.access = vfs::access_attributes});
    EXPECT_EQ(status_of(ops().list(*root->file, {})), "STATUS_ACCESS_DENIED");
    EXPECT_TRUE(ops().close(*root->file));
}

}  // namespace
}  // namespace smb3d::test
