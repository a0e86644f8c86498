#include "engine/credits.h"

#include <algorithm>
#include <bit>

namespace smb3d::engine {

// [MS-SMB2] 3.3.1.1: the window must not grow beyond twice the credits, however long a client
// leaves its lowest id unused: that bounds the ring.
SequenceWindow::SequenceWindow(std::uint16_t max_credits)
    : max_credits_(max_credits),
      mask_(std::bit_ceil(std::uint64_t{max_credits} * 2) - 1),
      used_(mask_ + 1, false) {}

bool SequenceWindow::consume(std::uint64_t message_id, std::uint16_t charge) {
    const std::uint64_t count = std::max<std::uint16_t>(charge, 1);
    if (message_id < low_ || message_id >= high_ || high_ - message_id < count) return false;
    for (std::uint64_t id = message_id; id < message_id + count; ++id) {
        if (used(id)) return false;
    }
    for (std::uint64_t id = message_id; id < message_id + count; ++id) used_[id & mask_] = true;
    available_ -= static_cast<std::uint32_t>(count);
    while (low_ < high_ && used(low_)) {
        used_[low_ & mask_] = false;
        ++low_;
    }
    return true;
}

std::uint16_t SequenceWindow::grant(std::uint16_t requested) {
    // [MS-SMB2] 3.3.1.2: at least one credit must remain with the client.
    std::uint32_t wanted = std::max<std::uint32_t>(requested, 1);
    const std::uint32_t room = available_ >= max_credits_ ? 0 : max_credits_ - available_;
    const std::uint64_t span_room = 2 * std::uint64_t{max_credits_} - (high_ - low_);
    wanted = static_cast<std::uint32_t>(std::min<std::uint64_t>({wanted, room, span_room}));
    high_ += wanted;
    available_ += wanted;
    return static_cast<std::uint16_t>(wanted);
}

}  // namespace smb3d::engine
