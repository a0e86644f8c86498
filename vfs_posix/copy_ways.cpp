#include "vfs_posix/copy_ways.h"

#include <algorithm>

namespace smb3d::vfs_posix {

CopyWays::Way CopyWays::choose() {
    const std::uint64_t mapping = cost(Way::mapping).load(std::memory_order_relaxed);
    const std::uint64_t range = cost(Way::copy_file_range).load(std::memory_order_relaxed);
    const Way cheaper =
        mapping == 0 || (range != 0 && mapping <= range) ? Way::mapping : Way::copy_file_range;
    if (mapping == 0 || range == 0) return cheaper;
    if ((copies_.fetch_add(1, std::memory_order_relaxed) + 1) % again != 0) return cheaper;
    return cheaper == Way::mapping ? Way::copy_file_range : Way::mapping;
}

void CopyWays::measured(Way way, std::uint64_t bytes, std::uint64_t cpu_ns) {
    constexpr std::uint64_t mib = 1U << 20;
    if (bytes == 0) return;
    const std::uint64_t now = std::max<std::uint64_t>(1, cpu_ns * mib / bytes);
    const std::uint64_t before = cost(way).load(std::memory_order_relaxed);
    const std::uint64_t average = before == 0 ? now : (3 * before + now) / 4;
    cost(way).store(std::max<std::uint64_t>(1, average), std::memory_order_relaxed);
}

}  // namespace smb3d::vfs_posix
