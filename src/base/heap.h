// HeapTrimmer: gives back to the system what a burst of connections left free in the C library's
// heap.
//
// Purpose: glibc gives back the top of an arena only; sessions, opens and coroutine frames that end
// leave holes below it.  SizedBufferPool::trim() does the same for buffers.
// Thread: one; not a loop's, since it takes each arena's lock and looks at every free piece.
// Errors: none.
#pragma once

#include <cstddef>

namespace smb3d {

class HeapTrimmer {
  public:
    // Called now and then; true if it was worth giving something back.
    bool trim();

  private:
    // Of the process and of its heap, in bytes, since the last time that it gave back.
    std::size_t least_resident_{0};
    std::size_t least_free_{0};
};

}  // namespace smb3d
