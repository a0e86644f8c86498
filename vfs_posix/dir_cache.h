// DirCache: for each directory in use, its names by their folded form.
//
// Purpose: a case-insensitive lookup without reading the directory.  A positive answer is a hint
// (opening the name
//   proves it); a negative one is an answer.
// How it stays right: an entry holds the stamp (mtime, ctime) that the directory had.  A lookup
// with another stamp is
//   `unknown`, and the caller reads the directory again.  The share's own changes go through
//   begin() and end(), which change the names and take over the new stamp, so that the 100,001st
//   create costs what the first did. What the stamp cannot show is a foreign change within the same
//   clock tick, or during an own change.  Therefore an entry that lived through own changes is `in
//   doubt`, and a negative answer from it is refused now and then (at most once a second, and for
//   at most 2 % of the time that reading the directory takes).
// Thread: any.  Lifetime: the Share's.
// Errors: none.  Memory is bounded; least recently used directories go first, one in use for a
// change or a scan never.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vfs_posix/locked.h"

namespace smb3d::vfs_posix {

class OwnChanges;

struct DirKey {
    std::uint64_t device{0};
    std::uint64_t inode{0};
    friend bool operator==(const DirKey&, const DirKey&) = default;
};

struct DirStamp {
    std::int64_t ctime_ns{0};
    std::int64_t mtime_ns{0};
    friend auto operator<=>(const DirStamp&, const DirStamp&) = default;
};

// Names found by a 32-bit hash of their folded form; about 35 bytes a name.
class NameTable {
  public:
    void add(std::uint32_t hash, std::string_view name);  // no effect if it is there
    void remove(std::uint32_t hash, std::string_view name);
    // The first name of this hash that `matches`, or "".
    template <class Matches>
    std::string_view find(std::uint32_t hash, Matches matches) const;
    std::size_t bytes() const { return slots_.capacity() * sizeof(Slot) + blob_.capacity(); }
    std::size_t size() const { return live_; }

  private:
    struct Slot {
        std::uint32_t hash{0};
        std::uint32_t where{0};  // 0: free; 1: was used; else 2 + position of a length and the name
    };
    std::string_view name_at(std::uint32_t where) const;
    Slot* find_exact(std::uint32_t hash, std::string_view name);
    void rebuild();

    std::vector<Slot> slots_;  // a power of two
    std::string blob_;
    std::size_t live_{0};
    std::size_t used_{0};  // live and was-used slots
};

class DirCache {
  public:
    using Fold = std::string (*)(std::string_view);

    // `map_names`: whether clients see names as name_map.h maps them.
    DirCache(Fold fold, bool map_names, std::size_t max_bytes)
        : fold_(fold), map_names_(map_names), max_bytes_(max_bytes) {}

    struct Answer {
        enum class Kind : std::uint8_t { unknown, absent, present } kind{Kind::unknown};
        std::string name;  // on disk, if present
    };
    // `stamp`: what the directory has now.  `name`: as the client wrote it.
    Answer find(const DirKey&, const DirStamp& stamp, std::string_view name);

    // An own change of the directory: before it, and after it (also if it failed: then without
    // names).
    struct Change {
        bool add{false};
        std::string_view name;  // on disk
    };
    bool begin(const DirKey&, const DirStamp& before);
    void end(const DirKey&, bool begun, const DirStamp& after, const Change* changes,
             std::size_t count);

    // Reading a directory: announce, then deliver all names (or give up).
    void begin_scan(const DirKey&);
    void end_scan(const DirKey&, const DirStamp& before, NameTable&& names, std::uint64_t cost_ns);
    void abandon_scan(const DirKey&);
    // A directory just made: it is empty.
    void install_empty(const DirKey&, const DirStamp&);
    // It proved wrong, or the directory is gone.
    void forget(const DirKey&);

    std::string folded(std::string_view client_name) const { return fold_(client_name); }
    std::string folded_disk_name(std::string_view name_on_disk) const;
    std::uint32_t hash_of_disk_name(std::string_view name_on_disk) const;
    std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

    // Who else wants to know of own changes; null: nobody.
    void set_own(OwnChanges* own) { own_ = own; }
    OwnChanges* own() const { return own_; }

  private:
    struct Directory {
        DirKey key;
        DirStamp stamp;
        DirStamp own_stamp;  // latest of the own changes while a scan was under way
        bool complete{false};
        bool doubt{false};
        std::uint32_t changes_under_way{0};
        std::uint32_t scans_under_way{0};
        std::uint64_t scanned_at_ns{0};
        std::uint64_t scan_cost_ns{0};
        std::size_t accounted{0};
        NameTable names;
        struct Logged {
            bool add{false};
            std::uint32_t hash{0};
            std::string name;
        };
        std::vector<Logged> log;  // own changes while a scan was under way
    };
    using Order = std::list<Directory>;  // most recently used first
    struct KeyHash {
        std::size_t operator()(const DirKey& key) const {
            return static_cast<std::size_t>((key.inode * 0x9E3779B97F4A7C15ULL) ^ key.device);
        }
    };
    struct Shard {
        Order order;
        std::unordered_map<DirKey, Order::iterator, KeyHash> index;

        Directory* find(const DirKey& key);
        Directory& make(const DirKey& key);
    };
    static constexpr std::size_t shard_count = 16;

    Locked<Shard>& shard_of(const DirKey& key) {
        return shards_[(KeyHash{}(key) >> 32U) % shard_count];
    }
    void account(Shard& shard, Directory& directory);
    void drop(Shard& shard, Order::iterator at);

    Fold fold_;
    bool map_names_;
    std::size_t max_bytes_;
    OwnChanges* own_{nullptr};
    std::atomic<std::size_t> bytes_{0};
    std::array<Locked<Shard>, shard_count> shards_;
};

template <class Matches>
std::string_view NameTable::find(std::uint32_t hash, Matches matches) const {
    if (slots_.empty()) return {};
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = hash & mask; slots_[i].where != 0; i = (i + 1) & mask) {
        if (slots_[i].where == 1 || slots_[i].hash != hash) continue;
        const std::string_view name = name_at(slots_[i].where);
        if (matches(name)) return name;
    }
    return {};
}

}  // namespace smb3d::vfs_posix
