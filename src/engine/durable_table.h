// DurableTable: opens that may outlive their connection, and those that have.
//
// Purpose: finds an open by its persistent id, its create GUID or its application instance,
//   whatever session it belongs to, and decides whose it is while it changes hands.
// Spec: [MS-SMB2] 3.3.1.6 GlobalOpenTable, 3.3.5.9.7, .10, .12, .13 (lookups), 3.3.7.1.
// Thread: any.  Watchers are signalled with no lock held.
// Lifetime: the server's.  It holds every open that is in it; an open leaves with remove().
//
// An entry's places:
//   connected  begin_leaving                           -> leaving: its operations are ending
//   leaving    parked                                  -> waiting for its owner, until the deadline
//   waiting    claim                                   -> claimed by the one who reconnects or
//                                                         closes it
//   claimed    connected_again                         -> connected (another Open object)
//   any        remove                                  -> gone
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "engine/durability.h"
#include "engine/open.h"

namespace smb3d::engine {

enum class OpenPlace : std::uint8_t { connected, leaving, waiting, claimed };

class DurableTable {
  public:
    // An open with Durability::any(), before its session knows of it; false if it is there already.
    bool add(const std::shared_ptr<Open>& open);
    // It was closed.  Only if this very object is in the table.
    bool remove(const Open& open);

    struct Found {
        std::shared_ptr<Open> open;  // null: there is none
        OpenPlace place{OpenPlace::connected};
    };
    Found find(std::uint64_t persistent_id) const;
    // One relaxed load, for what persistent handles alone need.
    bool any_persistent() const { return persistent_.load(std::memory_order_relaxed) != 0; }
    // Persistent opens by Open.CreateGuid alone: [MS-SMB2] 3.3.5.9.12.
    std::shared_ptr<Open> find_persistent(const wire::Guid& create_guid) const;
    // Opens with this Open.AppInstanceId.
    std::vector<std::shared_ptr<Open>> instances(const wire::Guid& app_instance_id) const;

    // -- losing and finding the owner
    struct Limits {
        std::size_t waiting{0};
        std::size_t waiting_of_client{0};
    };
    // False if it is not in the table (any more), or too many wait already: close it.
    bool begin_leaving(const Open& open, const Limits& limits);
    void parked(const Open& open, std::uint64_t deadline_ns);
    // Takes a waiting open; false if it is not waiting.
    bool claim(const Open& open);
    void connected_again(const Open& old, const std::shared_ptr<Open>& open);
    // True if `signal` will be set when the entry's place changes; false if it is not leaving or
    // claimed.
    bool watch(std::uint64_t persistent_id, Signal& signal);

    // -- time
    // Claims those whose time is over.
    std::vector<std::shared_ptr<Open>> take_expired(std::uint64_t now_ns);
    // Claims all that wait.
    std::vector<std::shared_ptr<Open>> take_waiting();
    std::optional<std::uint64_t> next_deadline() const;

    // -- replay: [MS-SMB2] 3.3.5.9.10
    struct Reservation {
        bool fresh{false};           // nobody has it: the caller has reserved it
        std::shared_ptr<Open> open;  // else the open that has it; null: its CREATE is under way,
        bool sharing{false};         // and waits for others' share modes to go
    };
    Reservation reserve(const wire::Guid& client, const wire::Guid& create_guid);
    // The CREATE that reserved it waits for others.
    void waits(const wire::Guid& client, const wire::Guid& create_guid, bool sharing);
    // The CREATE that reserved it failed.
    void release(const wire::Guid& client, const wire::Guid& create_guid);
    // Open.IsReplayEligible becomes FALSE.
    void not_replayable(Open& open);

    struct Waiting {
        std::shared_ptr<Open> open;
        std::uint64_t deadline_ns{0};
    };
    std::vector<Waiting> waiting() const;
    std::size_t waiting_count() const;

  private:
    struct Entry {
        std::shared_ptr<Open> open;
        OpenPlace place{OpenPlace::connected};
        std::uint64_t deadline_ns{0};
        wire::Guid client{};
        std::optional<wire::Guid> app_instance_id;
        bool replay{false};  // `replays` has it
        bool persistent{false};
        std::optional<wire::Guid> create_guid;
        std::vector<Signal*> watchers;
    };
    struct Replay {
        std::uint64_t persistent_id{0};  // 0: its CREATE is under way
        bool sharing{false};
    };
    struct GuidPair {
        wire::Guid client{};
        wire::Guid create{};
        friend bool operator==(const GuidPair&, const GuidPair&) = default;
    };
    struct Hash {
        std::size_t operator()(const wire::Guid& guid) const noexcept;
        std::size_t operator()(const GuidPair& pair) const noexcept {
            return (*this)(pair.client) * 31 + (*this)(pair.create);
        }
    };
    struct State {
        std::unordered_map<std::uint64_t, Entry> entries;
        // 0: the CREATE is under way.
        std::unordered_map<GuidPair, Replay, Hash> replays;
        std::unordered_multimap<wire::Guid, std::uint64_t, Hash> by_create_guid;
        std::unordered_multimap<wire::Guid, std::uint64_t, Hash> instances;
        std::set<std::pair<std::uint64_t, std::uint64_t>> deadlines;  // of those that wait
        std::unordered_map<wire::Guid, std::size_t, Hash> away;       // of a client: not connected
        std::size_t away_total{0};
    };
    using Watchers = std::vector<Signal*>;
    static Entry* entry_of(State& state, const Open& open);
    static void move(State& state, Entry& entry, std::uint64_t id, OpenPlace to,
                     Watchers& watchers);
    static void tell(const Watchers& watchers) {
        for (Signal* signal : watchers) signal->set();
    }

    Guarded<State, Rank::durable_table> state_;
    std::atomic<std::size_t> persistent_{0};
};

}  // namespace smb3d::engine
