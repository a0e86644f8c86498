// Under whose rights the system calls run.
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "unit/vfs_posix/posix_fixture.h"
#include "vfs_posix/identity.h"

namespace smb3d::vfs_posix {
namespace {

using vfs::Disposition;

constexpr std::uint32_t alice = 61001;
constexpr std::uint32_t bob = 61002;
constexpr std::uint32_t group = 61100;

class IdentityTest : public PosixShareTest {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "only root can take other identities";
        PosixShareTest::SetUp();
        become(alice);
    }
    void become(std::uint32_t uid, std::vector<std::uint32_t> groups = {}) {
        ops().caller().uid = uid;
        ops().caller().gid = uid;
        ops().caller().groups = std::move(groups);
    }
    struct ::stat stat_of(const std::string& name) {
        struct ::stat st {};
        EXPECT_EQ(::stat(on_disk(name).c_str(), &st), 0) << name;
        return st;
    }
};

TEST_F(IdentityTest, FilesBelongToWhoMakesThem) {
    ops().put("a", "x");
    ASSERT_TRUE(ops().make_directory("d"));
    become(bob);
    ops().put("b", "x");
    EXPECT_EQ(stat_of("a").st_uid, alice);
    EXPECT_EQ(stat_of("a").st_gid, alice);
    EXPECT_EQ(stat_of("d").st_uid, alice);
    EXPECT_EQ(stat_of("b").st_uid, bob);
}

TEST_F(IdentityTest, TheKernelChecksTheCallersRights) {
    write_file(on_disk("roots"), "secret", 0600);
    EXPECT_EQ(ops().get("roots"), "<STATUS_ACCESS_DENIED>");
    EXPECT_EQ(status_of(ops().open("roots", {.access = vfs::access_write_data})),
              "STATUS_ACCESS_DENIED");
    EXPECT_EQ(name_of(ops().exists("roots")), "STATUS_SUCCESS");  // attributes need only the path
    ASSERT_EQ(::mkdir(on_disk("closed").c_str(), 0700), 0);
    write_file(on_disk("closed/file"), "secret");
    EXPECT_EQ(name_of(ops().exists("closed/file")), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(name_of(ops().exists("closed/missing")), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(status_of(ops().create("closed/new")), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(status_of(ops().open("closed", {.kind = vfs::WantKind::directory})),
              "STATUS_ACCESS_DENIED");
    ASSERT_EQ(::mkdir(on_disk("readonly").c_str(), 0755), 0);
    write_file(on_disk("readonly/file"), "x");
    EXPECT_EQ(status_of(ops().create("readonly/new")), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(status_of(ops().remove("readonly/file")), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(status_of(ops().rename("readonly/file", "mine")), "STATUS_ACCESS_DENIED");
    become(0);
    EXPECT_EQ(ops().get("roots"), "secret");
}

bool knows_lists(const std::string& path) {
    return ::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) >= 0 ||
           errno != EOPNOTSUPP;
}

// [acl(5)], as the kernel keeps it: version 2, then tag, permissions and id of each entry.
void set_list(const std::string& path, const std::vector<std::array<std::uint32_t, 3>>& entries) {
    std::string value("\2\0\0\0", 4);
    const auto put = [&value](std::uint32_t number, int bytes) {
        for (int i = 0; i < bytes; ++i) value += static_cast<char>(number >> (8 * i));
    };
    for (const auto& [tag, permissions, id] : entries) {
        put(tag, 2);
        put(permissions, 2);
        put(id, 4);
    }
    ASSERT_EQ(::setxattr(path.c_str(), "system.posix_acl_access", value.data(), value.size(), 0), 0)
        << std::strerror(errno);
}

constexpr std::uint32_t nobody_special = 0xFFFFFFFF;
enum Tag : std::uint32_t { owner = 1, user = 2, owners_group = 4, mask = 16, other = 32 };

// The mode shows the list's mask as the group's bits, and says nothing of those it names.
TEST_F(IdentityTest, AListTellsWhatItsUsersMay) {
    if (!knows_lists(on_disk(""))) GTEST_SKIP() << "a file system without lists";
    constexpr std::uint8_t r = 4, w = 2;
    write_file(on_disk("f"), "x", 0600);
    ASSERT_EQ(::chown(on_disk("f").c_str(), 0, group), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));  // so that the next is remembered
    EXPECT_EQ(ops().stat_path("f")->rights, std::nullopt);       // no list
    set_list(on_disk("f"), {{owner, 6, nobody_special},
                            {user, 7, alice},
                            {owners_group, 4, nobody_special},
                            {mask, 6, nobody_special},
                            {other, 0, nobody_special}});
    EXPECT_EQ(ops().stat_path("f")->rights, r | w);
    EXPECT_EQ(ops().get("f"), "x");
    auto file = ops().open("f", {.access = vfs::access_read_data | vfs::access_write_data});
    ASSERT_TRUE(file) << status_of(file);
    EXPECT_EQ(file->stat.rights, r | w);
    EXPECT_EQ(ops().stat(*file->file)->rights, r | w);
    EXPECT_TRUE(ops().close(*file->file));
    become(bob);
    EXPECT_EQ(ops().stat_path("f")->rights, 0);
    EXPECT_EQ(ops().get("f"), "<STATUS_ACCESS_DENIED>");
    become(bob, {group});
    EXPECT_EQ(ops().stat_path("f")->mode & 070U, 060U);  // but it may not write
    EXPECT_EQ(ops().stat_path("f")->rights, r);
    become(0);
    EXPECT_EQ(ops().stat_path("f")->rights, std::nullopt);  // root, and the owner
}

TEST_F(IdentityTest, AListingTellsItOnlyIfAsked) {
    if (!knows_lists(on_disk(""))) GTEST_SKIP() << "a file system without lists";
    for (const char* name : {"all", "listed", "own"}) write_file(on_disk(name), "x", 0600);
    ASSERT_EQ(::chown(on_disk("own").c_str(), alice, alice), 0);
    for (const char* name : {"listed", "own"}) {
        set_list(on_disk(name), {{owner, 6, nobody_special},
                                 {user, 4, alice},
                                 {owners_group, 0, nobody_special},
                                 {mask, 4, nobody_special},
                                 {other, 0, nobody_special}});
    }
    auto root = ops().open("", {.kind = vfs::WantKind::directory});
    ASSERT_TRUE(root);
    for (const bool wanted : {false, true}) {
        const auto entries = ops().list(*root->file, {.restart = true, .rights = wanted});
        ASSERT_TRUE(entries);
        std::map<std::string, std::optional<std::uint8_t>> rights;
        for (const auto& entry : *entries) rights[entry.name] = entry.stat.rights;
        EXPECT_EQ(rights.at("all"), std::nullopt);
        EXPECT_EQ(rights.at("own"), std::nullopt);
        EXPECT_EQ(rights.at("listed"), wanted ? std::optional<std::uint8_t>(4) : std::nullopt);
    }
    EXPECT_TRUE(ops().close(*root->file));
}

TEST_F(IdentityTest, SupplementaryGroupsCount) {
    write_file(on_disk("f"), "for the group", 0640);
    ASSERT_EQ(::chown(on_disk("f").c_str(), 0, group), 0);
    EXPECT_EQ(ops().get("f"), "<STATUS_ACCESS_DENIED>");
    become(alice, {61099, group});
    EXPECT_EQ(ops().get("f"), "for the group");
    become(alice, {61099});
    EXPECT_EQ(ops().get("f"), "<STATUS_ACCESS_DENIED>");
}

TEST_F(IdentityTest, AlternatingCallersNeverMixUp) {
    write_file(on_disk("alice"), "a", 0600);
    write_file(on_disk("bob"), "b", 0600);
    ASSERT_EQ(::chown(on_disk("alice").c_str(), alice, alice), 0);
    ASSERT_EQ(::chown(on_disk("bob").c_str(), bob, bob), 0);
    for (int i = 0; i < 300; ++i) {
        become(i % 2 == 0 ? alice : bob);
        EXPECT_EQ(ops().get("alice"), i % 2 == 0 ? "a" : "<STATUS_ACCESS_DENIED>");
        EXPECT_EQ(ops().get("bob"), i % 2 == 0 ? "<STATUS_ACCESS_DENIED>" : "b");
        const std::string name = "new-" + std::to_string(i);
        auto made = ops().create(name);  // on a worker
        ASSERT_TRUE(made) << status_of(made);
        EXPECT_EQ(made->stat.uid, ops().caller().uid);
        EXPECT_TRUE(ops().close(*made->file));
    }
}

TEST_F(IdentityTest, WithoutACallerNothingHappens) {
    vfs::OpenRequest request;
    request.disposition = Disposition::open_or_create;
    request.path = "x";
    std::promise<Result<vfs::OpenReply>> promise;
    harness_.run_on_loop([&] {
        static vfs::OpContext context;
        context.loop = &harness_.loop();
        ops().share().open(
            context, request,
            vfs::Done<vfs::OpenReply>(
                [](void* to, Result<vfs::OpenReply>&& result) {
                    static_cast<std::promise<Result<vfs::OpenReply>>*>(to)->set_value(
                        std::move(result));
                },
                &promise));
    });
    EXPECT_EQ(status_of(promise.get_future().get()), "STATUS_ACCESS_DENIED");
    EXPECT_NE(::access(on_disk("x").c_str(), F_OK), 0);
}

TEST_F(IdentityTest, ForceUserIsForEverybody) {
    PosixOptions options;
    options.force_user = ForcedIdentity{bob, bob, {}};
    mount(options);
    become(alice);
    ops().put("f", "x");
    EXPECT_EQ(stat_of("f").st_uid, bob);
    become(0);
    ops().put("g", "x");
    EXPECT_EQ(stat_of("g").st_uid, bob);
}

TEST_F(IdentityTest, WhoMayWriteMaySetTimesAndAttributes) {
    write_file(on_disk("shared"), "x", 0666);
    write_file(on_disk("readable"), "x", 0644);
    vfs::StatChange change;
    change.last_write_time = 126'543'168'000'000'000;
    change.attributes = 0x02;
    auto shared = ops().open("shared", {.access = vfs::access_attributes});
    ASSERT_TRUE(shared);
    auto set = ops().set_stat(*shared->file, change);
    EXPECT_TRUE(set) << status_of(set);
    EXPECT_EQ(ops().stat(*shared->file)->last_write_time, *change.last_write_time);
    auto readable = ops().open("readable", {.access = vfs::access_attributes});
    ASSERT_TRUE(readable);
    EXPECT_EQ(status_of(ops().set_stat(*readable->file, change)), "STATUS_ACCESS_DENIED");
    EXPECT_TRUE(ops().close(*shared->file));
    EXPECT_TRUE(ops().close(*readable->file));
}

TEST_F(IdentityTest, AttributesOfUnreadableFilesAreShown) {
    if (!ops().share().capabilities().dos_attributes) GTEST_SKIP() << "no user xattrs here";
    become(0);
    auto file = ops().open("f", {.disposition = Disposition::create, .attributes = 0x02});
    ASSERT_TRUE(file);
    EXPECT_TRUE(ops().close(*file->file));
    ASSERT_EQ(::chmod(on_disk("f").c_str(), 0600), 0);
    become(alice);
    EXPECT_EQ(ops().stat_path("f")->attributes, 0x22U);
    for (const auto& entry : ops().list_all("")) EXPECT_EQ(entry.stat.attributes, 0x22U);
    EXPECT_EQ(ops().get("f"), "<STATUS_ACCESS_DENIED>");  // and the thread is alice again
}

TEST_F(IdentityTest, WritingTakesTheSetUserIdBitAway) {
    write_file(on_disk("f"), "x", 04777);
    auto file = ops().open("f");
    ASSERT_TRUE(file);
    become(0);  // even if root's thread writes
    EXPECT_TRUE(ops().write(*file->file, 0, "evil"));
    EXPECT_TRUE(ops().close(*file->file));
    EXPECT_EQ(stat_of("f").st_mode & 07777U, 0777U);
}

TEST_F(IdentityTest, AsRootGoesBack) {
    write_file(on_disk("roots"), "x", 0600);
    harness_.run_on_loop([&] {
        ASSERT_TRUE(wear({alice, alice, {}}));
        EXPECT_LT(::open(on_disk("roots").c_str(), O_RDONLY | O_CLOEXEC), 0);
        {
            const AsRoot root;
            ASSERT_TRUE(root.ok());
            const int fd = ::open(on_disk("roots").c_str(), O_RDONLY | O_CLOEXEC);
            EXPECT_GE(fd, 0);
            ::close(fd);
        }
        EXPECT_LT(::open(on_disk("roots").c_str(), O_RDONLY | O_CLOEXEC), 0);
    });
}

}  // namespace
}  // namespace smb3d::vfs_posix
