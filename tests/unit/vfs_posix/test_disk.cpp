// What only a POSIX file system has: names behind the share's back, xattrs on disk, special files,
// full disks.
#include <algorithm>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "unit/vfs_posix/posix_fixture.h"
#include "vfs_posix/dos_attrib.h"
#include "vfs_posix/errno_map.h"

namespace smb3d::vfs_posix {
namespace {

using Names = std::vector<std::string>;
using vfs::Disposition;

TEST_F(PosixShareTest, RefusesWhatIsNoDirectory) {
    EXPECT_FALSE(make_posix_share(folder_.at("missing")));
    write_file(folder_.at("file"), "x");
    auto share = make_posix_share(folder_.at("file"));
    ASSERT_FALSE(share);
    EXPECT_NE(share.error().find("file"), std::string::npos);
}

TEST_F(PosixShareTest, NamesMadeBehindTheShareAreReachable) {
    const std::vector<std::pair<std::string, std::string>> names{
        {"a:b", "a\uF022b"},
        {"what?", "what\uF025"},
        {"back\\slash", "back\uF026slash"},
        {"end.", "end\uF029"},
        {"end ", "end\uF028"},
        {"latin\xE9", "latin\xED\xB3\xA9"},
        {"lit\uF021eral", "lit\uF021eral"},  // the private-use character itself
    };
    Names shown;
    for (const auto& [disk, client] : names) {
        write_file(on_disk(disk), disk);
        shown.push_back(client);
    }
    std::ranges::sort(shown);
    EXPECT_EQ(ops().names(""), shown);
    for (const auto& [disk, client] : names) {
        EXPECT_EQ(ops().get(client), disk);
        EXPECT_TRUE(ops().remove(client)) << disk;
        EXPECT_NE(::access(on_disk(disk).c_str(), F_OK), 0) << disk;
    }
}

TEST_F(PosixShareTest, ForeignChangesAreSeen) {
    ops().put("first", "x");
    EXPECT_EQ(name_of(ops().exists("SECOND")), "STATUS_OBJECT_NAME_NOT_FOUND");  // now cached
    write_file(on_disk("Second"), "y");
    ::usleep(1'100'000);  // a change in the clock tick of an own one is seen after at most a second
    EXPECT_EQ(ops().get("SECOND"), "y");
    ASSERT_EQ(::rename(on_disk("Second").c_str(), on_disk("Third").c_str()), 0);
    EXPECT_EQ(name_of(ops().exists("SECOND")), "STATUS_OBJECT_NAME_NOT_FOUND");
    EXPECT_EQ(ops().get("THIRD"), "y");
}

// A name that was just moved away has no entry in the kernel's cache, and a directory of known
// names answers for it; a file that somebody else puts there is found all the same, at once.
TEST_F(PosixShareTest, NameMovedAwayIsMissingUntilSomebodyElseUsesIt) {
    ASSERT_TRUE(ops().make_directory("d"));
    ops().put("d/old", "mine");
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(ops().rename("d/old", "d/new").value_or("?"), "d/new");
        EXPECT_EQ(name_of(ops().exists("d/old")), "STATUS_OBJECT_NAME_NOT_FOUND");
        EXPECT_EQ(ops().rename("d/new", "d/old").value_or("?"), "d/old");
        EXPECT_EQ(name_of(ops().exists("d/new")), "STATUS_OBJECT_NAME_NOT_FOUND");
    }
    write_file(on_disk("d/new"), "foreign");
    EXPECT_EQ(ops().get("d/new"), "foreign");
    EXPECT_EQ(status_of(ops().rename("d/old", "d/new")), "STATUS_OBJECT_NAME_COLLISION");
    EXPECT_EQ(ops().rename("d/old", "d/new", true).value_or("?"), "d/new");
    EXPECT_EQ(ops().get("d/new"), "mine");
    EXPECT_EQ(ops().names("d"), Names{"new"});
}

TEST_F(PosixShareTest, CaseSensitiveShare) {
    PosixOptions options;
    options.case_sensitive = true;
    mount(options);
    EXPECT_FALSE(ops().share().capabilities().case_insensitive);
    ops().put("Name", "1");
    EXPECT_EQ(name_of(ops().exists("name")), "STATUS_OBJECT_NAME_NOT_FOUND");
    ops().put("name", "2");
    EXPECT_EQ(ops().names(""), (Names{"Name", "name"}));
    write_file(on_disk("lit\uF022eral"), "3");
    EXPECT_EQ(ops().get("lit\uF022eral"), "3");
}

TEST_F(PosixShareTest, DotFilesAreHidden) {
    ops().put(".profile", "x");
    EXPECT_EQ(ops().stat_path(".profile")->attributes & 2U, 2U);
    EXPECT_EQ(ops().stat_path("")->attributes & 2U, 0U);
    for (const auto& entry : ops().list_all("")) EXPECT_EQ(entry.stat.attributes & 2U, 2U);
    PosixOptions options;
    options.hide_dot_files = false;
    mount(options);
    EXPECT_EQ(ops().stat_path(".profile")->attributes & 2U, 0U);
}

// ---- user.DOSATTRIB

class DosAttribOnDisk : public PosixShareTest {
  protected:
    void SetUp() override {
        PosixShareTest::SetUp();
        if (!ops().share().capabilities().dos_attributes) GTEST_SKIP() << "no user xattrs here";
    }
    std::optional<DosAttrib> stored(const std::string& name) {
        char value[256];
        const ssize_t size =
            ::getxattr(on_disk(name).c_str(), dos_attrib_name, value, sizeof(value));
        if (size < 0) return std::nullopt;
        EXPECT_EQ(size, 24);
        return parse_dos_attrib(
            Bytes(reinterpret_cast<const std::byte*>(value), static_cast<std::size_t>(size)));
    }
    void store(const std::string& name, const std::string& value) {
        ASSERT_EQ(::setxattr(on_disk(name).c_str(), dos_attrib_name, value.data(), value.size(), 0),
                  0);
    }
};

TEST_F(DosAttribOnDisk, IsWhatSambaWouldWrite) {
    auto file = ops().open("f", {.disposition = Disposition::create, .attributes = 0x02});
    ASSERT_TRUE(file);
    const auto on_file = stored("f");
    ASSERT_TRUE(on_file);
    EXPECT_EQ(on_file->attributes, 0x22U);
    EXPECT_EQ(on_file->creation_time, file->stat.creation_time);
    EXPECT_TRUE(ops().close(*file->file));
    // A plain directory needs none: its inode says it all.
    auto directory = ops().make_directory("d");
    ASSERT_TRUE(directory);
    EXPECT_FALSE(stored("d"));
    vfs::StatChange change;
    change.attributes = 0x02;
    EXPECT_TRUE(ops().set_stat(*directory->file, change));
    EXPECT_EQ(stored("d")->attributes, 0x12U);  // Samba keeps FILE_ATTRIBUTE_DIRECTORY in it
    EXPECT_TRUE(ops().close(*directory->file));
}

TEST_F(DosAttribOnDisk, ReadsSambasVersionThree) {
    write_file(on_disk("f"), "x");
    // The string, version and arm; valid_flags, attrib, ea_size; size, alloc_size; create_time;
    // change_time.
    std::string value("0x6\0\x03\0\x03\0\x11\0\0\0\x06\0\0\0\0\0\0\0", 20);
    value += std::string(16, '\0');
    value += std::string("\x00\x40\x37\x5B\x0F\xB6\xBF\x01", 8);
    value += std::string(8, '\0');
    store("f", value);
    auto stat = ops().stat_path("f");
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->attributes, 0x06U);
    EXPECT_EQ(stat->creation_time, 0x01BFB60F5B374000U);
}

