// LeaseClient: a client of the lease simulation: what it caches by what it has been told, how it
// answers breaks, and whether the server thinks the same of it.
//
// Purpose: the client's half of [MS-SMB2] 3.2.5.7.5, 3.2.5.19 (epochs, breaks), with a model of its
//   leases, oplocks, locks and caches that LeaseWorld compares with the server's tables.
// Thread: one drives all clients; nothing here waits.
// Lifetime: the World outlives it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/test_client.h"
#include "engine/server_impl.h"
#include "sim/sim_client.h"

namespace smb3d::test {

using Clock = std::chrono::steady_clock;
inline constexpr std::chrono::milliseconds break_time_out{1000};

// What was seen to happen, so that a simulation that tries nothing fails.
struct Coverage {
    unsigned opens{0}, breaks{0}, acknowledged{0}, refused{0}, timed_out{0}, reconnected{0};
    unsigned locks{0}, lock_waits{0}, notified{0}, channels{0}, cached_reads{0}, listings{0};
};

// What all clients share.
struct World {
    World(TestServer& test_server, std::uint64_t seed) : server(test_server), chance(seed) {}
    TestServer& server;
    Chance chance;
    unsigned step{0};
    Coverage seen;
    std::string complaint;  // the first
    // A clock of requests, and when the last one was sent that made a file in a directory.
    std::uint64_t now{0};
    std::array<std::uint64_t, 2> created{};

    engine::ServerImpl& engine() { return static_cast<engine::ServerImpl&>(server.engine()); }
    void complain(const std::string& what) {
        if (complaint.empty()) complaint = "step " + std::to_string(step) + ": " + what;
    }
};

// Files whose names and contents the clients fight about; the first ones keep their names.
inline constexpr unsigned stable_files = 4;
inline constexpr unsigned moving_files = 6;
inline constexpr unsigned directories = 2;
inline constexpr unsigned first_directory = stable_files + moving_files;
std::string name_of(unsigned node, char separator = '\\');

class LeaseClient {
  public:
    LeaseClient(World& world, unsigned number);

    // Reads what has come, answers breaks that are due.
    void poll();
    // Begins something.
    void act();
    // Nothing more is begun: every break is answered, what waits is cancelled.
    void wind_down();
    bool idle() const { return outstanding_.empty(); }
    std::string waiting_for() const;
    void disconnect() { lose_session(true); }
    // "" if the server knows what this client knows; else the first difference.
    std::string compare();

  private:
    enum class Manner : std::uint8_t { now, later, never, wrong };
    struct PendingBreak {
        fsa::CacheState to{0};
        std::uint16_t epoch{0};
        Clock::time_point not_before;  // it was sent after this
        unsigned answer_at{0};         // step
        Manner manner{Manner::now};
    };
    struct Caching {
        fsa::CacheState state{0};
        std::optional<PendingBreak> pending;
        unsigned answering{0};  // acknowledgments under way
        bool uncertain{false};  // an answer was lost with its channel
    };
    struct LeaseModel {
        Caching caching;
        bool v2{true};
        bool known{false};
        std::uint16_t epoch{0};
        unsigned node{0};
        unsigned handles{0};
        unsigned creates{0}, closes{0};  // under way
        // What is cached under R, and counts what makes it doubtful.
        std::optional<std::uint64_t> value;
        std::optional<std::set<std::string>> listing;
        std::uint64_t generation{0};
        bool dirty{false};  // `value` is not written yet: cached under W
    };
    struct Range {
        std::uint64_t offset{0};
        bool exclusive{false};
    };
    struct Handle {
        wire::FileId id;
        unsigned node{0};
        std::optional<wire::LeaseKey> lease;
        Caching oplock;
        std::uint32_t access{0};
        std::vector<Range> locks;
        bool locks_uncertain{false};
        unsigned busy{0};  // lock or close under way
        bool notify{false};
        bool durable{false};
        wire::Guid create_guid{};
        bool v2{true};
    };
    struct Away {
        Handle handle;
        fsa::CacheState state{0};
    };
    using Done = std::function<void(const Reply&)>;
    struct Outstanding {
        TestClient* on{nullptr};
        std::uint64_t id{0};
        const char* what{""};
        bool may_wait{false};  // a lock, a watch: ends with a cancel
        bool cancelled{false};
        std::optional<unsigned> watches;  // this directory
        std::uint64_t since{0};           // World::now
        Done done;
        std::function<void()> lost;
    };
    struct Create {  // a CREATE under way
        unsigned node{0};
        std::optional<wire::LeaseKey> lease;
        wire::OplockLevel oplock{wire::OplockLevel::none};
        std::uint32_t access{0};
        fsa::CacheState state{0};  // of the lease that is asked for
        bool durable{false};
        bool overwrites{false};
        wire::Guid guid{};
        std::uint64_t sent{0};  // World::now
        std::optional<Away> away;
    };

