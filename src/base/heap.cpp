#include "base/heap.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <malloc.h>
#include <unistd.h>

#include "base/limits.h"

namespace smb3d {

namespace {

// [proc(5)] /proc/self/statm: the second number, in pages; 0 if it cannot be had.
std::size_t resident_bytes() {
    std::FILE* const file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr) return 0;
    unsigned long size = 0;
    unsigned long resident = 0;
    const bool read = std::fscanf(file, "%lu %lu", &size, &resident) == 2;
    std::fclose(file);
    return read ? resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

bool HeapTrimmer::trim() {
    // Less than this, or a quarter of what is in use, is room for the next connections.
    constexpr std::size_t worth_it = 1 * limits::mib;
    // Free pieces stay free pieces when their pages are gone, and a burst like the last one leaves
    // as many: only what is resident tells of new ones.
    constexpr std::size_t change = 256 * limits::kib;
    const struct ::mallinfo2 heap = ::mallinfo2();
    const std::size_t free = heap.fordblks;
    const std::size_t resident = resident_bytes();
    // Nor does that tell of what was in use the last time, resident, and is free now: so what a
    // burst left is given back once more a while later, when its last connection has gone.
    const bool due = std::exchange(again_, false) || resident >= least_resident_ + change;
    if (least_resident_ != 0) least_resident_ = std::min(least_resident_, resident);
    if (free < worth_it || free < heap.uordblks / 4 || !due) return false;
    ::malloc_trim(0);
    least_resident_ = resident_bytes();
    again_ = resident >= least_resident_ + change;
    return true;
}

}  // namespace smb3d
