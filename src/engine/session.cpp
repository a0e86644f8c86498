#include "engine/session.h"

#include <cassert>
#include <span>

#include "crypto/random.h"

namespace smb3d::engine {

void Session::transition(State& state, SessionState to) {
    [[maybe_unused]] const SessionState from = state.state;
    assert((from == SessionState::in_progress && to == SessionState::valid) ||
           (from == SessionState::valid && to == SessionState::expired) ||
           (from == SessionState::expired && to == SessionState::valid) ||
           (from == SessionState::valid && to == SessionState::valid) ||
           (from != SessionState::ended && to == SessionState::ended));
    state.state = to;
}

std::shared_ptr<Tree> Session::find_tree(std::uint32_t tree_id) {
    auto locked = state.lock();
    std::shared_ptr<Tree>* tree = locked->trees.find(tree_id);
    return tree != nullptr ? *tree : nullptr;
}

std::shared_ptr<Open> Session::find_open(std::uint64_t open_id, std::uint64_t persistent_id) {
    auto locked = state.lock();
    std::shared_ptr<Open>* open = locked->opens.find(open_id);
    // [MS-SMB2] 3.3.5.2.. every command: both halves of the FileId must match.
    if (open == nullptr || (*open)->persistent_id != persistent_id) return nullptr;
    return *open;
}

std::shared_ptr<Session> SessionTable::create(std::size_t limit) {
    if (count_.fetch_add(1, std::memory_order_relaxed) >= limit) {
        count_.fetch_sub(1, std::memory_order_relaxed);
        return nullptr;
    }
    while (true) {
        // Unpredictable, so that ids tell nothing of other sessions.  Deviation: 32 bits of the 64,
        // since clients exist that keep no more (smbtorture smb2.session-id); possession of an id
        // gives no rights.
        std::uint32_t random = 0;
        crypto::random_bytes(std::as_writable_bytes(std::span(&random, 1)));
        if (random == 0 || random == ~std::uint32_t{0}) continue;
        const std::uint64_t id = random;
        auto session = std::make_shared<Session>(id);
        if (shard(id).lock()->try_emplace(id, session).second) return session;
    }
}

std::shared_ptr<Session> SessionTable::find(std::uint64_t id) {
    auto locked = shard(id).lock();
    auto it = locked->find(id);
    return it != locked->end() ? it->second : nullptr;
}

bool SessionTable::remove(std::uint64_t id) {
    auto locked = shard(id).lock();
    if (locked->erase(id) == 0) return false;
    count_.fetch_sub(1, std::memory_order_relaxed);
    return true;
}

std::vector<std::shared_ptr<Session>> SessionTable::all() {
    std::vector<std::shared_ptr<Session>> sessions;
    for (auto& guarded : shards_) {
        auto locked = guarded.lock();
        for (const auto& [id, session] : *locked) sessions.push_back(session);
    }
    return sessions;
}

}  // namespace smb3d::engine
