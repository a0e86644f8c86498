// SlowRequests: the interim response for what takes long without anybody having planned it.
//
// Purpose: a flush of gigabytes to a slow disk, a read from a share that sleeps: a client that
// hears
//   nothing takes the connection for dead (Windows after 60 s).  Requests that have run for
//   `limits::interim_after` are made asynchronous.
// Spec: [MS-SMB2] 3.3.4.2 (any request but those that change the connection's or session's state
//   may be answered with an interim response); 3.2.6.1 (what clients time).
// Thread: its loop's.  Lifetime: the LoopState's; stop() before the loop ends.
// Cost: nothing while all requests complete within the turn in which they came; else one look a
//   second at the connections.
#pragma once

#include <cstdint>

#include "smb3d/loop.h"

namespace smb3d::engine {

struct LoopState;
class RequestChain;

class SlowRequests {
  public:
    explicit SlowRequests(LoopState& local);
    SlowRequests(const SlowRequests&) = delete;
    SlowRequests& operator=(const SlowRequests&) = delete;

    // A request did not complete at once.
    void watch();
    void stop();

    // Has what the chain is at run so long that the client should hear of it?
    static bool overdue(RequestChain& chain, std::uint64_t now_ns);

  private:
    void look();

    LoopState& local_;
    struct OwnedTimer : Timer {
        SlowRequests* owner{nullptr};
    } timer_;
};

}  // namespace smb3d::engine
