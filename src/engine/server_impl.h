// ServerImpl: what Server is made of: the loops' states, the session and file tables.
//
// Thread: see server.h; LoopState belongs to its loop.
// Lifetime: outlives every connection, session and open.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "engine/break_timers.h"
#include "engine/connection.h"
#include "engine/durable_keeper.h"
#include "engine/host_guard.h"
#include "engine/host_watch.h"
#include "engine/lease_table.h"
#include "engine/outbox.h"
#include "engine/server.h"
#include "engine/session.h"
#include "engine/slow_requests.h"
#include "fsa/change_notify.h"
#include "fsa/file_table.h"

namespace smb3d::engine {

// What one loop holds; touched on its thread only, but for the atomics.
struct LoopState {
    explicit LoopState(Loop& event_loop) : loop(event_loop), outbox(event_loop), slow(*this) {}
    Loop& loop;
    Outbox outbox;
    SlowRequests slow;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections;
    std::size_t chains_under_way{0};      // of all its connections
    std::vector<std::byte> query_output;  // of QUERY_INFO, kept for its memory
    // This loop's copies, so that a request takes no lock to get them; replaced by a posted
    // message.
    std::shared_ptr<const ServerConfig> config;
    std::shared_ptr<const auth::Authority> authority;

    std::atomic<std::size_t> connection_count{0};  // read by admit() on other loops
    // Statistics: written by this loop, summed by the reader.
    LoopActivity activity;
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> bytes_read{0};
    std::atomic<std::uint64_t> bytes_written{0};
};

// What becomes of the durable opens of a session that ends: [MS-SMB2] 3.3.7.1.
enum class Preserve : bool { no, yes };

class ServerImpl final : public Server {
  public:
    ServerImpl(std::vector<Loop*> loops, std::shared_ptr<const ServerConfig> config,
               std::shared_ptr<const auth::Authority> authority);
    ~ServerImpl() override;

    Loop* admit(const transport::Address& peer) override;
    void adopt(std::unique_ptr<transport::Link> link) override;
    std::vector<std::string> reconfigure(std::shared_ptr<const ServerConfig> config) override;
    void set_authority(std::shared_ptr<const auth::Authority> authority) override;
    std::shared_ptr<const ServerConfig> config() const override;
    std::vector<ConnectionInfo> connections() override;
    std::vector<SessionInfo> sessions() override;
    std::vector<OpenInfo> opens() override;
    std::vector<ShareInfo> shares() override;
    Totals totals() override;
    Statistics statistics() override;
    bool end_session(std::uint64_t id) override;
    bool close_open(std::uint64_t id) override;
    bool break_lease(std::uint64_t open_id) override;
    std::size_t end_user(const std::string& user) override;
    void use_store(std::shared_ptr<durable::Store> store) override;
    RestoreReport restore() override;
    void set_interfaces(std::shared_ptr<const NetworkInterfaces> interfaces) override;
    void stop(std::chrono::milliseconds grace) override;

    // -- for the engine
    SessionTable session_table;
    fsa::FileTable files;
    LeaseTable leases;
    BreakTimers break_timers;
    fsa::ChangeNotifier notifier;
    DurableKeeper durable;
    HostWatches host_watches{*this};
    HostGuards host_guards{*this};

    LoopState& local(const Loop& loop) { return *locals_[loop.index()]; }
    // The message runs on the connection's loop, with null if the connection is gone: a normal
    // answer.
    void post_to_connection(std::uint64_t connection_id,
                            std::move_only_function<void(Connection*)> message);
    // The connection if it is there and this is its loop's thread.
    Connection* connection_here(std::uint64_t connection_id);
    // [MS-SMB2] 3.3.1.1 connections of a client, by ClientGuid, the oldest first.
    void client_negotiated(const ClientGuid& client, std::uint64_t connection_id);
    std::vector<std::uint64_t> connections_of(const ClientGuid& client);
    // A connection ended: its place under the limits is free.
    void connection_closed(Connection& connection);

    // Takes a session out of the table and ends it on all its channels but `except_connection`'s;
    // what it holds is then the caller's to release.  False if another did so.  `tell`: clients
    // that asked for notifications get one ([MS-SMB2] 2.2.44.1).
    bool detach_session(const std::shared_ptr<Session>& session, std::uint64_t except_connection,
                        bool tell = false);

    // Takes a session out of the table and releases all it holds, with `loop` for the I/O; nothing
    // happens if another did so.
    void end_session_on(const std::shared_ptr<Session>& session, Loop& loop,
                        std::uint64_t except_connection, bool tell = false);

