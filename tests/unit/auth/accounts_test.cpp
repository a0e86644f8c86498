// The account file: what is kept, what is refused, and what a Caller has.
#include "auth/accounts.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "auth_fixture.h"
#include "temporary_directory.h"

namespace smb3d::auth::test {
namespace {

class Accounts : public ::testing::Test {
  protected:
    std::string text() const {
        std::ifstream in(file_.path());
        std::stringstream out;
        out << in.rdbuf();
        return out.str();
    }
    void put(const std::string& content, ::mode_t mode = 0600) const {
        std::ofstream(file_.path()) << content;
        ::chmod(file_.path().c_str(), mode);
    }
    std::string read_error() const {
        const auto listed = file_.list();
        return listed ? std::string() : listed.error();
    }

    TemporaryDirectory directory_;
    AccountFile file_{directory_.path() + "/accounts.toml"};
};

TEST_F(Accounts, NoFileMeansNoAccounts) {
    const auto listed = file_.list();
    ASSERT_TRUE(listed);
    EXPECT_TRUE(listed->empty());
}

TEST_F(Accounts, AddChangeDisableRemove) {
    ASSERT_TRUE(file_.add("nobody", "secret", "No \"Body\"\n"));
    ASSERT_TRUE(file_.add("daemon", "Password"));
    auto listed = file_.list();
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 2U);
    EXPECT_EQ((*listed)[0].name, "nobody");
    EXPECT_EQ((*listed)[0].full_name, "No \"Body\"\n");
    EXPECT_EQ((*listed)[0].created.size(), std::string("2025-01-01T00:00:00Z").size());
    EXPECT_FALSE((*listed)[0].disabled);
    // [MS-NLMP] 4.2.2.1.2
    EXPECT_NE(text().find("a4f49c406510bdcab6824ee7c30fd852"), std::string::npos);
    EXPECT_EQ(text().find("secret"), std::string::npos);