    // lease_client.cpp: connections, requests, breaks
    bool connect();
    bool log_on(TestClient& client, bool first);
    void add_channel();
    void drop_channel();
    void lose_session(bool keep_durable);
    TestClient& channel();
    template <class Body>
    Outstanding& issue(const char* what, const Body& body, Done done,
                       std::function<void()> lost = {});
    void poll_channel(TestClient& client);
    void forget_requests(const TestClient* on);
    void notice(const Reply& reply);
    void lease_notice(const wire::LeaseBreakNotification& notice);
    void oplock_notice(const wire::OplockBreakNotification& notice);
    PendingBreak pending_break(fsa::CacheState to, std::uint16_t epoch);
    void answer_breaks(bool all);
    void answer_lease(const wire::LeaseKey& key, bool all);
    void flush(const wire::LeaseKey& key);
    void send_lease_answer(const wire::LeaseKey& key);
    void answer_oplock(std::uint64_t serial);
    void lease_answered(const wire::LeaseKey& key, std::uint16_t epoch, bool wrong,
                        Clock::time_point not_before, NtStatus status);
    void over(Caching& caching, Clock::time_point not_before);
    static bool due(const Caching& caching, unsigned step, bool all);
    LeaseModel& lease_of(const wire::LeaseKey& key);
    static void doubt(LeaseModel& lease) {
        ++lease.generation;
        if (!lease.dirty) lease.value.reset();
        lease.listing.reset();
    }
    std::string compare_handle(Handle& handle);
    std::string compare_caching(Caching& caching, const fsa::Caching& server, const char* what);
    std::string compare_cached(const LeaseModel& lease);

    // lease_client_acts.cpp: what it does
    void open_file();
    void open_directory();
    void reopen();
    void send_create(Create create, wire::CreateDisposition disposition, std::uint32_t options);
    bool may_request(const wire::LeaseKey& key);
    Message contexts_for(const Create& create);
    void opened(const Create& create, const Reply& reply);
    void take_lease_state(const wire::LeaseKey& key, const Reply& reply, bool reconnected);
    void close_handle();
    void close(std::uint64_t serial);
    void read();
    void write();
    void list();
    void lock();
    void unlock();
    void watch();
    void cancel_one();
    void rename_or_remove();
    void wrong_answer();
    void break_by_administrator();
    Handle* some_handle(bool file, std::uint64_t* serial);
    void touched(unsigned node);
    void names_in_doubt();
    static bool changes_names(const Outstanding& request);
    void closed(std::uint64_t serial);

    World& world_;
    const unsigned number_;
    const std::uint16_t dialect_;
    std::unique_ptr<TestClient> main_;
    std::unique_ptr<TestClient> spare_;
    Clock::time_point polled_;
    std::map<wire::LeaseKey, LeaseModel> leases_;
    std::map<std::uint64_t, Handle> handles_;
    std::vector<Away> away_;
    std::vector<Outstanding> outstanding_;
    std::uint64_t next_serial_{1};
    std::uint64_t next_value_{1};
    bool winding_down_{false};
    // Breaks may arrive that have been under way for long: the first channel they took is gone.
    Clock::time_point lenient_until_;
    // Requests whose answer is lost may still change names, without a break of our own leases.
    Clock::time_point no_listing_until_;
    unsigned session_{0};                   // counts them
    std::set<std::uint64_t> early_breaks_;  // of oplocks whose CREATE was not answered yet
};

template <class Body>
LeaseClient::Outstanding& LeaseClient::issue(const char* what, const Body& body, Done done,
                                             std::function<void()> lost) {
    TestClient& client = channel();
    Outstanding request;
    request.on = &client;
    request.what = what;
    request.done = std::move(done);
    request.lost = std::move(lost);
    request.since = ++world_.now;
    request.id = client.send(client.make(body));
    outstanding_.push_back(std::move(request));
    return outstanding_.back();
}

}  // namespace smb3d::test
