// MacJob: one message on its way through CBC-MAC, and run_macs: several of them side by side.
//
// Purpose: CBC-MAC waits for each block's result before the next block: one message leaves most of
//   the processor's AES unit idle.  Messages of different keys have no such order among them.
// Spec: [SP800-38B] (CMAC), [SP800-38C] (CCM).
// Thread: any.  Lifetime: a job borrows its pieces and its key.
#pragma once

#include <cstring>
#include <span>
#include <utility>

#include "crypto/x86_kernels.h"

namespace smb3d::crypto::detail {

struct CmacKey {
    AesSchedule aes;
    AesBlock k1{};
    AesBlock k2{};
};

class MacJob {
  public:
    enum class Padding : std::uint8_t { cmac, zeros };

    MacJob() = default;
    // `head`: at most 64 bytes that come first; they are copied.  `skip`: bytes of the pieces that
    // `head` stands for.
    void begin(const AesSchedule& key, Bytes head, std::span<const Bytes> pieces, std::size_t skip,
               Padding padding, const CmacKey* cmac = nullptr);

    MacLane& lane() { return lane_; }
    // Gives the lane its next run of blocks; false: the message has ended and lane().state is its
    // CBC-MAC.
    bool next_run();

  private:
    Bytes next_piece();
    void finish_block();

    MacLane lane_;
    const CmacKey* cmac_{nullptr};
    Padding padding_{Padding::zeros};
    std::array<std::byte, 64> head_{};
    std::size_t head_size_{0};
    bool head_given_{false};
    std::span<const Bytes> pieces_;
    Bytes rest_;        // of the piece that `skip` ends in
    Bytes run_rest_;    // what follows the run in its piece
    AesBlock block_{};  // what is assembled from several pieces, or held back as perhaps the last
    AesBlock out_{};    // such a block while it is a run
    std::size_t block_size_{0};
    bool ended_{false};
};

// Runs all jobs to their ends.  All keys must have the same number of rounds.
void run_macs(std::span<MacJob> jobs);

}  // namespace smb3d::crypto::detail
