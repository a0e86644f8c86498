// ChannelOrder: keeps requests that a client sent before it lost a channel from being carried out
//   after those that it sent again on another one.
//
// Spec: [MS-SMB2] 3.3.1.10 Open.ChannelSequence, Open.OutstandingRequestCount,
//   Open.OutstandingPreRequestCount; 3.3.5.2.10 (Verifying the Channel Sequence Number); 3.3.4.1.
// Thread: any; one word, changed atomically: every request on every open passes here.
// Lifetime: its Open's.
#pragma once

#include <atomic>
#include <cstdint>

namespace smb3d::engine {

class ChannelOrder {
  public:
    // CREATE: what follows counts from its ChannelSequence.
    void begin(std::uint16_t sequence) {
        state_.store(pack({sequence, 0, 0}), std::memory_order_relaxed);
    }

    // True: the request is counted, and leave() must follow.  False: a request that changes
    // something must be refused with FILE_NOT_AVAILABLE.
    bool enter(std::uint16_t sequence, bool replay) {
        std::uint64_t old = state_.load(std::memory_order_relaxed);
        while (true) {
            State state = unpack(old);
            const auto ahead = static_cast<std::uint16_t>(sequence - state.sequence);
            if (ahead > max_ahead) return false;
            if (ahead != 0) {
                state.earlier += state.current;
                state.current = 0;
                state.sequence = sequence;
            }
            // A replay must not overtake the request that it repeats, which may still run.
            const bool counted = !replay || state.earlier == 0;
            if (counted) ++state.current;
            if (state_.compare_exchange_weak(old, pack(state), std::memory_order_acq_rel,
                                             std::memory_order_relaxed)) {
                return counted;
            }
        }
    }

    // The request's response is on its way.
    void leave(std::uint16_t sequence) {
        std::uint64_t old = state_.load(std::memory_order_relaxed);
        while (true) {
            State state = unpack(old);
            std::uint32_t& count = sequence == state.sequence ? state.current : state.earlier;
            if (count != 0) --count;
            if (state_.compare_exchange_weak(old, pack(state), std::memory_order_acq_rel,
                                             std::memory_order_relaxed)) {
                return;
            }
        }
    }

    std::uint16_t sequence() const { return unpack(state_.load()).sequence; }
    std::uint32_t outstanding() const { return unpack(state_.load()).current; }
    std::uint32_t outstanding_earlier() const { return unpack(state_.load()).earlier; }

  private:
    static constexpr std::uint16_t max_ahead = 0x7FFF;
    // 24 bits each: a session has at most limits::max_requests_in_flight on each of its channels.
    static constexpr std::uint32_t count_mask = 0xFF'FFFF;
    struct State {
        std::uint16_t sequence{0};
        std::uint32_t current{0};
        std::uint32_t earlier{0};
    };
    static std::uint64_t pack(const State& s) {
        return std::uint64_t{s.sequence} | std::uint64_t{s.current & count_mask} << 16 |
               std::uint64_t{s.earlier & count_mask} << 40;
    }
    static State unpack(std::uint64_t word) {
        return {static_cast<std::uint16_t>(word & 0xFFFF),
                static_cast<std::uint32_t>(word >> 16) & count_mask,
                static_cast<std::uint32_t>(word >> 40) & count_mask};
    }

    std::atomic<std::uint64_t> state_{0};
};

}  // namespace smb3d::engine
