#include "vfs_posix/dir_cache.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>

#include "vfs_posix/name_map.h"

namespace smb3d::vfs_posix {
namespace {

// A stamp younger than this may hide a change in the same clock tick (at most 10 ms at 100 Hz).
constexpr std::int64_t tick_ns = 20'000'000;
constexpr std::uint64_t least_rescan_ns = 1'000'000'000;
constexpr std::uint64_t rescan_share =
    50;  // reading the directory anew takes at most 1/50 of the time

std::uint64_t monotonic_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds(1));
}

std::int64_t realtime_ns() {
    return std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

std::uint32_t hash_of(std::string_view folded) {
    const std::size_t hash = std::hash<std::string_view>{}(folded);
    return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

}  // namespace

// ---- NameTable

std::string_view NameTable::name_at(std::uint32_t where) const {
    const std::size_t at = where - 2;
    std::uint16_t length = 0;
    std::memcpy(&length, blob_.data() + at, sizeof(length));
    return std::string_view(blob_).substr(at + sizeof(length), length);
}

NameTable::Slot* NameTable::find_exact(std::uint32_t hash, std::string_view name) {
    if (slots_.empty()) return nullptr;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = hash & mask; slots_[i].where != 0; i = (i + 1) & mask) {
        if (slots_[i].where != 1 && slots_[i].hash == hash && name_at(slots_[i].where) == name) {
            return &slots_[i];
        }
    }
    return nullptr;
}

void NameTable::add(std::uint32_t hash, std::string_view name) {
    if (name.size() > UINT16_MAX || find_exact(hash, name) != nullptr) return;
    if ((used_ + 1) * 10 > slots_.size() * 7) rebuild();
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash & mask;
    while (slots_[i].where > 1) i = (i + 1) & mask;
    if (slots_[i].where == 0) ++used_;
    slots_[i] = {hash, static_cast<std::uint32_t>(blob_.size() + 2)};
    const auto length = static_cast<std::uint16_t>(name.size());
    blob_.append(reinterpret_cast<const char*>(&length), sizeof(length));
    blob_.append(name);
    ++live_;
}

void NameTable::remove(std::uint32_t hash, std::string_view name) {
    if (Slot* slot = find_exact(hash, name); slot != nullptr) {
        slot->where = 1;
        --live_;
    }
}

// Room for twice the live names, without the dead ones.
void NameTable::rebuild() {
    std::size_t capacity = 8;
    while (capacity * 7 < (live_ * 2 + 1) * 10) capacity *= 2;
    std::vector<Slot> old = std::move(slots_);
    const std::string old_blob = std::move(blob_);
    slots_.assign(capacity, Slot{});
    blob_.clear();
    blob_.reserve(old_blob.size() + old_blob.size() / 2);
    const std::size_t mask = capacity - 1;
    for (const Slot& slot : old) {
        if (slot.where <= 1) continue;
        std::uint16_t length = 0;
        std::memcpy(&length, old_blob.data() + slot.where - 2, sizeof(length));
        std::size_t i = slot.hash & mask;
        while (slots_[i].where != 0) i = (i + 1) & mask;
        slots_[i] = {slot.hash, static_cast<std::uint32_t>(blob_.size() + 2)};
        blob_.append(old_blob, slot.where - 2, sizeof(length) + length);
    }
    used_ = live_;
}

// ---- DirCache

DirCache::Directory* DirCache::Shard::find(const DirKey& key) {
    const auto found = index.find(key);
    if (found == index.end()) return nullptr;
    order.splice(order.begin(), order, found->second);
    return &*found->second;
}

DirCache::Directory& DirCache::Shard::make(const DirKey& key) {
    if (Directory* directory = find(key); directory != nullptr) return *directory;
    order.emplace_front();
    order.front().key = key;
    index.emplace(key, order.begin());
    return order.front();
}

void DirCache::drop(Shard& shard, Order::iterator at) {
    bytes_.fetch_sub(at->accounted, std::memory_order_relaxed);
    shard.index.erase(at->key);
    shard.order.erase(at);
}

// Brings the share's sum up to date and makes room, never at the cost of `directory` itself.
void DirCache::account(Shard& shard, Directory& directory) {
    const std::size_t now = sizeof(Directory) + 64 + directory.names.bytes();
    bytes_.fetch_add(now, std::memory_order_relaxed);
    bytes_.fetch_sub(directory.accounted, std::memory_order_relaxed);
    directory.accounted = now;
    auto at = shard.order.end();
    while (bytes_.load(std::memory_order_relaxed) > max_bytes_ && at != shard.order.begin()) {
        --at;
        if (&*at == &directory || at->changes_under_way != 0 || at->scans_under_way != 0) continue;
        const auto dead = at++;
        drop(shard, dead);
    }
}

std::string DirCache::folded_disk_name(std::string_view name_on_disk) const {
    if (!map_names_ || maps_to_itself(name_on_disk)) return fold_(name_on_disk);
    return fold_(to_client(name_on_disk));
}

