// SequenceWindow: which message ids a client may use, and how many credits it holds.
//
// Spec: [MS-SMB2] 3.3.1.1 (algorithm for handling available message sequence numbers), 3.3.1.2
//   (granting credits), 3.3.5.2.3 (verifying the sequence number).
// Thread: its connection's loop.
// Errors: consume() false: the connection must be closed.
#pragma once

#include <cstdint>
#include <vector>

namespace smb3d::engine {

class SequenceWindow {
  public:
    // `max_credits`: the most that a client may hold.
    explicit SequenceWindow(std::uint16_t max_credits);

    // Uses up [message_id, message_id + charge); false if any of them was not available.
    bool consume(std::uint64_t message_id, std::uint16_t charge);

    // Grants what the client asked for, within the limit; at least 1 while the client would
    // otherwise hold none.  The number goes into the response's CreditResponse field.
    std::uint16_t grant(std::uint16_t requested);

    std::uint32_t available() const { return available_; }

  private:
    bool used(std::uint64_t id) const { return used_[id & mask_]; }

    std::uint16_t max_credits_;
    std::uint64_t low_{0};  // every id below is used
    // the first id that was not granted yet; [MS-SMB2] 3.3.5.1: starts with {0}
    std::uint64_t high_{1};
    std::uint32_t available_{1};
    std::uint64_t mask_;
    std::vector<bool> used_;  // ring over [low_, high_)
};

}  // namespace smb3d::engine
