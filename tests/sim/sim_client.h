// SimClient: one client of the simulation: a seeded sequence of operations, and a model of the
// files that are its own.
//
// Thread: its own.  Lifetime: the TestServer outlives it.
// The model holds only what is certain: after a failed operation on a file of its own the client
// never uses that name again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/test_client.h"

namespace smb3d::test {

class Chance {
  public:
    explicit Chance(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}
    std::uint64_t below(std::uint64_t limit) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return (state_ >> 11) % limit;
    }
    bool one_in(std::uint64_t n) { return below(n) == 0; }

  private:
    std::uint64_t state_;
};

class SimClient {
  public:
    using Model = std::map<std::string, Message>;

    SimClient(TestServer& server, unsigned number, std::uint64_t seed);

    // Until `operations` are done or the server takes no more connections.
    void run(unsigned operations);
    const Model& model() const { return model_; }
    // The first thing that was wrong; empty if nothing was.
    const std::string& complaint() const { return complaint_; }
    std::uint64_t succeeded() const { return succeeded_; }
    // The server may end connections and refuse new ones: it is being stopped.
    void expect_stop() { stop_expected_ = true; }
    // An administrator ends sessions: what is sealed for one that is gone ends the connection
    // (3.3.5.2.1.1).
    void expect_administrator() { administrator_expected_ = true; }

  private:
    struct Handle {
        wire::FileId id;
        std::string name;
        bool own{false};
    };

    bool connect();
    void step();
    void open_own();
    void open_shared();
    void write_some();
    void read_some();
    void close_one();
    void rename_one();
    void remove_one();
    void list_some();
    void lock_one();
    void wait_for_lock();
    void burst();
    void compound();
    void reconnect_tree();
    void renew_session();
    void change_channel();
    void add_channel();
    void check_read(const Handle& handle, std::uint64_t offset, std::uint32_t length,
                    const Reply& reply);

    Handle* some_handle();
    // Notes a reply: the connection's loss, the session's end.  True if the request succeeded.
    bool noted(const Reply& reply);
    void forget(const std::string& name) { model_.erase(name); }
    void drop_connection();
    void complain(const std::string& what);
    std::string shared_name() { return "shared" + std::to_string(chance_.below(5)); }
    Message some_data();

    TestServer& server_;
    const unsigned number_;
    Chance chance_;
    std::unique_ptr<TestClient> client_;
    std::unique_ptr<TestClient> spare_;  // another channel of its session, or null
    std::vector<Handle> handles_;
    Model model_;
    unsigned names_{0};
    std::uint64_t succeeded_{0};
    bool stop_expected_{false};
    bool administrator_expected_{false};
    const char* operation_{""};
    bool over_{false};
    std::string complaint_;
};

}  // namespace smb3d::test