TEST_F(DosAttribOnDisk, HostileValuesAreIgnored) {
    for (const std::string& value :
         {std::string("\xFF"), std::string(300, 'A'), std::string(2000, '\0'), std::string("0x"),
          std::string("\0\0\x09\0\x09\0\0\0", 8)}) {
        write_file(on_disk("f"), "x");
        store("f", value);
        auto stat = ops().stat_path("f");
        ASSERT_TRUE(stat);
        EXPECT_EQ(stat->attributes, 0x80U);
        EXPECT_EQ(ops().list_all("").at(0).stat.attributes, 0x80U);
        EXPECT_TRUE(ops().remove("f"));
    }
}

TEST_F(DosAttribOnDisk, IsNotWrittenWithoutNeed) {
    write_file(on_disk("f"), "x");
    auto file = ops().open("f", {.access = vfs::access_attributes});
    ASSERT_TRUE(file);
    vfs::StatChange same;
    same.attributes = 0x80;
    same.creation_time = file->stat.creation_time;
    EXPECT_TRUE(ops().set_stat(*file->file, same));
    EXPECT_FALSE(stored("f"));
    EXPECT_TRUE(ops().close(*file->file));
    PosixOptions options;
    options.store_dos_attributes = false;
    mount(options);
    EXPECT_FALSE(ops().share().capabilities().dos_attributes);
    ops().put("g", "x");
    EXPECT_FALSE(stored("g"));
}

// ---- special files

