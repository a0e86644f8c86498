// DurableWorld: clients whose handles outlive their connections and the server, for the durable
// simulation.
//
// Purpose: a model of what each client was promised (handles, leases, locks, contents) and a server
//   that loses connections, lets time pass, is killed and starts again; check() compares the two.
// Thread: one drives all clients.  Lifetime: a test's.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client/test_client.h"
#include "engine/server_impl.h"
#include "sim/sim_client.h"

namespace smb3d::test::durable_sim {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

inline constexpr unsigned clients = 3;
inline constexpr unsigned files = 3;
inline constexpr unsigned slots = 6;  // of a file: what is locked, read and written
inline constexpr std::uint64_t slot_size = 16;
inline constexpr milliseconds break_time_out{400};
inline constexpr milliseconds durable_time_out{300};
inline constexpr milliseconds persistent_time_out{1500};

struct Seen {
    unsigned opens{0}, durable{0}, resilient{0}, persistent{0}, breaks{0}, muted{0}, expired{0};
    unsigned reconnected{0}, refused_reconnects{0}, restarts{0}, locks{0}, lock_conflicts{0};
    unsigned lock_waits{0}, lock_replays{0}, create_replays{0}, stale{0}, instances{0}, writes{0};
    unsigned interrupted{0}, restored_locks{0}, locks_at_restarts{0};
};

enum class Kind : std::uint8_t { plain, durable, resilient, persistent };

struct Held {
    unsigned slot{0};
    bool exclusive{false};
};

struct Handle {
    unsigned file{0};
    wire::FileId id;
    Kind kind{Kind::plain};
    wire::Guid guid{};
    bool leased{false};
    bool instance{false};
    std::vector<Held> locks;
    std::optional<unsigned> unsure;  // a slot whose LOCK or UNLOCK the server's end cut off
    // Of a numbered LOCK or UNLOCK, the last one.
    std::optional<wire::LockRequest> numbered;
    bool away{false};
    bool disturbed{false};  // others used the file while it was away
    Clock::time_point left;
    milliseconds time_out{0};
};

struct Lease {
    std::uint32_t state{0};
    std::optional<std::uint32_t> breaking_to;  // told, and not answered
    std::uint32_t breaking_from{0};
    Clock::time_point told;
    unsigned breaks{0};         // that it was told of
    unsigned breaks_before{0};  // ... when it was asked for
    bool touched{false};        // by others, while its owner was away
    bool changed{false};
    bool mute{false};  // its owner let a break time out
};

struct Client {
    unsigned number{0};
    std::uint16_t dialect{0x0311};
    std::unique_ptr<TestClient> link;  // null: not connected
    std::map<unsigned, Lease> leases;  // by file
    std::vector<Handle> handles;
    std::vector<std::uint64_t> answers;  // acknowledgments under way
    bool mute{false};
    bool slow{false};
    std::uint8_t next_guid{1};
    std::uint32_t next_sequence{1};

    bool smb3() const { return dialect >= 0x0300; }
};

class World {
  public:
    explicit World(std::uint64_t seed);
    ~World();

    void step();
    void wind_down();
    const std::string& complaint() const { return complaint_; }
    Seen seen;

  private:
    // durable_world.cpp: the server, messages, what must hold
    void start();
    void change_and_settle();
    void send_without_waiting();
    void restart();
    void check_restored();
    void copy_store(const std::string& to);
    engine::ServerImpl& engine() { return static_cast<engine::ServerImpl&>(server_->engine()); }
    void complain(const std::string& what) {
        if (complaint_.empty()) complaint_ = "step " + std::to_string(step_) + ": " + what;
    }
    // With SMB3D_SIM_TRACE set: what happens, for a seed that complains.
    void trace(const std::string& what) const;
    bool connect(Client& client);
    void poll();
    void poll(Client& client);
    void notice(Client& client, const Reply& reply);
    void answer(Client& client, unsigned file);
    // The reply to a request, while all others answer what they are asked.
    Reply drive(Client& client, std::uint64_t request, const Handle* of = nullptr);
    void check_waited(const Client& client, unsigned file);
    bool settled(const std::function<std::string()>& difference);
    std::string difference();
    std::string conflicts();
    std::string handles_difference();
    std::string handle_difference(Client& client, Handle& handle, const engine::OpenInfo* info);
    void touched(const Client& by, const Handle& through, bool changes);

    // durable_acts.cpp: what happens
    void open(Client& client);
    void opened(Client& client, Handle handle, const Reply& reply);
    void lease_granted(Client& client, const Handle& handle, const Reply& reply, bool back);
    CreateOptions create_options(const Client& client, const Handle& handle);
    void close(Client& client);
    void closed(Client& client, std::size_t index);
    void write(Client& client);
    void stale_write(Client& client);
    void read(Client& client);
    void lock(Client& client);
    void unlock(Client& client);
    void wait_for_lock(Client& client);
    void release_slot(const Handle& but, unsigned slot);
    Reply send_lock(Client& client, Handle& handle, unsigned slot, std::uint32_t flags);
    void replay_lock(Client& client);
    void disconnect(Client& client);
    void reconnect(Client& client);
    void reconnect_wrongly(Client& client, const Handle& handle);
    void reconnect(Client& client, std::size_t index);
    Reply send_reconnect(Client& client, const Handle& handle, bool persistent, std::uint8_t guid,
                         std::uint8_t lease_key);
    void settle_unsure(Client& client, Handle& handle);
    void pass_time();
    Handle* some_handle(Client& client);
    bool is_unsure(unsigned file, unsigned slot) const;
    bool conflicts_with_locks(const Handle& handle, unsigned slot, bool exclusive) const;

    Chance chance_;
    std::string directory_;
    std::mutex disk_;
    std::shared_ptr<durable::Store> store_;
    std::shared_ptr<MemoryShare> share_;
    std::unique_ptr<TestServer> server_;
    std::array<Client, clients> clients_;
    std::array<std::array<std::uint64_t, slots>, files> content_{};
    std::uint64_t next_value_{1};
    unsigned step_{0};
    std::string complaint_;
};

std::string file_name(unsigned file);
wire::LeaseKey lease_key(const Client& client, unsigned file);

}  // namespace smb3d::test::durable_sim
