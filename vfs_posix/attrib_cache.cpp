#include "vfs_posix/attrib_cache.h"

#include <chrono>
#include <utility>

namespace smb3d::vfs_posix {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t tick_ns = 20'000'000;       // the kernel's clock tick, 10 ms at most
constexpr std::int64_t coarse_ns = 2'500'000'000;  // inodes that keep seconds only; FAT two

std::int64_t realtime_ns() {
    return std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

}  // namespace

bool AttribCache::lasting(std::int64_t ctime_ns) const {
    const bool coarse = ctime_ns % second_ns == 0;
    if (distinct_stamps_ && !coarse) return true;
    return realtime_ns() - ctime_ns > (coarse ? coarse_ns : tick_ns);
}

// The slot of `file`, or the one it would take: two neighbours, of which the second is given up.
AttribCache::Slot& AttribCache::Shard::place(std::uint64_t hash, const DirKey& file) {
    const std::size_t first = slot_of(hash) & (size - 1);
    const std::size_t second = first ^ 1U;
    if (slots[first].used && slots[first].file == file) return slots[first];
    if (slots[second].used && slots[second].file == file) return slots[second];
    return slots[first].used ? slots[second] : slots[first];
}

void AttribCache::Shard::grow() {
    const std::size_t old_size = std::exchange(size, size == 0 ? first_size : size * 4);
    const std::unique_ptr<Slot[]> old =
        std::exchange(slots, std::unique_ptr<Slot[]>(new Slot[size]));
    used = 0;
    for (std::size_t i = 0; i < old_size; ++i) {
        if (!old[i].used) continue;
        Slot& slot = place(hash_of(old[i].file), old[i].file);
        if (!slot.used) ++used;
        slot = old[i];
    }
}

std::optional<std::optional<DosAttrib>> AttribCache::find(const DirKey& file,
                                                          std::int64_t ctime_ns) {
    const std::uint64_t hash = hash_of(file);
    const auto shard = shards_[shard_of(hash)].lock();
    if (shard->size == 0) return std::nullopt;
    const Slot& slot = shard->place(hash, file);
    if (!slot.used || slot.file != file || slot.ctime_ns != ctime_ns) return std::nullopt;
    std::optional<DosAttrib> value;
    if (slot.has_value) {
        value.emplace();
        if (slot.has_attributes) value->attributes = slot.attributes;
        if (slot.has_creation_time) value->creation_time = slot.creation_time;
    }
    return value;
}

void AttribCache::store(const DirKey& file, std::int64_t ctime_ns,
                        const std::optional<DosAttrib>& value) {
    if (!lasting(ctime_ns)) return;
    const std::uint64_t hash = hash_of(file);
    const auto shard = shards_[shard_of(hash)].lock();
    if (shard->size < last_size && shard->used * 2 >= shard->size) shard->grow();
    Slot& slot = shard->place(hash, file);
    if (!slot.used) ++shard->used;
    slot.file = file;
    slot.ctime_ns = ctime_ns;
    slot.used = true;
    slot.has_value = value.has_value();
    slot.has_attributes = value && value->attributes;
    slot.has_creation_time = value && value->creation_time;
    slot.attributes = slot.has_attributes ? *value->attributes : 0;
    slot.creation_time = slot.has_creation_time ? *value->creation_time : 0;
}

}  // namespace smb3d::vfs_posix
