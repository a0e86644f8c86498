// Share::open: dispositions, kinds, missing names, case, statuses of [MS-FSA] 2.1.5.1.
#include "vfs_conformance/backends.h"

namespace smb3d::test {
namespace {

using vfs::Disposition;
using vfs::FileKind;
using vfs::WantKind;

constexpr std::uint32_t attribute_hidden = 0x02;
constexpr std::uint32_t attribute_system = 0x04;
constexpr std::uint32_t attribute_directory = 0x10;
constexpr std::uint32_t attribute_archive = 0x20;

TEST_P(VfsConformance, OpensTheRoot) {
    auto root = ops().open("", {.kind = WantKind::directory, .access = vfs::access_read_data});
    ASSERT_TRUE(root) << status_of(root);
    EXPECT_EQ(root->stat.kind, FileKind::directory);
    EXPECT_EQ(root->path, "");
    EXPECT_FALSE(root->created);
    EXPECT_EQ(root->stat.attributes & attribute_directory, attribute_directory);
    EXPECT_TRUE(ops().close(*root->file));
    EXPECT_EQ(status_of(ops().open("", {.disposition = Disposition::create})),
              "STATUS_OBJECT_NAME_COLLISION");
    EXPECT_EQ(status_of(ops().open("", {.kind = WantKind::file})), "STATUS_FILE_IS_A_DIRECTORY");
}

TEST_P(VfsConformance, EveryDispositionOnMissingAndExisting) {
    EXPECT_EQ(status_of(ops().open("f")), "STATUS_OBJECT_NAME_NOT_FOUND");
    auto made = ops().open("f", {.disposition = Disposition::create, .kind = WantKind::file});
    ASSERT_TRUE(made) << status_of(made);
    EXPECT_TRUE(made->created);
    EXPECT_EQ(made->stat.kind, FileKind::file);
    EXPECT_EQ(made->stat.end_of_file, 0U);
    EXPECT_EQ(made->stat.links, 1U);
    EXPECT_EQ(status_of(ops().open("f", {.disposition = Disposition::create})),
              "STATUS_OBJECT_NAME_COLLISION");
    auto again = ops().open("f", {.disposition = Disposition::open_or_create});
    ASSERT_TRUE(again) << status_of(again);
    EXPECT_FALSE(again->created);
    EXPECT_EQ(again->stat.id, made->stat.id);
    auto other = ops().open("g", {.disposition = Disposition::open_or_create});
    ASSERT_TRUE(other) << status_of(other);
    EXPECT_TRUE(other->created);
    EXPECT_NE(other->stat.id, made->stat.id);
    for (auto* reply : {&*made, &*again, &*other}) EXPECT_TRUE(ops().close(*reply->file));
}

TEST_P(VfsConformance, KindsThatDoNotMatch) {
    ops().put("file", "x");
    auto directory = ops().make_directory("dir");
    ASSERT_TRUE(directory) << status_of(directory);
    EXPECT_EQ(directory->stat.kind, FileKind::directory);
    EXPECT_TRUE(directory->created);
    EXPECT_TRUE(ops().close(*directory->file));
    for (const Disposition disposition : {Disposition::open, Disposition::open_or_create}) {
        for (const std::uint32_t access :
             {std::uint32_t{vfs::access_attributes}, std::uint32_t{vfs::access_read_data},
              std::uint32_t{vfs::access_write_data}}) {
            EXPECT_EQ(status_of(ops().open("file", {.disposition = disposition,
                                                    .kind = WantKind::directory,
                                                    .access = access})),
                      "STATUS_NOT_A_DIRECTORY");
            EXPECT_EQ(
                status_of(ops().open(
                    "dir", {.disposition = disposition, .kind = WantKind::file, .access = access})),
                "STATUS_FILE_IS_A_DIRECTORY");
        }
    }
}

TEST_P(VfsConformance, MissingOrWrongParentsArePathNotFound) {
    ops().put("file", "x");
    for (const Disposition disposition :
         {Disposition::open, Disposition::create, Disposition::open_or_create}) {
        for (const WantKind kind : {WantKind::any, WantKind::file, WantKind::directory}) {
            const OpenOptions options{.disposition = disposition, .kind = kind};
            EXPECT_EQ(status_of(ops().open("no/file", options)), "STATUS_OBJECT_PATH_NOT_FOUND");
            EXPECT_EQ(status_of(ops().open("no/no/file", options)), "STATUS_OBJECT_PATH_NOT_FOUND");
            EXPECT_EQ(status_of(ops().open("file/child", options)), "STATUS_OBJECT_PATH_NOT_FOUND");
        }
    }
    EXPECT_EQ(status_of(ops().open("no", {.kind = WantKind::directory})),
              "STATUS_OBJECT_NAME_NOT_FOUND");
}

TEST_P(VfsConformance, DirectoryOpenedForWritingIsUsable) {
    ASSERT_TRUE(ops().make_directory("dir"));
    // To a client this is the right to create files in it.
    auto reply = ops().open("dir", {.access = vfs::access_write_data});
    ASSERT_TRUE(reply) << status_of(reply);
    EXPECT_EQ(reply->stat.kind, FileKind::directory);
    EXPECT_EQ(status_of(ops().write(*reply->file, 0, "x")), "STATUS_INVALID_DEVICE_REQUEST");
    EXPECT_EQ(status_of(ops().read(*reply->file, 0, 1)), "STATUS_INVALID_DEVICE_REQUEST");
    EXPECT_TRUE(ops().flush(*reply->file));
    EXPECT_TRUE(ops().close(*reply->file));
}

TEST_P(VfsConformance, AttributesOfNewFiles) {
    auto plain = ops().open("plain", {.disposition = Disposition::create});
    ASSERT_TRUE(plain) << status_of(plain);
    auto special = ops().open("special", {.disposition = Disposition::create,
                                          .attributes = attribute_hidden | attribute_system});
    ASSERT_TRUE(special) << status_of(special);
    auto directory = ops().open("directory", {.disposition = Disposition::create,
                                              .kind = WantKind::directory,
                                              .access = vfs::access_attributes,
                                              .attributes = attribute_hidden});
    ASSERT_TRUE(directory) << status_of(directory);
    if (ops().share().capabilities().dos_attributes) {
        EXPECT_EQ(plain->stat.attributes, attribute_archive);
        EXPECT_EQ(special->stat.attributes,
                  attribute_archive | attribute_hidden | attribute_system);
        EXPECT_EQ(directory->stat.attributes, attribute_directory | attribute_hidden);
        EXPECT_EQ(ops().stat_path("special")->attributes, special->stat.attributes);
        EXPECT_EQ(ops().stat_path("directory")->attributes, directory->stat.attributes);
    }
    EXPECT_GT(plain->stat.creation_time, 0U);
    EXPECT_GT(plain->stat.last_write_time, 0U);
    EXPECT_GT(plain->stat.change_time, 0U);
    for (auto* reply : {&*plain, &*special, &*directory}) EXPECT_TRUE(ops().close(*reply->file));
}

TEST_P(VfsConformance, LookupIgnoresCaseAndKeepsIt) {
    ASSERT_TRUE(ops().make_directory("Folder"));
    ASSERT_TRUE(ops().make_directory("Folder/Sub"));
    ops().put("Folder/Sub/ReadMe.TXT", "hello");
    for (const char* path : {"folder/sub/readme.txt", "FOLDER/SUB/README.TXT",
                             "Folder/sub/ReadMe.TXT", "folder/Sub/ReadMe.txt"}) {
        auto reply = ops().open(path, {.access = vfs::access_read_data});
        ASSERT_TRUE(reply) << path << " " << status_of(reply);
        EXPECT_EQ(reply->path, "Folder/Sub/ReadMe.TXT");
        EXPECT_TRUE(ops().close(*reply->file));
        EXPECT_EQ(status_of(ops().open(path, {.disposition = Disposition::create})),
                  "STATUS_OBJECT_NAME_COLLISION");
        auto same = ops().open(path, {.disposition = Disposition::open_or_create});
        ASSERT_TRUE(same) << status_of(same);
        EXPECT_FALSE(same->created);
        EXPECT_TRUE(ops().close(*same->file));
    }
    EXPECT_EQ(ops().exists("folder/sub/other"), NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_EQ(ops().exists("folder/other/readme.txt"), NtStatus::OBJECT_PATH_NOT_FOUND);
    auto made = ops().create("FOLDER/sub/New.txt");
    ASSERT_TRUE(made) << status_of(made);
    EXPECT_EQ(made->path, "Folder/Sub/New.txt");
    EXPECT_TRUE(ops().close(*made->file));
}

TEST_P(VfsConformance, LookupIgnoresCaseBeyondAscii) {
    const std::string upper = "\u00C4RGER-\u0416\u03A9.txt";
    const std::string lower = "\u00E4rger-\u0436\u03C9.TXT";
    ops().put(upper, "x");
    EXPECT_EQ(ops().exists(lower), NtStatus::SUCCESS);
    auto reply = ops().open(lower);
    ASSERT_TRUE(reply) << status_of(reply);
    EXPECT_EQ(reply->path, upper);
    EXPECT_TRUE(ops().close(*reply->file));
    // One to one only: sharp s is not "SS".
    ops().put("stra\u00DFe", "y");
    EXPECT_EQ(ops().exists("STRASSE"), NtStatus::OBJECT_NAME_NOT_FOUND);
}

TEST_P(VfsConformance, ExactCaseOnRequest) {
    ops().put("Name", "x");
    EXPECT_EQ(status_of(ops().open("name", {.exact_case = true})), "STATUS_OBJECT_NAME_NOT_FOUND");
    auto other = ops().open("name", {.disposition = Disposition::create, .exact_case = true});
    ASSERT_TRUE(other) << status_of(other);
    EXPECT_TRUE(ops().close(*other->file));
    EXPECT_EQ(ops().names(""), (std::vector<std::string>{"Name", "name"}));
    auto exact = ops().open("Name", {.access = vfs::access_attributes});
    ASSERT_TRUE(exact);
    EXPECT_EQ(exact->path, "Name");  // an exact match goes before another
    EXPECT_TRUE(ops().close(*exact->file));
}

TEST_P(VfsConformance, NamesThatMustNotReachTheStorage) {
    ASSERT_TRUE(ops().make_directory("d"));
    const std::string with_nul("a\0b", 3);
    for (const std::string& path :
         {std::string(".."), std::string("."), std::string("d/.."), std::string("d/../d"),
          std::string("/d"), std::string("d/"), std::string("d//x"), with_nul, "d/" + with_nul}) {
        for (const Disposition disposition : {Disposition::open, Disposition::open_or_create}) {
            EXPECT_EQ(status_of(ops().open(path, {.disposition = disposition})),
                      "STATUS_OBJECT_NAME_INVALID")
                << path;
        }
    }
}

TEST_P(VfsConformance, LongNames) {
    const std::string longest(255, 'n');
    const std::string too_long(256, 'n');
    ops().put(longest, "x");
    EXPECT_EQ(ops().get(longest), "x");
    EXPECT_EQ(status_of(ops().create(too_long)), "STATUS_OBJECT_NAME_INVALID");
    EXPECT_EQ(status_of(ops().open(too_long)), "STATUS_OBJECT_NAME_INVALID");
    ASSERT_TRUE(ops().make_directory("d"));
    EXPECT_EQ(status_of(ops().create("d/" + too_long)), "STATUS_OBJECT_NAME_INVALID");
}

TEST_P(VfsConformance, DeepPaths) {
    // Longer than PATH_MAX in all.
    std::string path;
    const std::string component(200, 'd');
    for (int depth = 0; depth < 30; ++depth) {
        path += (path.empty() ? "" : "/") + component;
        auto made = ops().make_directory(path);
        ASSERT_TRUE(made) << depth << " " << status_of(made);
        EXPECT_TRUE(ops().close(*made->file));
    }
    ops().put(path + "/file", "deep");
    EXPECT_EQ(ops().get(path + "/file"), "deep");
    EXPECT_EQ(ops().get(path + "/FILE"), "deep");
    EXPECT_EQ(ops().exists(path + "/other"), NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_TRUE(ops().remove(path + "/file"));
}

TEST_P(VfsConformance, ManyOpensOfOneMissingNameMakeOneFile) {
    std::vector<std::future<Result<vfs::OpenReply>>> opens;
    vfs::OpenRequest request;
    request.path = "contended";
    request.disposition = Disposition::open_or_create;
    request.access = vfs::access_read_data | vfs::access_write_data;
    for (int i = 0; i < 32; ++i) {
        opens.push_back(ops().begin<vfs::OpenReply>(
            [&](const vfs::OpContext& context, vfs::Done<vfs::OpenReply> done) {
                ops().share().open(context, request, done);
            }));
    }
    int created = 0;
    std::optional<vfs::FileId> id;
    for (auto& open : opens) {
        auto reply = open.get();
        ASSERT_TRUE(reply) << status_of(reply);
        created += reply->created ? 1 : 0;
        if (!id) id = reply->stat.id;
        EXPECT_EQ(reply->stat.id, *id);
        EXPECT_TRUE(ops().close(*reply->file));
    }
    EXPECT_EQ(created, 1);
}

}  // namespace
}  // namespace smb3d::test
