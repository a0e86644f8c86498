#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ctl/render_stats.h"
#include "daemon/admin_commands.h"
#include "daemon/admin_socket.h"
#include "daemon/config_file.h"
#include "temporary.h"

namespace smb3d::daemon {
namespace {

using nlohmann::json;

class FakeServer final : public engine::Server {
  public:
    Loop* admit(const transport::Address&) override { return nullptr; }
    void adopt(std::unique_ptr<transport::Link>) override {}
    std::vector<std::string> reconfigure(std::shared_ptr<const engine::ServerConfig>) override {
        return {};
    }
    void set_authority(std::shared_ptr<const auth::Authority>) override {}
    std::shared_ptr<const engine::ServerConfig> config() const override { return {}; }
    void set_interfaces(std::shared_ptr<const engine::NetworkInterfaces>) override {}
    std::vector<engine::ConnectionInfo> connections() override {
        return {{1, "1.2.3.4:5", "tcp", "3.1.1", 0}};
    }
    std::vector<engine::SessionInfo> sessions() override {
        engine::SessionInfo session;
        session.id = 0xFFFFFFFF00000001ULL;  // more than JSON readers keep as a number
        session.user = "anna";
        session.channels = {{"1.2.3.4:5", "tcp", 0, 0}};
        session.since = 116444736000000000ULL + 10000000ULL * 86400;
        return {session};
    }
    std::vector<engine::OpenInfo> opens() override {
        engine::OpenInfo open;
        open.id = 7;
        open.path = "bad\xed\xa0\x80name";  // an unpaired surrogate
        return {open};
    }
    std::vector<engine::ShareInfo> shares() override { return {}; }
    engine::Totals totals() override { return {}; }
    engine::Statistics statistics() override {
        engine::Activity activity;
        activity.record({false, false, 100, 65000, 3000});
        activity.record({true, false, 100, 73, 100'000'000'000});
        activity.record({false, true, 100, 73, 0});
        engine::Statistics out;
        for (auto* rows : {&out.commands, &out.shares, &out.transports}) {
            rows->emplace_back().name = "x\"y";
            rows->back().add(activity);
        }
        return out;
    }
    bool end_session(std::uint64_t id) override { return id == 0xFFFFFFFF00000001ULL; }
    bool close_open(std::uint64_t id) override { return id == 7; }
    bool break_lease(std::uint64_t id) override { return id == 7; }
    void use_store(std::shared_ptr<durable::Store>) override {}
    engine::RestoreReport restore() override { return {}; }
    std::size_t end_user(const std::string& user) override { return user == "anna" ? 2 : 0; }
    void stop(std::chrono::milliseconds) override {}
};

class FakeControl final : public Control {
  public:
    engine::Server& server() override { return server_; }
    DaemonStatus status() override { return {}; }
    std::shared_ptr<const Config> config() override { return parse_config("", "t").config; }
    ReloadReport reload() override { return {false, {"t:1:1: bad"}, {}, {}}; }
    std::string accounts_changed() override { return ""; }

  private:
    FakeServer server_;
};

class Admin : public testing::Test {
  protected:
    json ask(const std::string& command, const json& arguments = json::object()) {
        const json request = {{"command", command}, {"arguments", arguments}};
        return json::parse(commands_.run(request.dump()));
    }
    FakeControl control_;
    AdminCommands commands_{control_};
};

TEST_F(Admin, StatisticsAsFiguresAndAsPrometheusText) {
    const json result = ask("stats")["result"];
    const json& row = result["commands"][0];
    EXPECT_EQ(row["requests"], 3);
    EXPECT_EQ(row["errors"], 1);
    EXPECT_EQ(row["waited"], 1);
    EXPECT_EQ(row["bytes_out"], 65146);
    ASSERT_EQ(row["latency"].size(), 2U);  // who waited is in none
    EXPECT_EQ(row["latency"][0], json::array({3072, 1}));
    const std::string table = ctl::render_stats(result);
    EXPECT_NE(table.find("COMMAND"), std::string::npos);
    EXPECT_NE(table.find("> 69 s"), std::string::npos) << table;
    const std::string text = ctl::render_prometheus(result);
    for (const char* const line :
         {"# TYPE smb3d_command_duration_seconds histogram\n",
          "smb3d_share_requests_total{share=\"x\\\"y\"} 3\n",
          "smb3d_command_duration_seconds_bucket{command=\"x\\\"y\",le=\"2.048e-06\"} 0\n",
          "smb3d_command_duration_seconds_bucket{command=\"x\\\"y\",le=\"4.096e-06\"} 1\n",
          "smb3d_command_duration_seconds_bucket{command=\"x\\\"y\",le=\"+Inf\"} 2\n",
          "smb3d_transport_duration_seconds_sum{transport=\"x\\\"y\"} 100.000003000\n",
          "smb3d_connections 0\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    }
}

TEST_F(Admin, RepliesCarryTheSchemaVersion) {
    const json reply = ask("status");
    EXPECT_EQ(reply["schema_version"], admin_schema_version);
    EXPECT_EQ(reply["ok"], true);
    EXPECT_TRUE(reply["result"].contains("sessions"));
}

TEST_F(Admin, SessionsAreListedAndEndedByTheIdShown) {
    const json list = ask("session.list")["result"];
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0]["user"], "anna");
    EXPECT_EQ(list[0]["since"], "1970-01-02T00:00:00Z");
    EXPECT_EQ(list[0]["channels"][0]["peer"], "1.2.3.4:5");
    EXPECT_EQ(list[0]["channels"][0]["transport"], "tcp");
    EXPECT_EQ(list[0]["channels"][0]["loop"], 0);
    EXPECT_EQ(ask("session.kill", {{"id", list[0]["id"]}})["ok"], true);
    const json wrong = ask("session.kill", {{"id", "0x1"}});
    EXPECT_EQ(wrong["ok"], false);
    EXPECT_EQ(wrong["error"], "there is no session 0x1");
    EXPECT_EQ(ask("session.kill", {{"id", "one"}})["ok"], false);
    EXPECT_EQ(ask("session.kill", {{"id", 1}})["ok"], false);
    EXPECT_EQ(ask("session.kill")["ok"], false);
}

TEST_F(Admin, NamesThatAreNotUtf8DoNotBreakAListing) {
    EXPECT_EQ(ask("open.list")["ok"], true);
    EXPECT_EQ(ask("open.close", {{"id", "0x7"}})["ok"], true);
    EXPECT_EQ(ask("open.close", {{"id", "8"}})["ok"], false);
}

TEST_F(Admin, LogLevelsChangeAtRunTime) {
    const json set = ask("log.level", {{"component", "engine"}, {"level", "debug"}});
    EXPECT_EQ(set["result"]["engine"], "debug");
    EXPECT_EQ(log::level(log::Component::engine), log::Level::debug);
    EXPECT_EQ(ask("log.level", {{"level", "info"}})["result"].size(), log::component_count);
    EXPECT_EQ(log::level(log::Component::engine), log::Level::info);
    EXPECT_EQ(ask("log.level", {{"component", "x"}})["ok"], false);
    EXPECT_EQ(ask("log.level", {{"level", "loud"}})["ok"], false);
}

TEST_F(Admin, ARefusedReloadIsToldInTheResult) {
    const json result = ask("reload")["result"];
    EXPECT_EQ(result["applied"], false);
    EXPECT_EQ(result["errors"][0], "t:1:1: bad");
}

TEST_F(Admin, ConfigShowGivesValuesAndSources) {
    const json list = ask("config.show")["result"];
    EXPECT_GT(list.size(), 20U);
    EXPECT_EQ(list[0]["key"], "server.listen");
    EXPECT_EQ(list[0]["source"], "default");
}

TEST_F(Admin, DisabledUsersLoseTheirSessions) {
    EXPECT_EQ(ask("user.changed", {{"name", "anna"}})["result"]["sessions_ended"], 0);
    EXPECT_EQ(
        ask("user.changed", {{"name", "anna"}, {"end_sessions", true}})["result"]["sessions_ended"],
        2);
}

TEST_F(Admin, MalformedRequestsAreRefused) {
    for (const char* text :
         {"", "x", "[]", "{}", "{\"command\": 1}", "{\"command\": \"no.such\"}",
          "{\"command\": \"status\", \"arguments\": 1}",
          "{\"command\":\"session.kill\",\"arguments\":[]}",
          "{\"command\":\"user.changed\",\"arguments\":{\"name\":\"a\",\"end_sessions\":\"x\"}}"}) {
        const json reply = json::parse(commands_.run(text));
        EXPECT_EQ(reply["ok"], false) << text;
    }
}

class Socket : public testing::Test {
  protected:
    void SetUp() override {
        path_ = directory_.path() + "/s.sock";
        ASSERT_TRUE(
            socket_.open(path_, [](const std::string& request) { return "<" + request + ">"; }));
    }
    int connect() const {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        ::sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path_.c_str(), path_.size());
        EXPECT_EQ(::connect(fd, reinterpret_cast<const ::sockaddr*>(&address), sizeof address), 0);
        return fd;
    }
    void turn() {
        std::vector<::pollfd> fds;
        socket_.add_to(fds);
        ::poll(fds.data(), fds.size(), 20);
        socket_.handle(fds);
    }
    std::string read(int fd) {
        std::string text;
        char part[65536];
        for (int i = 0; i < 50; ++i) {
            turn();
            const ::ssize_t count = ::recv(fd, part, sizeof part, 0);
            if (count == 0) return text + "(end)";
            if (count > 0) text.append(part, static_cast<std::size_t>(count));
            if (count < 0 && !text.empty()) return text;
        }
        return text;
    }
    test::TemporaryDirectory directory_;
    std::string path_;
    AdminSocket socket_;
};

TEST_F(Socket, IsForItsOwnerOnly) {
    struct ::stat st {};
    ASSERT_EQ(::stat(path_.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777U, 0600U);
    socket_.close();
    EXPECT_NE(::stat(path_.c_str(), &st), 0);
}

TEST_F(Socket, AnswersEachLine) {
    const int fd = connect();
    ASSERT_EQ(::write(fd, "one\ntwo\nthr", 11), 11);
    EXPECT_EQ(read(fd), "<one>\n<two>\n");
    ASSERT_EQ(::write(fd, "ee\n", 3), 3);
    EXPECT_EQ(read(fd), "<three>\n");
    ::close(fd);
}

TEST_F(Socket, CutsOffEndlessRequests) {
    const int fd = connect();
    const std::string junk(32768, 'x');
    std::string end;
    for (int i = 0; i < 8; ++i) {
        if (::send(fd, junk.data(), junk.size(), MSG_NOSIGNAL) < 0) break;
        turn();
        turn();
    }
    char c = 0;
    EXPECT_LE(::recv(fd, &c, 1, 0), 0);
    std::vector<::pollfd> fds;
    socket_.add_to(fds);
    EXPECT_EQ(fds.size(), 1U);  // the listener alone
    ::close(fd);
}

TEST_F(Socket, CutsOffSilentClients) {
    const int fd = connect();
    turn();
    EXPECT_TRUE(socket_.expire(AdminSocket::Clock::now()));
    EXPECT_FALSE(socket_.expire(AdminSocket::Clock::now() + std::chrono::seconds(11)));
    ::close(fd);
}

TEST_F(Socket, TakesNoMoreThanItsLimitOfClients) {
    std::vector<int> clients;
    for (std::size_t i = 0; i < AdminSocket::max_clients + 4; ++i) {
        clients.push_back(connect());
        turn();
    }
    std::vector<::pollfd> fds;
    socket_.add_to(fds);
    EXPECT_EQ(fds.size(), AdminSocket::max_clients);
    for (const int fd : clients) ::close(fd);
}

}  // namespace
}  // namespace smb3d::daemon
