// Leases: who holds which, and how their breaks and those of oplocks reach the client.
//
// Purpose: fsa decides what is broken; here is the table of [MS-SMB2] 3.3.1.11 that maps
//   (client GUID, lease key) to the file, and the messages to the client.
// Spec: [MS-SMB2] 3.3.1.11 (lease table), 3.3.1.12 (lease), 3.3.4.6, 3.3.4.7 (break notification).
// Thread: any.
// Lifetime: the server's; a Lease lives while it has opens (and as long as a grant refers to it).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "engine/unsolicited.h"
#include "fsa/file.h"
#include "wire/codec.h"

namespace smb3d::engine {

class ServerImpl;
struct Open;

fsa::OplockKey oplock_key(const ClientGuid& client, const wire::LeaseKey& key);

// A session that may be told of a break, over any of its channels.
struct BreakTarget {
    std::uint64_t session_id{0};
    bool encrypt{false};  // the tree demands it
};

// What the holders of a lease and of an oplock have in common.
class ClientHolder : public fsa::CacheHolder {
  public:
    ClientHolder(ServerImpl& server, std::weak_ptr<fsa::File> file)
        : server_(server), file_(std::move(file)) {}
    // Sends the notification, watches over the acknowledgment; if no channel is left to send on,
    // the break is carried out at once: [MS-SMB2] 3.3.4.6, 3.3.4.7.
    void cache_broken(const fsa::BreakNotice& notice) final;
    void break_over(std::uint32_t number) final;

    std::shared_ptr<fsa::File> file() const { return file_.lock(); }

  protected:
    virtual std::vector<BreakTarget> targets() = 0;
    // Over which connections.
    virtual SendRules rules() const = 0;
    virtual std::vector<std::byte> message(const fsa::BreakNotice& notice) const = 0;
    virtual std::vector<std::uint64_t> open_ids() = 0;

  private:
    ServerImpl& server_;
    const std::weak_ptr<fsa::File> file_;
};

// A traditional oplock: of one open.
class OplockHolder final : public ClientHolder {
  public:
    OplockHolder(ServerImpl& server, const std::shared_ptr<fsa::File>& file)
        : ClientHolder(server, file) {}
    // Once, when the open has its ids: the client knows of no oplock before.
    void set_open(std::uint64_t persistent_id, std::uint64_t volatile_id, BreakTarget target);

  private:
    std::vector<BreakTarget> targets() override;
    // Deviation: 3.3.4.6 tries one channel after the other; Windows takes the newest
    // (smb2.multichannel.oplocks.test3_windows).
    SendRules rules() const override { return {.newest_first = true}; }
    std::vector<std::byte> message(const fsa::BreakNotice& notice) const override;
    std::vector<std::uint64_t> open_ids() override;

    struct Where {
        std::uint64_t persistent_id{0};
        std::uint64_t volatile_id{0};
        BreakTarget target;
    };
    Guarded<Where, Rank::leaf> where_;
};

// [MS-SMB2] 3.3.1.12
class Lease final : public ClientHolder {
  public:
    Lease(ServerImpl& server, const std::shared_ptr<fsa::File>& file, const fsa::OplockKey& lease,
          bool version_2)
        : ClientHolder(server, file), key(lease), v2(version_2) {
        std::copy_n(lease.bytes.begin(), client_.size(), client_.begin());
    }

    const fsa::OplockKey key;
    const bool v2;
    wire::LeaseKey lease_key() const;

    struct User {
        std::uint64_t open_id{0};  // fsa::Open::id
        BreakTarget target;
    };
    // Lease.LeaseOpens
    void add(const User& user) { users_.lock()->push_back(user); }
    void move(std::uint64_t open_id, BreakTarget target);
    // True if none is left.
    bool remove(std::uint64_t open_id);
    std::vector<std::uint64_t> open_ids() override;

  private:
    std::vector<BreakTarget> targets() override;
    // 3.3.4.7: any channel, the oldest first, until the break has arrived.
    SendRules rules() const override { return {.client = &client_, .until_confirmed = true}; }
    std::vector<std::byte> message(const fsa::BreakNotice& notice) const override;

    ClientGuid client_{};
    Guarded<std::vector<User>, Rank::leaf> users_;
};

class LeaseTable {
  public:
    // [MS-SMB2] 3.3.5.9.8: a key that is in use may only come with the name of its file.
    bool usable_for(const fsa::OplockKey& key, fsa::ShareId share, std::string_view path) const;
    // The open uses the lease, which begins with it if there is none; null if the key belongs to
    // another file.
    std::shared_ptr<Lease> join(ServerImpl& server, const fsa::OplockKey& key, bool v2,
                                const std::shared_ptr<fsa::File>& file, const Lease::User& user);
    void leave(const std::shared_ptr<Lease>& lease, std::uint64_t open_id);
    std::shared_ptr<Lease> find(const fsa::OplockKey& key);

    // Directory leases are bounded: a client that keeps many handles must give up the oldest.
    void directory_granted(const std::shared_ptr<Lease>& lease, std::size_t limit);
    std::size_t size() const;

  private:
    static constexpr std::size_t shard_count = 64;
    using Map = std::unordered_map<fsa::OplockKey, std::shared_ptr<Lease>, fsa::OplockKeyHash>;
    using Shard = Guarded<Map, Rank::lease_table>;
    Shard& shard(const fsa::OplockKey& key) const;
    void forget_directory(const fsa::OplockKey& key);

    struct Directories {
        std::list<std::weak_ptr<Lease>> order;  // oldest first
        std::unordered_map<fsa::OplockKey, std::list<std::weak_ptr<Lease>>::iterator,
                           fsa::OplockKeyHash>
            places;
    };
    mutable std::array<Shard, shard_count> shards_;
    Guarded<Directories, Rank::leaf> directories_;
};

// "R", "RH", "RW", "RWH" or "".
const char* cache_state_name(fsa::CacheState state);

}  // namespace smb3d::engine
