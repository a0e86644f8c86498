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
    std::size_t least_resident_{0};  // bytes of the process, since the last time
    bool again_{false};              // the last time gave much back
};

}  // namespace smb3d
