#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/utf16.h"
#include "daemon/config_file.h"
#include "daemon/demo.h"
#include "daemon/directories.h"
#include "daemon/listeners.h"
#include "daemon/plugin_loader.h"
#include "daemon/reload.h"
#include "daemon/run_on_loop.h"
#include "daemon/shares.h"
#include "loop/loop.h"
#include "temporary.h"

namespace smb3d::daemon {
namespace {

std::shared_ptr<const Config> parsed(const std::string& text) {
    const auto loaded = parse_config(text, "t");
    EXPECT_TRUE(loaded.config) << loaded.errors.front().text();
    return loaded.config;
}

TEST(Reload, TheDifferenceIsFound) {
    const auto before = parsed(
        "[server]\ncomment=\"a\"\n[share.keep]\npath=\"/k\"\n[share.\"gone.x\"]\npath=\"/"
        "g\"\n[share.chg]\npath=\"/c\"\n");
    const auto after = parsed(
        "[server]\ncomment=\"b\"\nworkers=9\n[log.components]\nfsa=\"debug\"\n[share.keep]\npath="
        "\"/k\"\n"
        "[share.new]\npath=\"/n\"\n[share.chg]\npath=\"/c\"\nread_only=true\n");
    const Difference difference = compare(*before, *after);
    EXPECT_EQ(difference.shares_added, std::vector<std::string>{"new"});
    EXPECT_EQ(difference.shares_removed, std::vector<std::string>{"gone.x"});
    EXPECT_EQ(difference.shares_changed, std::vector<std::string>{"chg"});
    EXPECT_EQ(difference.settings,
              (std::vector<std::string>{"log.components.fsa: (none) -> \"debug\"",
                                        "server.comment: \"a\" -> \"b\""}));
    EXPECT_EQ(difference.needs_restart, std::vector<std::string>{"server.workers: 0 -> 9"});
    EXPECT_TRUE(difference.log_changed);
    EXPECT_FALSE(difference.auth_changed);
    EXPECT_TRUE(compare(*after, *after).empty());
    EXPECT_EQ(in_force(*before, *after).workers, 0U);
    EXPECT_EQ(in_force(*before, *after).comment, "b");
}

TEST(Reload, EveryKeyThatNeedsARestartStaysInForce) {
    const auto before = parsed("");
    const auto after = parsed(
        "[server]\nstate_dir=\"/s\"\nruntime_dir=\"/"
        "r\"\nloops=3\nworkers=9\nio=\"epoll\"\nmax_memory=\"2GiB\"\n"
        "[log]\ntarget=\"stderr\"\n[plugins]\nload=[\"/p.so\"]\n");
    const Difference difference = compare(*before, *after);
    EXPECT_EQ(difference.needs_restart.size(), 8U);
    EXPECT_TRUE(difference.settings.empty());
    EXPECT_TRUE(compare(*before, in_force(*before, *after)).empty());
}

TEST(Directories, AreMadeWithTheirMode) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.path() + "/state";
    ASSERT_TRUE(ensure_directory(path, 0700));
    struct ::stat st {};
    ASSERT_EQ(::stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0700U);
    EXPECT_TRUE(ensure_directory(path, 0700));
    ::chmod(path.c_str(), 0777);
    EXPECT_FALSE(ensure_directory(path, 0700));
    EXPECT_FALSE(ensure_directory(directory.write("file", ""), 0700));
    EXPECT_FALSE(ensure_directory("/nonexistent/deep/er", 0700));
}

TEST(Directories, ASecondInstanceIsRefused) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.path() + "/smb3d.pid";
    auto first = InstanceLock::take(path);
    ASSERT_TRUE(first);
    EXPECT_EQ(test::slurp(path), std::to_string(::getpid()) + "\n");
    const auto second = InstanceLock::take(path);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().find("another smb3d (process " + std::to_string(::getpid())),
              std::string::npos);
    { const InstanceLock moved = std::move(*first); }
    EXPECT_TRUE(InstanceLock::take(path));
}

TEST(Directories, TheServersIdentityStays) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.path() + "/server.guid";
    const auto first = server_guid(path);
    ASSERT_TRUE(first);
    EXPECT_EQ(*first, *server_guid(path));
    EXPECT_EQ((*first)[7] >> 4, 4);
    directory.write("server.guid", "short");
    EXPECT_FALSE(server_guid(path));
}

TEST(Directories, OpenFilesLeaveDescriptorsForTheRest) {
    EXPECT_EQ(open_files_that_fit(1048576, 262144), 262144U);
    EXPECT_EQ(open_files_that_fit(20000, 262144), 17244U);
    EXPECT_EQ(open_files_that_fit(20000, 1000), 1000U);
    EXPECT_EQ(open_files_that_fit(1024, 262144), 640U);
    EXPECT_EQ(open_files_that_fit(100, 262144), 16U);
    EXPECT_EQ(open_files_that_fit(0, 262144), 16U);
}

TEST(Directories, NetbiosNames) {
    EXPECT_EQ(netbios_name_of("filesrv.example"), "FILESRV");
    EXPECT_EQ(netbios_name_of("a-very-long-host-name"), "A-VERY-LONG-HOS");
    EXPECT_EQ(netbios_name_of(""), "SMB3D");
}