std::uint32_t DirCache::hash_of_disk_name(std::string_view name_on_disk) const {
    return hash_of(folded_disk_name(name_on_disk));
}

DirCache::Answer DirCache::find(const DirKey& key, const DirStamp& stamp, std::string_view name) {
    const std::string folded_name = fold_(name);
    const std::uint32_t hash = hash_of(folded_name);
    const auto shard = shard_of(key).lock();
    Directory* directory = shard->find(key);
    if (directory == nullptr || !directory->complete) return {};
    // A stamp older than the entry's was read before an own change that has ended since (or the
    // clock was set back).
    const bool by_own_change =
        directory->changes_under_way != 0 || (stamp < directory->stamp && directory->doubt);
    if (stamp != directory->stamp && !by_own_change) return {};
    const std::string_view real = directory->names.find(hash, [&](std::string_view candidate) {
        return folded_disk_name(candidate) == folded_name;
    });
    if (!real.empty()) return {Answer::Kind::present, std::string(real)};
    if (directory->doubt) {
        const std::uint64_t pause =
            std::max(least_rescan_ns, directory->scan_cost_ns * rescan_share);
        if (monotonic_ns() - directory->scanned_at_ns > pause) return {};
    }
    return {Answer::Kind::absent, {}};
}

bool DirCache::begin(const DirKey& key, const DirStamp& before) {
    const auto shard = shard_of(key).lock();
    Directory* directory = shard->find(key);
    if (directory == nullptr) return false;
    if (directory->changes_under_way == 0 && before > directory->stamp) directory->complete = false;
    ++directory->changes_under_way;
    return true;
}

void DirCache::end(const DirKey& key, bool begun, const DirStamp& after, const Change* changes,
                   std::size_t count) {
    const auto shard = shard_of(key).lock();
    Directory* directory = shard->find(key);
    if (directory == nullptr) return;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t hash = hash_of_disk_name(changes[i].name);
        if (directory->complete) {
            if (changes[i].add) {
                directory->names.add(hash, changes[i].name);
            } else {
                directory->names.remove(hash, changes[i].name);
            }
        }
        if (directory->scans_under_way != 0) {
            directory->log.push_back({changes[i].add, hash, std::string(changes[i].name)});
            directory->own_stamp = std::max(directory->own_stamp, after);
        }
    }
    if (begun && directory->changes_under_way > 0) {
        --directory->changes_under_way;
        directory->stamp = std::max(directory->stamp, after);
        directory->doubt = true;
    }
    account(*shard, *directory);
}

void DirCache::begin_scan(const DirKey& key) {
    const auto shard = shard_of(key).lock();
    ++shard->make(key).scans_under_way;
}

void DirCache::end_scan(const DirKey& key, const DirStamp& before, NameTable&& names,
                        std::uint64_t cost_ns) {
    const auto shard = shard_of(key).lock();
    Directory* directory = shard->find(key);
    if (directory == nullptr) return;
    for (const Directory::Logged& change : directory->log) {
        if (change.add) {
            names.add(change.hash, change.name);
        } else {
            names.remove(change.hash, change.name);
        }
    }
    directory->names = std::move(names);
    directory->stamp = directory->log.empty() ? before : std::max(before, directory->own_stamp);
    directory->complete = true;
    directory->doubt = !directory->log.empty() || directory->changes_under_way != 0 ||
                       realtime_ns() - directory->stamp.mtime_ns < tick_ns;
    directory->scanned_at_ns = monotonic_ns();
    directory->scan_cost_ns = cost_ns;
    if (--directory->scans_under_way == 0) directory->log.clear();
    account(*shard, *directory);
}

void DirCache::abandon_scan(const DirKey& key) {
    const auto shard = shard_of(key).lock();
    Directory* directory = shard->find(key);
    if (directory == nullptr) return;
    if (--directory->scans_under_way == 0) directory->log.clear();
    account(*shard, *directory);
}

void DirCache::install_empty(const DirKey& key, const DirStamp& stamp) {
    const auto shard = shard_of(key).lock();
    Directory& directory = shard->make(key);
    if (directory.changes_under_way != 0 || directory.scans_under_way != 0) return;
    directory.names = NameTable{};
    directory.stamp = stamp;
    directory.complete = true;
    directory.doubt = true;
    directory.scanned_at_ns = monotonic_ns();
    directory.scan_cost_ns = 0;
    account(*shard, directory);
}

void DirCache::forget(const DirKey& key) {
    const auto shard = shard_of(key).lock();
    Directory* directory = shard->find(key);
    if (directory == nullptr) return;
    if (directory->changes_under_way != 0 || directory->scans_under_way != 0) {
        directory->complete = false;
    } else {
        drop(*shard, shard->index.find(key)->second);
    }
}

}  // namespace smb3d::vfs_posix
