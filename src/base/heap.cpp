#include "base/heap.h"

#include <malloc.h>

#include "base/limits.h"

namespace smb3d {

bool HeapTrimmer::trim() {
    // Less than this, or a quarter of what is in use, is room for the next connections.
    constexpr std::size_t worth_it = 2 * limits::mib;
    // Free pieces stay free pieces when their pages are gone: only a change tells of new ones.
    constexpr std::size_t change = 256 * limits::kib;
    const struct ::mallinfo2 heap = ::mallinfo2();
    const std::size_t free = heap.fordblks;
    const std::size_t moved = free > free_before_ ? free - free_before_ : free_before_ - free;
    if (free < worth_it || free < heap.uordblks / 4 || moved < change) return false;
    ::malloc_trim(0);
    free_before_ = ::mallinfo2().fordblks;
    return true;
}

}  // namespace smb3d