TEST(Plugins, OtherVersionsAreRefused) {
    Plugin plugin;
    plugin.name = "x";
    EXPECT_EQ(version_problem(plugin), "");
    plugin.minor = api_minor + 1;
    EXPECT_NE(version_problem(plugin), "");
    plugin.minor = api_minor - 1;  // its classes lack the newest virtual functions
    EXPECT_NE(version_problem(plugin), "");
    plugin = {};
    EXPECT_NE(version_problem(plugin), "");  // no name
    plugin.name = "x";
    plugin.major = api_major + 1;
    EXPECT_NE(version_problem(plugin), "");
    PluginLoader loader;
    EXPECT_FALSE(loader.load("/nonexistent.so"));
    EXPECT_EQ(loader.find("x"), nullptr);
}

// A loop that runs, for what the control thread does with loops.
class WithLoop : public testing::Test {
  protected:
    void SetUp() override {
        loop::LoopOptions options;
        options.buffers = &buffers_;
        std::string why_not;
        loop_ = loop::make_epoll_loop(0, options, why_not);
        ASSERT_TRUE(loop_) << why_not;
        thread_.start(*loop_, "test loop");
    }
    void TearDown() override { thread_.stop(); }
    SizedBufferPool buffers_;
    std::unique_ptr<loop::EventLoop> loop_;
    loop::LoopThread thread_;
};

using SharesOnLoop = WithLoop;
using LoopWork = WithLoop;

TEST_F(LoopWork, RunOnLoopWaits) {
    bool there = false;
    run_on_loop(*loop_, [&] { there = loop_->in_loop_thread(); });
    EXPECT_TRUE(there);
}

class FakeListener final : public transport::Listener {
  public:
    explicit FakeListener(const std::string& text) { address_.text = text; }
    const transport::Address& address() const override { return address_; }
    void stop(std::function<void()> closed) override { closed(); }

  private:
    transport::Address address_;
};
class FakeTransport final : public transport::Transport {
  public:
    const char* kind() const override { return "fake"; }
    std::expected<std::unique_ptr<transport::Listener>, std::string> listen(
        Loop&, const std::string& address, const transport::Limits&, transport::AdmitFunction,
        transport::AcceptFunction) override {
        ++calls;
        if (address == "taken:1") return std::unexpected("taken:1 is in use");
        return std::make_unique<FakeListener>(address);
    }
    int calls{0};
};

TEST_F(LoopWork, ListenersChangeAsADifference) {
    FakeTransport transport;
    Listeners listeners(transport, {loop_.get()}, {}, {}, {});
    EXPECT_TRUE(listeners.open_new({"a:1", "b:1"}).empty());
    EXPECT_EQ(listeners.open_new({"b:1", "c:1", "taken:1"}),
              std::vector<std::string>{"taken:1 is in use"});
    EXPECT_EQ(transport.calls, 4);
    EXPECT_EQ(listeners.close_others({"b:1", "c:1"}), std::vector<std::string>{"a:1"});
    EXPECT_EQ(listeners.addresses(), (std::vector<std::string>{"b:1", "c:1"}));
    listeners.stop_all();
    EXPECT_TRUE(listeners.addresses().empty());
}

TEST_F(SharesOnLoop, KeepWhatDidNotChange) {
    const test::TemporaryDirectory directory;
    const PluginLoader plugins;
    Shares shares({loop_.get()}, plugins);
    std::vector<std::string> problems;
    const std::string path = directory.path();
    const auto one = parsed("[share.a]\npath=\"" + path + "\"\n[share.B]\npath=\"" + path + "\"\n");
    auto first = shares.build(one->shares, problems);
    ASSERT_TRUE(problems.empty()) << problems.front();
    ASSERT_EQ(first.size(), 2U);
    const auto two =
        parsed("[share.a]\npath=\"" + path + "\"\ncomment=\"x\"\n[share.B]\npath=\"" + path +
               "\"\n[share.gone]\npath=\"/nonexistent\"\n[share.p]\npath=\"/"
               "\"\n[share.p.backend]\nplugin=\"none\"\n");
    auto second = shares.build(two->shares, problems);
    EXPECT_EQ(problems.size(), 2U);
    const std::string a = fold_name("a");
    const std::string b = fold_name("b");
    EXPECT_EQ(first[b], second[b]);
    EXPECT_NE(first[a], second[a]);
    EXPECT_EQ(first[a]->backend, second[a]->backend);
    EXPECT_EQ(second[a]->comment, "x");
    first.clear();
    second.clear();
    shares.build({}, problems);
    shares.collect();
    shares.release();
}

TEST(Demo, MakesAConfigurationThatWorks) {
    const test::TemporaryDirectory directory;
    const auto demo = make_demo(directory.path() + "/demo");
    ASSERT_TRUE(demo) << demo.error();
    EXPECT_NE(demo->welcome.find("smbclient //127.0.0.1/demo --port="), std::string::npos);
    EXPECT_TRUE(check_environment(*demo->config).empty());
    EXPECT_EQ(demo->config->shares.front().path, directory.path() + "/demo/share");
    EXPECT_TRUE(make_demo(directory.path() + "/demo")) << "a second time";
}

}  // namespace
}  // namespace smb3d::daemon
