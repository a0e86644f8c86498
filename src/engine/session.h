// Session: a client's logon, and SessionTable: all of them.
//
// Spec: [MS-SMB2] 3.3.1.8 (Per Session), 3.3.1.13 (Per Channel).
// Thread: identity and keys are immutable once the session is valid; the rest is behind its
//   Guarded.  Any thread.
// Lifetime: SessionTable holds a session while it is in progress or valid; requests and channels
//   hold references.  A session refers to connections by id only, so that channels may live on
//   different loops.
//
//                      +-------------+  logon ok   +-------+  expiry   +---------+
//   SESSION_SETUP ---> | in_progress | ----------> | valid | --------> | expired |
//                      +-------------+             +-------+ <-------- +---------+
//                             | logon failed           |     re-auth        |
//                             v                        v                    v
//                          +-------------------------------------------------+
//                          |  ended: LOGOFF, last channel gone, administrator |
//                          +-------------------------------------------------+
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "base/id_table.h"
#include "crypto/aead.h"
#include "crypto/key.h"
#include "crypto/signer.h"
#include "engine/config.h"
#include "engine/open.h"
#include "engine/tree.h"
#include "smb3d/caller.h"

namespace smb3d::engine {

enum class SessionState : std::uint8_t { in_progress, valid, expired, ended };

// One connection of a session: [MS-SMB2] 3.3.1.14.  The rest of a channel (its key, the logon under
// way) is the connection's own: SessionChannel.
struct Channel {
    std::uint64_t connection_id{0};
    std::string peer;
    std::string transport;
    unsigned loop{0};        // Loop::index()
    std::uint64_t since{0};  // FILETIME
};

// What authentication gave the session: written once when it becomes valid.
struct SessionKeys {
    crypto::Key session;                             // Session.SessionKey
    crypto::Key application;                         // what named pipes get
    std::shared_ptr<const crypto::Signer> signer;    // Session.SigningKey: for binding channels
    std::shared_ptr<const crypto::Aead> decryption;  // client to server; null: cannot encrypt
    std::shared_ptr<const crypto::Aead> encryption;  // server to client
};

class Session {
  public:
    struct State {
        SessionState state{SessionState::in_progress};
        std::shared_ptr<const Caller> caller;
        std::string mechanism;
        std::uint64_t expires{0};       // FILETIME; 0: never
        std::vector<Channel> channels;  // the first is the one that was logged on with
        IdTable<std::shared_ptr<Tree>, std::uint32_t> trees;
        IdTable<std::shared_ptr<Open>, std::uint64_t> opens;
    };

    explicit Session(std::uint64_t session_id) : id(session_id) {}

    const std::uint64_t id;
    // Set before the state becomes valid, not changed after: other connections look at the state,
    // under its guard, first.
    Dialect dialect{Dialect::smb202};
    Cipher cipher{Cipher::none};
    SigningAlgorithm signing{SigningAlgorithm::hmac_sha256};
    std::array<std::uint8_t, 16> client_guid{};
    bool signing_required{false};  // Session.SigningRequired
    bool encrypt_data{false};      // Session.EncryptData: requests in the clear are refused
    bool anonymous{false};
    bool guest{false};
    SessionKeys keys;
    std::uint64_t created_at{0};  // FILETIME
    std::atomic<std::uint64_t> last_used_ns{0};

    Guarded<State, Rank::session> state;

    // The one place that changes State::state; asserts the picture above.
    static void transition(State& state, SessionState to);

    std::shared_ptr<const Caller> caller() { return state.lock()->caller; }
    std::shared_ptr<Tree> find_tree(std::uint32_t tree_id);
    std::shared_ptr<Open> find_open(std::uint64_t open_id, std::uint64_t persistent_id);
};

// All sessions of the server, by id.
class SessionTable {
  public:
    // Null if `limit` sessions exist.  Ids are unpredictable and never 0 or all ones.
    std::shared_ptr<Session> create(std::size_t limit);
    std::shared_ptr<Session> find(std::uint64_t id);
    // False if it was gone already: the one who gets true tears the session down.
    bool remove(std::uint64_t id);
    std::vector<std::shared_ptr<Session>> all();
    std::size_t size() const { return count_.load(std::memory_order_relaxed); }

  private:
    static constexpr std::size_t shard_count = 16;
    using Shard = std::unordered_map<std::uint64_t, std::shared_ptr<Session>>;
    Guarded<Shard, Rank::session_table>& shard(std::uint64_t id) {
        return shards_[id % shard_count];
    }
    std::array<Guarded<Shard, Rank::session_table>, shard_count> shards_;
    std::atomic<std::size_t> count_{0};
};

}  // namespace smb3d::engine
