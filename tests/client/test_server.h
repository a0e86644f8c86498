// TestServer: an engine on real loops with one hostile share, and the TestAuthority that needs no
// accounts.
//
// Thread: the test's.  Lifetime: stop() (or the destructor) ends loops and workers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer_pool.h"
#include "client/test_link.h"
#include "engine/server.h"
#include "loop/loop.h"
#include "loop/worker_pool.h"
#include "support/memory_vfs.h"

namespace smb3d::test {

// Tokens are names: "alice" logs on at once, "2/alice" in two legs, "guest" and "anonymous" become
// what they say, "old" gets a session that has expired already, "bad" is refused.  The session key
// is `test_session_key`.
class TestAuthority final : public auth::Authority {
  public:
    // `on_worker`: every leg goes to the worker pool.
    explicit TestAuthority(bool on_worker = false) : on_worker_(on_worker) {}
    std::vector<std::byte> hint() const override { return std::vector<std::byte>(4); }
    std::unique_ptr<auth::Exchange> begin(const auth::Peer& peer) const override;

  private:
    bool on_worker_;
};
std::vector<std::byte> test_session_key();

struct TestServerOptions {
    unsigned loops{1};
    Hostility hostility{};
    bool logon_on_worker{false};
    // Changes the configuration before the server is made.
    std::function<void(engine::ServerConfig&)> configure{};
    // Changes the policy of "data".
    std::function<void(engine::SharePolicy&)> policy{};
    // The files of an earlier server; else it begins with none.
    std::shared_ptr<MemoryShare> share{};
    // Where persistent handles are kept; what is in it is restored.
    std::shared_ptr<durable::Store> store{};
};

class TestServer {
  public:
    explicit TestServer(TestServerOptions options = {});
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;
    ~TestServer();

    engine::Server& engine() { return *server_; }
    MemoryShare& share() { return *share_; }
    Loop& loop(std::size_t index) { return *loops_[index]; }
    std::shared_ptr<MemoryShare> shared_share() { return share_; }
    const engine::RestoreReport& restored() const { return restored_; }
    const engine::ServerConfig& config() const { return *config_; }
    std::shared_ptr<const engine::SharePolicy> policy() const { return policy_; }
    // Null if the server refuses it.
    std::unique_ptr<LinkEnd> connect(const std::string& host = "192.0.2.1");
    void stop(std::chrono::milliseconds grace = std::chrono::milliseconds(2000));
    // The loop does nothing else for so long from now on.
    void keep_busy(unsigned loop, std::chrono::milliseconds time);

    // Waits until `condition` holds; false if it does not within ten seconds.
    static bool eventually(const std::function<bool()>& condition);
    // No connection, session, tree, open is left, nor a file open in the back end.
    bool all_released();
    std::string leftovers();

  private:
    SizedBufferPool buffers_;
    loop::WorkerThreads workers_;
    std::vector<std::unique_ptr<loop::EventLoop>> loops_;
    std::vector<std::unique_ptr<loop::LoopThread>> threads_;
    std::shared_ptr<MemoryShare> share_;
    std::shared_ptr<const engine::SharePolicy> policy_;
    std::shared_ptr<const engine::ServerConfig> config_;
    std::unique_ptr<engine::Server> server_;
    engine::RestoreReport restored_;
    bool stopped_{false};
};

}  // namespace smb3d::test
