// Symbolic links: inside the share they work, outside there is nothing (CVE-2015-5252,
// CVE-2017-2619, CVE-2021-20316, CVE-2021-44141, CVE-2022-3592).
#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit/vfs_posix/posix_fixture.h"

namespace smb3d::vfs_posix {

void PosixShareTest::write_file(const std::string& path, const std::string& content,
                                unsigned mode) {
    std::ofstream(path, std::ios::binary) << content;
    ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

namespace {

using vfs::Disposition;
using vfs::WantKind;

void make_link(const std::string& target, const std::string& path) {
    ASSERT_EQ(::symlink(target.c_str(), path.c_str()), 0) << path;
}

TEST_F(PosixShareTest, LinksInsideAreFollowed) {
    ASSERT_TRUE(ops().make_directory("a"));
    ASSERT_TRUE(ops().make_directory("b"));
    ops().put("a/file", "content");
    make_link("../a/file", on_disk("b/link"));
    make_link("a", on_disk("dirlink"));
    EXPECT_EQ(ops().get("b/link"), "content");
    EXPECT_EQ(ops().get("dirlink/file"), "content");
    EXPECT_EQ(ops().get("DIRLINK/FILE"), "content");
    EXPECT_EQ(ops().get("B/Link"), "content");
    EXPECT_EQ(ops().names("dirlink"), std::vector<std::string>{"file"});
    for (const auto& entry : ops().list_all("b")) {
        EXPECT_EQ(entry.stat.kind, vfs::FileKind::file);
        EXPECT_EQ(entry.stat.end_of_file, 7U);
    }
    auto made = ops().create("dirlink/new");
    ASSERT_TRUE(made) << status_of(made);
    EXPECT_TRUE(ops().close(*made->file));
    EXPECT_EQ(ops().exists("a/new"), NtStatus::SUCCESS);
}

TEST_F(PosixShareTest, LinksThatLeaveTheShareAreLikeNothing) {
    write_file(outside_ + "/secret", "secret");
    make_link("../outside/secret", on_disk("relative"));
    make_link(outside_ + "/secret", on_disk("absolute"));
    make_link("../outside", on_disk("directory"));
    make_link("../outside/missing", on_disk("dangling-outside"));
    make_link("missing", on_disk("dangling"));
    make_link("loop", on_disk("loop"));
    make_link("/proc/self/root", on_disk("magic"));
    for (const char* name : {"relative", "absolute", "directory", "dangling-outside", "dangling",
                             "loop", "magic", "really-missing"}) {
        for (const WantKind kind : {WantKind::any, WantKind::file, WantKind::directory}) {
            for (const std::uint32_t access :
                 {std::uint32_t{vfs::access_attributes}, std::uint32_t{vfs::access_read_data}}) {
                EXPECT_EQ(status_of(ops().open(name, {.kind = kind, .access = access})),
                          "STATUS_OBJECT_NAME_NOT_FOUND")
                    << name;
            }
        }
        const std::string below = std::string(name) + "/secret";
        EXPECT_EQ(name_of(ops().exists(below)), "STATUS_OBJECT_PATH_NOT_FOUND");
        EXPECT_EQ(status_of(ops().create(below)), "STATUS_OBJECT_PATH_NOT_FOUND");
        if (std::string(name) == "really-missing") continue;
        EXPECT_EQ(status_of(ops().create(name)), "STATUS_OBJECT_NAME_COLLISION") << name;
        EXPECT_EQ(status_of(ops().open(name, {.disposition = Disposition::open_or_create})),
                  "STATUS_ACCESS_DENIED")
            << name;
    }
    EXPECT_NE(::access((outside_ + "/missing").c_str(), F_OK), 0) << "created through a link";
    EXPECT_NE(::access(on_disk("missing").c_str(), F_OK), 0);
    EXPECT_EQ(ops().names(""), std::vector<std::string>{});
    // They can be seen as what they are, and removed.
    auto link = ops().open("absolute", {.access = vfs::access_attributes, .reparse_point = true});
    ASSERT_TRUE(link) << status_of(link);
    EXPECT_EQ(link->stat.kind, vfs::FileKind::symlink);
    EXPECT_TRUE(ops().remove("absolute", link->stat.id));
    EXPECT_TRUE(ops().close(*link->file));
    EXPECT_EQ(::access((outside_ + "/secret").c_str(), F_OK), 0);
}

TEST_F(PosixShareTest, PolicyCanRefuseAllLinks) {
    ops().put("file", "content");
    ASSERT_TRUE(ops().make_directory("dir"));
    make_link("file", on_disk("link"));
    make_link("dir", on_disk("dirlink"));
    PosixOptions options;
    options.symlinks = Symlinks::refuse;
    mount(options);
    EXPECT_EQ(name_of(ops().exists("link")), "STATUS_OBJECT_NAME_NOT_FOUND");
    EXPECT_EQ(name_of(ops().exists("dirlink/x")), "STATUS_OBJECT_PATH_NOT_FOUND");
    EXPECT_EQ(ops().get("file"), "content");
    EXPECT_EQ(ops().names(""), (std::vector<std::string>{"dir", "file"}));
}

TEST_F(PosixShareTest, RemovingAFollowedLinkRemovesTheLink) {
    ops().put("file", "content");
    make_link("file", on_disk("link"));
    EXPECT_TRUE(ops().remove("link"));
    EXPECT_EQ(ops().names(""), std::vector<std::string>{"file"});
}

// A local user flips a directory between itself and a link that leads out, while clients open,
// create and remove below.
TEST_F(PosixShareTest, RacingLinksNeverLeadOut) {
    write_file(outside_ + "/file", "secret");
    ASSERT_TRUE(ops().make_directory("dir"));
    ops().put("dir/file", "public");
    make_link("../outside", on_disk("trap"));
    std::atomic<bool> stop{false};
    std::thread flipper([&] {
        while (!stop.load()) {
            ::syscall(SYS_renameat2, AT_FDCWD, on_disk("dir").c_str(), AT_FDCWD,
                      on_disk("trap").c_str(), 2 /* RENAME_EXCHANGE */);
        }
    });
    int opened = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::string content = ops().get(i % 2 == 0 ? "dir/file" : "DIR/FILE");
        EXPECT_NE(content, "secret");
        if (content == "public") ++opened;
        if (i % 5 == 0) {
            const std::string name = "dir/new-" + std::to_string(i);
            if (auto made = ops().create(name)) {
                EXPECT_TRUE(ops().close(*made->file));
                (void)ops().remove(name);
            }
        }
    }
    stop = true;
    flipper.join();
    EXPECT_GT(opened, 0);
    int outside_entries = 0;
    if (auto entries = ::opendir(outside_.c_str())) {
        while (::readdir(entries) != nullptr) ++outside_entries;
        ::closedir(entries);
    }
    EXPECT_EQ(outside_entries, 3) << "., .. and the secret: nothing was created out there";
    EXPECT_EQ(::access((outside_ + "/file").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace smb3d::vfs_posix
