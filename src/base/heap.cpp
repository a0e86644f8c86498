#include "base/heap.h"

#include <algorithm>
#include <cstdio>

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
    // New free pieces show in their sum if they were in use the last time; if the heap is as it was
    // then, after another burst like the last one, they show in what is resident, since pieces
    // whose pages are gone stay free pieces.
    constexpr std::size_t change = 256 * limits::kib;
    const struct ::mallinfo2 heap = ::mallinfo2();
    const std::size_t free = heap.fordblks;
    const std::size_t resident = resident_bytes();
    const bool due = free >= least_free_ + change || resident >= least_resident_ + change;
    least_free_ = std::min(least_free_, free);
    least_resident_ = std::min(least_resident_, resident);
    if (free < worth_it || free < heap.uordblks / 4 || !due) return false;
    ::malloc_trim(0);
    least_free_ = free;
    least_resident_ = resident_bytes();
    return true;
}

}  // namespace smb3d