    ASSERT_TRUE(file_.set_password("DAEMON", "other"));
    EXPECT_EQ(text().find("a4f49c406510bdcab6824ee7c30fd852"), std::string::npos);
    ASSERT_TRUE(file_.set_disabled("daemon", true));
    EXPECT_TRUE((*file_.list())[1].disabled);
    ASSERT_TRUE(file_.set_disabled("daemon", false));
    EXPECT_FALSE((*file_.list())[1].disabled);
    ASSERT_TRUE(file_.remove("daemon"));
    EXPECT_EQ(file_.list()->size(), 1U);
}

TEST_F(Accounts, TheFileIsOnlyForItsOwnerWhateverTheMask) {
    const ::mode_t before = ::umask(0);
    ASSERT_TRUE(file_.add("nobody", "secret"));
    ::umask(before);
    struct stat status {};
    ASSERT_EQ(::stat(file_.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    ASSERT_EQ(::stat((file_.path() + ".lock").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(Accounts, ErrorsSayWhatToDo) {
    const auto no_user = file_.add("smb3d-no-such-user", "secret");
    ASSERT_FALSE(no_user);
    EXPECT_NE(no_user.error().find("useradd"), std::string::npos);
    ASSERT_TRUE(file_.add("nobody", "secret"));
    const auto twice = file_.add("nobody", "secret");
    ASSERT_FALSE(twice);
    EXPECT_NE(twice.error().find("passwd"), std::string::npos);
    EXPECT_FALSE(file_.set_password("daemon", "x"));
    EXPECT_FALSE(file_.set_disabled("daemon", true));
    EXPECT_FALSE(file_.remove("daemon"));
    EXPECT_FALSE(file_.set_password("nobody", ""));
    EXPECT_FALSE(file_.set_password("nobody", "\xFF"));
    EXPECT_FALSE(file_.set_password("nobody", std::string(257, 'x')));
    EXPECT_TRUE(file_.set_password("nobody", std::string(256, 'x')));
    for (const char* name : {"", "a/b", "a\\b", "a@b", "a\nb", "\xFF"}) {
        EXPECT_FALSE(file_.add(name, "secret")) << name;
    }
}

TEST_F(Accounts, AFileThatOthersCanReachIsRefused) {
    ASSERT_TRUE(file_.add("nobody", "secret"));
    for (const ::mode_t mode : {0640U, 0604U, 0620U, 0601U}) {
        ASSERT_EQ(::chmod(file_.path().c_str(), mode), 0);
        EXPECT_NE(read_error().find("chmod 600"), std::string::npos) << mode;
        EXPECT_FALSE(file_.add("daemon", "secret"));
        EXPECT_FALSE(AccountSnapshot::load(file_.path(), "NAS", ""));
    }
    ASSERT_EQ(::chmod(file_.path().c_str(), 0600), 0);
    EXPECT_TRUE(file_.list());
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown(file_.path().c_str(), 12345, 0), 0);
        EXPECT_NE(read_error().find("chown root"), std::string::npos);
    }
}

TEST_F(Accounts, ALinkOrADirectoryIsRefused) {
    ASSERT_TRUE(file_.add("nobody", "secret"));
    const std::string real = directory_.path() + "/real";
    ASSERT_EQ(::rename(file_.path().c_str(), real.c_str()), 0);
    ASSERT_EQ(::symlink(real.c_str(), file_.path().c_str()), 0);
    EXPECT_NE(read_error().find("symbolic link"), std::string::npos);
    ASSERT_EQ(::unlink(file_.path().c_str()), 0);
    ASSERT_EQ(::mkdir(file_.path().c_str(), 0700), 0);
    EXPECT_NE(read_error().find("regular file"), std::string::npos);
    ASSERT_EQ(::rmdir(file_.path().c_str()), 0);
}

TEST_F(Accounts, MalformedFilesAreRefusedWithThePlace) {
    const std::string hash = "nt_hash = \"a4f49c406510bdcab6824ee7c30fd852\"\n";
    const std::string malformed[] = {
        "[[account]\n",
        "version = 2\n",
        "other = 1\n",
        "account = 3\n",
        "account = [3]\n",
        "[[account]]\n" + hash,
        "[[account]]\nname = \"a\"\n",
        "[[account]]\nname = \"a\"\nnt_hash = \"a4f49c40\"\n",
        "[[account]]\nname = \"a\"\nnt_hash = \"g4f49c406510bdcab6824ee7c30fd852\"\n",
        "[[account]]\nname = \"a\"\nextra = 1\n" + hash,
        "[[account]]\nname = \"a\"\ndisabled = \"no\"\n" + hash,
    };
    for (const std::string& content : malformed) {
        put(content);
        EXPECT_NE(read_error().find(file_.path()), std::string::npos) << content;
        EXPECT_EQ(read_error().find("a4f49c40"), std::string::npos) << read_error();
        EXPECT_FALSE(file_.add("nobody", "secret"));
        EXPECT_EQ(text(), content);  // not replaced
    }
    put("version = 1\n[[account]]\nname = \"a\"\n" + hash);
    EXPECT_EQ(file_.list()->size(), 1U);
}

TEST_F(Accounts, ChangesAtOnceExcludeEachOther) {
    ASSERT_TRUE(file_.add("nobody", "secret"));
    ASSERT_TRUE(file_.add("daemon", "secret"));
    const auto toggle = [this](const char* name) {
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(file_.set_disabled(name, i % 2 == 0));
    };
    std::thread other([&] { toggle("nobody"); });
    toggle("daemon");
    other.join();
    const auto listed = file_.list();
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 2U);
    EXPECT_FALSE((*listed)[0].disabled);
    EXPECT_FALSE((*listed)[1].disabled);
}

TEST_F(Accounts, NoTemporaryFileStaysBehind) {
    ASSERT_TRUE(file_.add("nobody", "secret"));
    ASSERT_TRUE(file_.remove("nobody"));
    int entries = 0;
    ::DIR* directory = ::opendir(directory_.path().c_str());
    ASSERT_NE(directory, nullptr);
    while (const ::dirent* entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.') ++entries;
    }
    ::closedir(directory);
    EXPECT_EQ(entries, 2);  // the file and its lock
}

TEST_F(Accounts, SnapshotResolvesSystemUsers) {
    ASSERT_TRUE(file_.add("nobody", "Password"));
    ASSERT_TRUE(file_.add("root", "Password"));
    std::ofstream(file_.path(), std::ios::app)
        << "[[account]]\nname = \"smb3d-gone\"\nnt_hash = \"a4f49c406510bdcab6824ee7c30fd852\"\n";
    const auto snapshot = AccountSnapshot::load(file_.path(), "NAS", "nobody");
    ASSERT_TRUE(snapshot) << snapshot.error();
    EXPECT_EQ((*snapshot)->size(), 2U);  // smb3d-gone is left out
    EXPECT_EQ((*snapshot)->find("smb3d-gone"), nullptr);
    const Account* nobody = (*snapshot)->find("NoBody");
    ASSERT_NE(nobody, nullptr);
    EXPECT_EQ(nobody->caller->domain, "NAS");
    EXPECT_NE(nobody->caller->uid, 0U);
    EXPECT_TRUE((*snapshot)->guest()->guest);
    EXPECT_TRUE((*snapshot)->anonymous()->anonymous);
    EXPECT_EQ((*snapshot)->find("root")->caller->uid, 0U);
}

// Loops and workers keep the identity of the last caller whose files they opened.
TEST_F(Accounts, AreReadWhateverIdentityTheThreadWears) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_TRUE(file_.add("nobody", "Password"));
    ::chmod(directory_.path().c_str(), 0700);
    const AccountStamp before = stamp_accounts(file_.path());
    ::setfsuid(65534);
    const AccountStamp stamp = stamp_accounts(file_.path());
    const auto snapshot = AccountSnapshot::load(file_.path(), "NAS", "");
    const int worn = ::setfsuid(0);
    EXPECT_EQ(worn, 65534);
    EXPECT_EQ(stamp, before);
    ASSERT_TRUE(snapshot) << snapshot.error();
    EXPECT_EQ((*snapshot)->size(), 1U);
}

TEST_F(Accounts, GuestMustBeAnOrdinarySystemUser) {
    EXPECT_FALSE(AccountSnapshot::load(file_.path(), "NAS", "smb3d-no-such-user"));
    EXPECT_FALSE(AccountSnapshot::load(file_.path(), "NAS", "root"));
    const auto none = AccountSnapshot::load(file_.path(), "NAS", "");
    ASSERT_TRUE(none);
    EXPECT_EQ((*none)->guest(), nullptr);
    EXPECT_EQ((*none)->anonymous(), nullptr);
}

TEST_F(Accounts, StampTellsOfEveryChange) {
    AccountStamp last = stamp_accounts(file_.path());
    EXPECT_EQ(stamp_accounts(file_.path()), last);
    const auto changed = [&] {
        const AccountStamp now = stamp_accounts(file_.path());
        const bool other = now != last;
        last = now;
        return other;
    };
    ASSERT_TRUE(file_.add("nobody", "secret"));
    EXPECT_TRUE(changed());
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(file_.set_disabled("nobody", i % 2 == 0));
        EXPECT_TRUE(changed()) << i;
    }
    EXPECT_FALSE(changed());
}

using Raw = std::vector<std::uint8_t>;
bool has_sid(const Caller& caller, const Raw& sid) {
    return std::ranges::find(caller.sids, sid) != caller.sids.end();
}

const Raw administrators{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
const Raw authenticated_users{1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0};

TEST(Callers, MsDtyp_2_4_2_SidsOfAUser) {
    const auto caller = make_caller("alice", "NAS", 1001, 100, {27});
    EXPECT_EQ(caller->sids[0], (Raw{1, 2, 0, 0, 0, 0, 0, 22, 1, 0, 0, 0, 0xE9, 3, 0, 0}));
    EXPECT_EQ(caller->sids[1], (Raw{1, 2, 0, 0, 0, 0, 0, 22, 2, 0, 0, 0, 100, 0, 0, 0}));
    EXPECT_EQ(caller->sids[2], (Raw{1, 2, 0, 0, 0, 0, 0, 22, 2, 0, 0, 0, 27, 0, 0, 0}));
    EXPECT_TRUE(has_sid(*caller, {1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}));  // Everyone
    EXPECT_TRUE(has_sid(*caller, {1, 1, 0, 0, 0, 0, 0, 5, 2, 0, 0, 0}));  // Network
    EXPECT_TRUE(has_sid(*caller, {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0}));  // Users
    EXPECT_TRUE(has_sid(*caller, authenticated_users));
    EXPECT_FALSE(has_sid(*caller, administrators));
    EXPECT_TRUE(has_privilege(*caller, Privilege::change_notify));
    EXPECT_FALSE(has_privilege(*caller, Privilege::backup));
}

TEST(Callers, TheSuperuserIsAnAdministrator) {
    const auto caller = make_caller("root", "NAS", 0, 0, {});
    EXPECT_TRUE(has_sid(*caller, administrators));
    for (const Privilege privilege : {Privilege::backup, Privilege::restore, Privilege::security,
                                      Privilege::take_ownership, Privilege::change_notify}) {
        EXPECT_TRUE(has_privilege(*caller, privilege));
    }
}

TEST(Callers, GuestsAndAnonymousAreNotAuthenticatedUsers) {
    EXPECT_FALSE(has_sid(*make_guest_caller("NAS", 65534, 65534), authenticated_users));
    EXPECT_FALSE(has_sid(*make_anonymous_caller(65534, 65534), authenticated_users));
}

}  // namespace
}  // namespace smb3d::auth::test