TEST_F(PosixShareTest, SpecialFilesCanBeSeenAndRemovedOnly) {
    ASSERT_EQ(::mkfifo(on_disk("fifo").c_str(), 0666), 0);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = on_disk("socket");
    ASSERT_LT(path.size(), sizeof(address.sun_path));
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(fd, reinterpret_cast<::sockaddr*>(&address), sizeof(address)), 0);
    for (const char* name : {"fifo", "socket"}) {
        for (const std::uint32_t access :
             {std::uint32_t{vfs::access_read_data}, std::uint32_t{vfs::access_write_data},
              std::uint32_t{vfs::access_read_data | vfs::access_write_data}}) {
            EXPECT_EQ(status_of(ops().open(name, {.access = access})), "STATUS_ACCESS_DENIED");
        }
        auto stat = ops().stat_path(name);
        ASSERT_TRUE(stat) << status_of(stat);
        EXPECT_EQ(stat->kind, vfs::FileKind::other);
        EXPECT_TRUE(ops().remove(name));
    }
    ::close(fd);
}

TEST_F(PosixShareTest, ReadOnlyShare) {
    ops().put("f", "x");
    PosixOptions options;
    options.read_only = true;
    mount(options);
    EXPECT_TRUE(ops().share().capabilities().read_only);
    EXPECT_EQ(ops().get("f"), "x");
    EXPECT_EQ(status_of(ops().create("g")), "STATUS_MEDIA_WRITE_PROTECTED");
    EXPECT_EQ(status_of(ops().open("f", {.access = vfs::access_write_data})),
              "STATUS_MEDIA_WRITE_PROTECTED");
    EXPECT_EQ(status_of(ops().remove("f")), "STATUS_MEDIA_WRITE_PROTECTED");
    EXPECT_EQ(status_of(ops().rename("f", "g")), "STATUS_MEDIA_WRITE_PROTECTED");
    auto file = ops().open("f", {.access = vfs::access_read_data});
    ASSERT_TRUE(file);
    EXPECT_EQ(status_of(ops().set_size(*file->file, 0)), "STATUS_MEDIA_WRITE_PROTECTED");
    EXPECT_TRUE(ops().close(*file->file));
}

// ---- space

TEST_F(PosixShareTest, SparseFilesHaveHoles) {
    auto file = ops().create("f");
    ASSERT_TRUE(file);
    vfs::StatChange sparse;
    sparse.attributes = 0x220;
    EXPECT_TRUE(ops().set_stat(*file->file, sparse));
    EXPECT_TRUE(ops().write(*file->file, 0, std::string(1 << 20, 'x')));
    EXPECT_TRUE(ops().flush(*file->file));
    EXPECT_TRUE(ops().zero(*file->file, {256 << 10, 512 << 10}));
    auto ranges = ops().ranges(*file->file, {0, 1 << 20});
    ASSERT_TRUE(ranges);
    if (ops().share().capabilities().dos_attributes) {
        EXPECT_EQ(ranges->size(), 2U);
    }
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_F(PosixShareTest, AFullDiskIsSaidSo) {
    if (::geteuid() != 0 ||
        ::mount("none", root_.c_str(), "tmpfs", 0, "size=1m,nr_inodes=50") != 0) {
        GTEST_SKIP() << "cannot mount a small file system";
    }
    mount({});
    {
        auto file = ops().create("f");
        ASSERT_TRUE(file);
        const std::string much(2 << 20, 'x');
        EXPECT_EQ(status_of(ops().write(*file->file, 0, much)), "STATUS_DISK_FULL");
        EXPECT_TRUE(ops().set_size(*file->file, 0));
        EXPECT_EQ(status_of(ops().allocate(*file->file, 4 << 20)), "STATUS_DISK_FULL");
        EXPECT_EQ(ops().stat(*file->file)->end_of_file, 0U);
        EXPECT_TRUE(ops().write(*file->file, 0, "fits"));
        EXPECT_TRUE(ops().close(*file->file));
        std::string last = "STATUS_SUCCESS";
        for (int i = 0; i < 100 && last == "STATUS_SUCCESS"; ++i) {
            last = status_of(ops().create("n" + std::to_string(i)));
        }
        EXPECT_EQ(last, "STATUS_DISK_FULL");
    }
    operations_.reset();
    EXPECT_EQ(::umount2(root_.c_str(), MNT_DETACH), 0);
}

TEST(ErrnoMap, EveryRowIsReachable) {
    for (const ErrnoRow& row : errno_rows) EXPECT_EQ(status_from_errno(row.error), row.status);
    EXPECT_EQ(status_from_errno(123456), NtStatus::UNSUCCESSFUL);
}

}  // namespace
}  // namespace smb3d::vfs_posix