    std::uint64_t next_persistent_id() {
        return next_persistent_id_.fetch_add(1, std::memory_order_relaxed);
    }
    // Opens count against ServerConfig::max_open_files.
    bool take_open(std::uint32_t limit);
    void return_open() { open_count_.fetch_sub(1, std::memory_order_relaxed); }

    // For a new tree of this share.
    std::shared_ptr<ShareActivity> share_activity(const std::string& share) {
        return share_activities_.of(share);
    }
    // Where a share's files are in `files`; to be asked once a tree.
    SharePlace place_of(const SharePolicy& policy);
    void tree_added(const SharePolicy& policy);
    void tree_removed(const SharePolicy& policy);
    std::size_t trees_of(const std::string& share);

    // Work that stop() waits for: connections, session teardowns.
    void work_began() { work_.fetch_add(1, std::memory_order_relaxed); }
    void work_ended() { work_.fetch_sub(1, std::memory_order_release); }

    // Runs `done` on some loop when every loop has looked at its sockets and has acted on what has
    // come by now, an end of a connection above all.
    void let_loops_look(std::move_only_function<void()> done);

    // Runs `function` on the loop's thread and waits; not on a loop.
    void run_on(Loop& loop, std::move_only_function<void()> function);

    std::uint64_t started_at() const { return started_at_; }

    // What FSCTL_QUERY_NETWORK_INTERFACE_INFO answers; never null.
    std::shared_ptr<const NetworkInterfaces> interfaces() const { return *interfaces_.lock(); }

  private:
    std::vector<Loop*> loops_;
    std::vector<std::unique_ptr<LoopState>> locals_;  // by Loop::index()
    Guarded<std::shared_ptr<const ServerConfig>, Rank::leaf> config_;
    std::uint64_t started_at_;
    Guarded<std::shared_ptr<const NetworkInterfaces>, Rank::leaf> interfaces_{
        std::make_shared<const NetworkInterfaces>()};

    struct Peers {
        std::unordered_map<std::string, std::size_t> connections;  // by host
        std::size_t total{0};
        std::unordered_map<std::uint64_t, Loop*> loop_of;  // connection id -> its loop
    };
    Guarded<Peers, Rank::leaf> peers_;
    Guarded<std::multimap<ClientGuid, std::uint64_t>, Rank::leaf> clients_;
    Guarded<std::unordered_map<std::string, std::size_t>, Rank::leaf> trees_by_share_;
    Guarded<std::unordered_map<std::string, fsa::ShareId>, Rank::leaf> stores_;
    ShareActivities share_activities_{loops_.size()};
    std::atomic<std::uint64_t> next_connection_id_{1};
    std::atomic<std::uint64_t> next_persistent_id_{1};
    std::atomic<std::size_t> open_count_{0};
    std::atomic<std::size_t> tree_count_{0};
    std::atomic<std::size_t> work_{0};
    std::atomic<bool> stopping_{false};
    // server_durable.cpp
    bool close_waiting(std::uint64_t id);
    void add_waiting(std::vector<OpenInfo>& list);
    void end_waiting();
    void end_waiting_of_gone_shares(const ServerConfig& config);
    // Ends sessions that nobody has used for long; on the first loop.
    void end_idle_sessions();
    struct OwnedTimer : Timer {
        ServerImpl* owner{nullptr};
    } idle_sweep_;
};

// CLOCK_MONOTONIC, for what may run on no loop.
std::uint64_t monotonic_ns();

// What the administrator is told of an open's oplock or lease.
void describe_caching(const fsa::Open& open, OpenInfo& info);

// A message to a loop: runs once, then is gone.
void post_function(Loop& loop, std::move_only_function<void()> function);

// Ends everything the session holds: cancels its requests, closes its opens, forgets its trees.
// `loop`: the current one.
Task<bool> release_session(ServerImpl& server, std::shared_ptr<Session> session, Loop& loop,
                           Preserve preserve);

// Takes an open out of use: no new operation begins, those under way end (waiting ones are
// cancelled), then file, locks and share modes are released and a pending deletion is done.  False
// if somebody else is closing it.
Task<Result<void>> close_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop);
// Its two halves: no operation is left after the first (false: somebody else did it) ...
Task<bool> drain_open(std::shared_ptr<Open> open, Loop& loop);
// ... and the second gives back what it holds.
Task<Result<void>> release_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop);
// An open that its session has let go: parked for its owner if it may stay (true), else closed.
Task<bool> leave_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop,
                      Preserve preserve);
// Closes an open of any session, or one that waits for its owner; false if somebody else does.
Task<bool> end_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop);

}  // namespace smb3d::engine
