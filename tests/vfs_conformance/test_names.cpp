// Names: remove, rename, link; and names that Windows cannot express.
#include <algorithm>

#include "vfs_conformance/backends.h"

namespace smb3d::test {
namespace {

using Names = std::vector<std::string>;

TEST_P(VfsConformance, RemoveChecksWhatTheNameIs) {
    ops().put("a", "1");
    ops().put("b", "2");
    const vfs::FileId a = ops().stat_path("a")->id;
    const vfs::FileId b = ops().stat_path("b")->id;
    EXPECT_EQ(status_of(ops().remove("a", b)), "STATUS_OBJECT_NAME_NOT_FOUND");
    EXPECT_EQ(status_of(ops().remove("c", a)), "STATUS_OBJECT_NAME_NOT_FOUND");
    EXPECT_EQ(status_of(ops().remove("no/c", a)), "STATUS_OBJECT_PATH_NOT_FOUND");
    EXPECT_EQ(status_of(ops().remove("", ops().stat_path("")->id)), "STATUS_ACCESS_DENIED");
    EXPECT_TRUE(ops().remove("a", a));
    EXPECT_EQ(ops().names(""), Names{"b"});
    EXPECT_TRUE(ops().remove("B", b));  // in any case
    EXPECT_EQ(ops().names(""), Names{});
}

TEST_P(VfsConformance, RemoveWantsEmptyDirectories) {
    ASSERT_TRUE(ops().make_directory("d"));
    ops().put("d/f", "x");
    EXPECT_EQ(status_of(ops().remove("d")), "STATUS_DIRECTORY_NOT_EMPTY");
    EXPECT_TRUE(ops().remove("d/f"));
    EXPECT_TRUE(ops().remove("d"));
    EXPECT_EQ(ops().exists("d"), NtStatus::OBJECT_NAME_NOT_FOUND);
    ASSERT_TRUE(ops().make_directory("d"));  // the old one's names are forgotten
    EXPECT_EQ(ops().exists("d/f"), NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_EQ(ops().exists("d/F"), NtStatus::OBJECT_NAME_NOT_FOUND);
}

TEST_P(VfsConformance, RenameWithinAndAcrossDirectories) {
    ASSERT_TRUE(ops().make_directory("One"));
    ASSERT_TRUE(ops().make_directory("Two"));
    ops().put("One/f", "data");
    const vfs::FileId id = ops().stat_path("One/f")->id;
    EXPECT_EQ(ops().rename("One/f", "one/g").value_or("?"), "One/g");
    EXPECT_EQ(ops().rename("ONE/G", "two/H").value_or("?"), "Two/H");
    EXPECT_EQ(ops().names("One"), Names{});
    EXPECT_EQ(ops().names("Two"), Names{"H"});
    EXPECT_EQ(ops().stat_path("two/h")->id, id);
    EXPECT_EQ(ops().get("Two/H"), "data");
    EXPECT_EQ(ops().rename("Two", "One/Sub").value_or("?"), "One/Sub");
    EXPECT_EQ(ops().get("one/sub/h"), "data");
    EXPECT_EQ(ops().exists("Two/H"), NtStatus::OBJECT_PATH_NOT_FOUND);
}

TEST_P(VfsConformance, RenameThatChangesOnlyTheCase) {
    ops().put("name", "x");
    EXPECT_EQ(ops().rename("name", "NAME").value_or("?"), "NAME");
    EXPECT_EQ(ops().names(""), Names{"NAME"});
    EXPECT_EQ(ops().rename("Name", "Name").value_or("?"), "Name");
    EXPECT_EQ(ops().names(""), Names{"Name"});
    EXPECT_EQ(ops().rename("Name", "Name").value_or("?"), "Name");
    EXPECT_EQ(ops().get("nAME"), "x");
    ASSERT_TRUE(ops().make_directory("dir"));
    EXPECT_EQ(ops().rename("dir", "DIR").value_or("?"), "DIR");
    EXPECT_EQ(ops().names(""), (Names{"DIR", "Name"}));
}

TEST_P(VfsConformance, RenameOntoExistingNames) {
    ops().put("from", "new");
    ops().put("Target", "old");
    ASSERT_TRUE(ops().make_directory("dir"));
    EXPECT_EQ(status_of(ops().rename("from", "Target")), "STATUS_OBJECT_NAME_COLLISION");
    EXPECT_EQ(status_of(ops().rename("from", "TARGET")), "STATUS_OBJECT_NAME_COLLISION");
    EXPECT_EQ(status_of(ops().rename("from", "dir")), "STATUS_OBJECT_NAME_COLLISION");
    EXPECT_EQ(status_of(ops().rename("from", "dir", true)), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(status_of(ops().rename("from", "no/x")), "STATUS_OBJECT_PATH_NOT_FOUND");
    EXPECT_EQ(ops().rename("from", "target", true).value_or("?"), "target");
    EXPECT_EQ(ops().names(""), (Names{"dir", "target"}));
    EXPECT_EQ(ops().get("target"), "new");
    EXPECT_FALSE(ops().rename("dir", "dir/sub"));
    EXPECT_EQ(ops().exists("dir"), NtStatus::SUCCESS);
    EXPECT_EQ(ops().rename("dir", "Target", true).value_or("?"), "Target");
    EXPECT_EQ(ops().names(""), Names{"Target"});
}

TEST_P(VfsConformance, RenameChecksWhatTheNameIs) {
    ops().put("a", "1");
    ops().put("b", "2");
    const vfs::RenameRequest request{"a", ops().stat_path("b")->id, "c", false};
    auto renamed =
        ops().wait<std::string>([&](const vfs::OpContext& context, vfs::Done<std::string> done) {
            ops().share().rename(context, request, done);
        });
    EXPECT_EQ(status_of(renamed), "STATUS_OBJECT_NAME_NOT_FOUND");
    EXPECT_EQ(ops().names(""), (Names{"a", "b"}));
}

TEST_P(VfsConformance, LinksShareTheFile) {
    ops().put("f", "data");
    ops().put("Other", "other");
    ASSERT_TRUE(ops().make_directory("d"));
    auto file = ops().open("f", {.access = vfs::access_attributes});
    ASSERT_TRUE(file);
    auto linked = ops().link(*file->file, "d/link");
    EXPECT_TRUE(linked) << status_of(linked);
    EXPECT_EQ(ops().stat(*file->file)->links, 2U);
    EXPECT_EQ(ops().stat_path("d/link")->id, file->stat.id);
    EXPECT_EQ(status_of(ops().link(*file->file, "OTHER")), "STATUS_OBJECT_NAME_COLLISION");
    EXPECT_EQ(status_of(ops().link(*file->file, "no/x")), "STATUS_OBJECT_PATH_NOT_FOUND");
    EXPECT_EQ(status_of(ops().link(*file->file, "d", true)), "STATUS_ACCESS_DENIED");
    EXPECT_TRUE(ops().link(*file->file, "OTHER", true));
    EXPECT_EQ(ops().get("other"), "data");
    EXPECT_EQ(ops().names(""), (Names{"OTHER", "d", "f"}));
    EXPECT_TRUE(ops().remove("f"));
    EXPECT_EQ(ops().get("d/link"), "data");
    EXPECT_TRUE(ops().close(*file->file));
    auto directory = ops().open("d", {.access = vfs::access_attributes});
    EXPECT_EQ(status_of(ops().link(*directory->file, "e")), "STATUS_FILE_IS_A_DIRECTORY");
    EXPECT_TRUE(ops().close(*directory->file));
}

// The private-use forms that macOS and Linux clients send, and unpaired surrogates (WTF-8).
TEST_P(VfsConformance, NamesWindowsForbidsRoundTrip) {
    const Names names{
        "a\uF022b",          // ':'
        "q\uF025",           // '?'
        "back\uF026slash",   // '\\'
        "dot\uF029",         // '.' at the end
        "space\uF028",       // ' ' at the end
        "tab\uF009",         // control character
        "high\xED\xA0\x80",  // U+D800 alone
        "byte\xED\xB3\xBF",  // U+DCFF alone: a byte that is not UTF-8
    };
    for (const std::string& name : names) {
        ops().put(name, "x" + name);
        EXPECT_EQ(ops().get(name), "x" + name);
        EXPECT_EQ(status_of(ops().create(name)), "STATUS_OBJECT_NAME_COLLISION");
    }
    Names sorted = names;
    std::ranges::sort(sorted);
    EXPECT_EQ(ops().names(""), sorted);
    EXPECT_EQ(ops().get("A\uF022B"), "xa\uF022b");
    EXPECT_EQ(ops().rename("a\uF022b", "c\uF022d").value_or("?"), "c\uF022d");
    EXPECT_EQ(ops().get("C\uF022D"), "xa\uF022b");
    EXPECT_TRUE(ops().remove("c\uF022d"));
    for (const std::string& name : names) {
        if (name == names[0]) continue;
        EXPECT_TRUE(ops().remove(name)) << name;
    }
    EXPECT_EQ(ops().names(""), Names{});
}

}  // namespace
}  // namespace smb3d::test
