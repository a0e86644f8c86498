#include "engine/durable_table.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace smb3d::engine {

namespace {

bool is_away(OpenPlace place) { return place != OpenPlace::connected; }

template <class Map>
void erase_pair(Map& map, const wire::Guid& guid, std::uint64_t id) {
    auto [begin, end] = map.equal_range(guid);
    for (auto it = begin; it != end; ++it) {
        if (it->second == id) {
            map.erase(it);
            return;
        }
    }
}

}  // namespace

std::size_t DurableTable::Hash::operator()(const wire::Guid& guid) const noexcept {
    // A client's choice: it can only make its own lookups slow, since its GUIDs are its own.
    std::uint64_t halves[2];
    std::memcpy(halves, guid.data(), sizeof halves);
    std::uint64_t hash = halves[0] ^ (halves[1] * 0x9E37'79B9'7F4A'7C15);
    hash = (hash ^ (hash >> 32)) * 0xBF58'476D'1CE4'E5B9;
    return static_cast<std::size_t>(hash ^ (hash >> 29));
}

DurableTable::Entry* DurableTable::entry_of(State& state, const Open& open) {
    auto it = state.entries.find(open.persistent_id);
    return it != state.entries.end() && it->second.open.get() == &open ? &it->second : nullptr;
}

// The one place that changes Entry::place.
void DurableTable::move(State& state, Entry& entry, std::uint64_t id, OpenPlace to,
                        Watchers& watchers) {
    const bool was_away = is_away(entry.place);
    if (entry.place == OpenPlace::waiting) state.deadlines.erase({entry.deadline_ns, id});
    entry.place = to;
    if (to == OpenPlace::waiting) state.deadlines.emplace(entry.deadline_ns, id);
    if (is_away(to) != was_away) {
        std::size_t& of_client = state.away[entry.client];
        if (is_away(to)) {
            ++of_client;
            ++state.away_total;
        } else {
            --state.away_total;
            if (--of_client == 0) state.away.erase(entry.client);
        }
    }
    if (to == OpenPlace::waiting || to == OpenPlace::connected) {
        watchers.insert(watchers.end(), entry.watchers.begin(), entry.watchers.end());
        entry.watchers.clear();
    }
}

bool DurableTable::add(const std::shared_ptr<Open>& open) {
    const Durability durability = *open->durability.lock();
    auto state = state_.lock();
    auto [it, inserted] = state->entries.try_emplace(open->persistent_id);
    Entry& entry = it->second;
    entry.open = open;
    if (!inserted) return false;
    entry.persistent = open->is_persistent();
    if (entry.persistent) persistent_.fetch_add(1, std::memory_order_relaxed);
    entry.client = durability.client_guid;
    entry.app_instance_id = durability.app_instance_id;
    entry.create_guid = durability.create_guid;
    if (entry.app_instance_id) state->instances.emplace(*entry.app_instance_id, it->first);
    if (entry.create_guid) {
        state->by_create_guid.emplace(*entry.create_guid, it->first);
        auto replay = state->replays.find({entry.client, *entry.create_guid});
        if (replay != state->replays.end() && replay->second.persistent_id == 0) {
            replay->second.persistent_id = it->first;
            entry.replay = true;
        }
    }
    return true;
}

bool DurableTable::remove(const Open& open) {
    Watchers watchers;
    {
        auto state = state_.lock();
        Entry* entry = entry_of(*state, open);
        if (entry == nullptr) return false;
        move(*state, *entry, open.persistent_id, OpenPlace::connected, watchers);
        if (entry->app_instance_id) {
            erase_pair(state->instances, *entry->app_instance_id, open.persistent_id);
        }
        if (entry->create_guid) {
            erase_pair(state->by_create_guid, *entry->create_guid, open.persistent_id);
            if (entry->replay) state->replays.erase({entry->client, *entry->create_guid});
        }
        if (entry->persistent) persistent_.fetch_sub(1, std::memory_order_relaxed);
        state->entries.erase(open.persistent_id);
    }
    tell(watchers);
    return true;
}

DurableTable::Found DurableTable::find(std::uint64_t persistent_id) const {
    auto state = state_.lock();
    auto it = state->entries.find(persistent_id);
    if (it == state->entries.end()) return {};
    return {it->second.open, it->second.place};
}

std::shared_ptr<Open> DurableTable::find_persistent(const wire::Guid& create_guid) const {
    auto state = state_.lock();
    auto [begin, end] = state->by_create_guid.equal_range(create_guid);
    for (auto it = begin; it != end; ++it) {
        const Entry& entry = state->entries.at(it->second);
        if (entry.open->is_persistent()) return entry.open;
    }
    return nullptr;
}

std::vector<std::shared_ptr<Open>> DurableTable::instances(const wire::Guid& id) const {
    std::vector<std::shared_ptr<Open>> opens;
    auto state = state_.lock();
    auto [begin, end] = state->instances.equal_range(id);
    for (auto it = begin; it != end; ++it) opens.push_back(state->entries.at(it->second).open);
    return opens;
}

bool DurableTable::begin_leaving(const Open& open, const Limits& limits) {
    Watchers watchers;
    auto state = state_.lock();
    Entry* entry = entry_of(*state, open);
    if (entry == nullptr || entry->place != OpenPlace::connected) return false;
    const auto away = state->away.find(entry->client);
    if (state->away_total >= limits.waiting ||
        (away != state->away.end() && away->second >= limits.waiting_of_client)) {
        return false;
    }
    move(*state, *entry, open.persistent_id, OpenPlace::leaving, watchers);
    return true;
}

void DurableTable::parked(const Open& open, std::uint64_t deadline_ns) {
    Watchers watchers;
    {
        auto state = state_.lock();
        Entry* entry = entry_of(*state, open);
        assert(entry != nullptr && entry->place == OpenPlace::leaving);
        entry->deadline_ns = deadline_ns;
        move(*state, *entry, open.persistent_id, OpenPlace::waiting, watchers);
    }
    tell(watchers);
}

bool DurableTable::claim(const Open& open) {
    Watchers watchers;
    auto state = state_.lock();
    Entry* entry = entry_of(*state, open);
    if (entry == nullptr || entry->place != OpenPlace::waiting) return false;
    move(*state, *entry, open.persistent_id, OpenPlace::claimed, watchers);
    return true;
}

void DurableTable::connected_again(const Open& old, const std::shared_ptr<Open>& open) {
    assert(old.persistent_id == open->persistent_id);
    Watchers watchers;
    {
        auto state = state_.lock();
        Entry* entry = entry_of(*state, old);
        assert(entry != nullptr && entry->place == OpenPlace::claimed);
        entry->open = open;
        move(*state, *entry, open->persistent_id, OpenPlace::connected, watchers);
    }
    tell(watchers);
}

bool DurableTable::watch(std::uint64_t persistent_id, Signal& signal) {
    auto state = state_.lock();
    auto it = state->entries.find(persistent_id);
    if (it == state->entries.end()) return false;
    Entry& entry = it->second;
    if (entry.place != OpenPlace::leaving && entry.place != OpenPlace::claimed) return false;
    entry.watchers.push_back(&signal);
    return true;
}

std::vector<std::shared_ptr<Open>> DurableTable::take_expired(std::uint64_t now_ns) {
    std::vector<std::shared_ptr<Open>> expired;
    Watchers watchers;
    auto state = state_.lock();
    while (!state->deadlines.empty() && state->deadlines.begin()->first <= now_ns) {
        const std::uint64_t id = state->deadlines.begin()->second;
        Entry& entry = state->entries.at(id);
        expired.push_back(entry.open);
        move(*state, entry, id, OpenPlace::claimed, watchers);
    }
    return expired;
}

std::vector<std::shared_ptr<Open>> DurableTable::take_waiting() {
    return take_expired(~std::uint64_t{0});
}

std::optional<std::uint64_t> DurableTable::next_deadline() const {
    auto state = state_.lock();
    if (state->deadlines.empty()) return std::nullopt;
    return state->deadlines.begin()->first;
}

DurableTable::Reservation DurableTable::reserve(const wire::Guid& client,
                                                const wire::Guid& create_guid) {
    auto state = state_.lock();
    auto [it, inserted] = state->replays.try_emplace({client, create_guid});
    if (inserted) return {true, nullptr};
    const Replay& replay = it->second;
    if (replay.persistent_id == 0) return {false, nullptr, replay.sharing};
    return {false, state->entries.at(replay.persistent_id).open};
}

void DurableTable::waits(const wire::Guid& client, const wire::Guid& create_guid, bool sharing) {
    auto state = state_.lock();
    auto it = state->replays.find({client, create_guid});
    if (it != state->replays.end()) it->second.sharing = sharing;
}

void DurableTable::release(const wire::Guid& client, const wire::Guid& create_guid) {
    auto state = state_.lock();
    auto it = state->replays.find({client, create_guid});
    if (it != state->replays.end() && it->second.persistent_id == 0) state->replays.erase(it);
}

void DurableTable::not_replayable(Open& open) {
    if (!open.replay_eligible.exchange(false)) return;
    auto state = state_.lock();
    Entry* entry = entry_of(*state, open);
    if (entry == nullptr || !entry->replay) return;
    entry->replay = false;
    state->replays.erase({entry->client, *entry->create_guid});
}

std::vector<DurableTable::Waiting> DurableTable::waiting() const {
    std::vector<Waiting> list;
    auto state = state_.lock();
    for (const auto& [deadline, id] : state->deadlines) {
        list.push_back({state->entries.at(id).open, deadline});
    }
    return list;
}

std::size_t DurableTable::waiting_count() const { return state_.lock()->deadlines.size(); }

}  // namespace smb3d::engine
