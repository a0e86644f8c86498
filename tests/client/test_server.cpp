#include "client/test_server.h"

#include <cstdlib>
#include <future>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "base/log.h"
#include "base/utf16.h"
#include "engine/server_impl.h"

namespace smb3d::test {

namespace {

class TestExchange final : public auth::Exchange {
  public:
    explicit TestExchange(bool on_worker) : on_worker_(on_worker) {}
    bool may_block() const override { return on_worker_; }
    Result<auth::Step> step(Bytes token) override {
        const std::string name(reinterpret_cast<const char*>(token.data()), token.size());
        auth::Step step;
        if (name.starts_with("2/") && !challenged_) {
            challenged_ = true;
            step.token.resize(8);
            return step;
        }
        const std::string user = name.starts_with("2/") ? name.substr(2) : name;
        if (user.empty() || user == "bad") return fail(NtStatus::LOGON_FAILURE);
        auto caller = std::make_shared<Caller>();
        caller->user = user;
        caller->domain = "TEST";
        caller->guest = user == "guest";
        caller->anonymous = user == "anonymous";
        step.complete = true;
        step.identity.caller = std::move(caller);
        step.identity.mechanism = "TEST";
        if (user != "guest") step.identity.session_key = test_session_key();
        if (user == "old") step.identity.expires = 1;
        return step;
    }

  private:
    bool on_worker_;
    bool challenged_{false};
};

}  // namespace

std::vector<std::byte> test_session_key() {
    std::vector<std::byte> key(16);
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(0xA0 + i);
    return key;
}

std::unique_ptr<auth::Exchange> TestAuthority::begin(const auth::Peer&) const {
    return std::make_unique<TestExchange>(on_worker_);
}

TestServer::TestServer(TestServerOptions options) {
    for (const auto component : {log::Component::engine, log::Component::auth}) {
        log::set_level(component, std::getenv("SMB3D_TEST_LOG") != nullptr ? log::Level::debug
                                                                           : log::Level::off);
    }
    workers_.start(3, "worker");
    std::vector<Loop*> loops;
    for (unsigned i = 0; i < options.loops; ++i) {
        loop::LoopOptions loop_options;
        loop_options.buffers = &buffers_;
        loop_options.pool = &workers_;
        std::string why;
        loops_.push_back(loop::make_epoll_loop(i, loop_options, why));
        if (loops_.back() == nullptr) std::abort();
        threads_.push_back(std::make_unique<loop::LoopThread>());
        threads_.back()->start(*loops_.back(), "loop");
        loops.push_back(loops_.back().get());
    }
    share_ =
        options.share ? options.share : std::make_shared<MemoryShare>(std::move(options.hostility));
    auto policy = std::make_shared<engine::SharePolicy>();
    policy->name = "data";
    policy->backend = share_;
    if (options.policy) options.policy(*policy);
    policy_ = policy;
    auto config = std::make_shared<engine::ServerConfig>();
    config->guid.fill(0x5A);
    config->netbios_name = "TEST";
    config->signing_required = false;
    config->shares.emplace(fold_name("data"), policy);
    config->persistent_handles = options.store != nullptr;
    if (options.configure) options.configure(*config);
    config_ = config;
    server_ = engine::Server::create(loops, config_,
                                     std::make_shared<TestAuthority>(options.logon_on_worker));
    if (options.store) {
        server_->use_store(options.store);
        restored_ = server_->restore();
    }
}

TestServer::~TestServer() { stop(); }

void TestServer::stop(std::chrono::milliseconds grace) {
    if (std::exchange(stopped_, true)) return;
    server_->stop(grace);
    workers_.stop();
    for (auto& thread : threads_) thread->stop();
}

std::unique_ptr<LinkEnd> TestServer::connect(const std::string& host) {
    transport::Address peer;
    peer.host = host;
    peer.text = host + ":50000";
    Loop* const loop = server_->admit(peer);
    if (loop == nullptr) return nullptr;
    auto core = std::make_shared<LinkCore>();
    core->loop = loop;
    post_to(*loop, [this, core, peer] { server_->adopt(std::make_unique<TestLink>(core, peer)); });
    return std::make_unique<LinkEnd>(core);
}

void TestServer::keep_busy(unsigned loop, std::chrono::milliseconds time) {
    std::promise<void> begun;
    engine::post_function(*loops_.at(loop), [&begun, time] {
        begun.set_value();
        std::this_thread::sleep_for(time);
    });
    begun.get_future().wait();
}

bool TestServer::eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

bool TestServer::all_released() {
    return eventually([this] { return leftovers().empty(); });
}

std::string TestServer::leftovers() {
    const engine::Totals totals = server_->totals();
    const MemoryCounters back_end = share_->counters();
    if (totals.connections + totals.sessions + totals.trees + totals.opens + back_end.open_files ==
        0) {
        return {};
    }
    return fmt::format("{} connections, {} sessions, {} trees, {} opens, {} files in the back end",
                       totals.connections, totals.sessions, totals.trees, totals.opens,
                       back_end.open_files);
}

}  // namespace smb3d::test
