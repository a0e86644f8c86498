#include "crypto/mac_job.h"

#include <algorithm>
#include <cassert>

namespace smb3d::crypto::detail {

void MacJob::begin(const AesSchedule& key, Bytes head, std::span<const Bytes> pieces,
                   std::size_t skip, Padding padding, const CmacKey* cmac) {
    assert(head.size() <= head_.size());
    lane_ = {};
    lane_.key = &key;
    cmac_ = cmac;
    padding_ = padding;
    std::copy(head.begin(), head.end(), head_.begin());
    head_size_ = head.size();
    head_given_ = false;
    pieces_ = pieces;
    rest_ = {};
    run_rest_ = {};
    block_size_ = 0;
    ended_ = false;
    for (; skip > 0 && !pieces_.empty(); pieces_ = pieces_.subspan(1)) {
        const std::size_t now = std::min(skip, pieces_[0].size());
        skip -= now;
        if (now < pieces_[0].size() || skip == 0) {
            rest_ = pieces_[0].subspan(now);
            pieces_ = pieces_.subspan(1);
            return;
        }
    }
}

// The next bytes that lie together; empty at the end of the message.
Bytes MacJob::next_piece() {
    if (!head_given_) {
        head_given_ = true;
        if (head_size_ != 0) return {head_.data(), head_size_};
    }
    if (!rest_.empty()) return std::exchange(rest_, Bytes());
    while (!pieces_.empty()) {
        const Bytes piece = pieces_[0];
        pieces_ = pieces_.subspan(1);
        if (!piece.empty()) return piece;
    }
    return {};
}

// [SP800-38B] 6.2, steps 3 to 5; CCM fills up with zeros and treats no block differently.
void MacJob::finish_block() {
    if (padding_ == Padding::cmac) {
        const bool whole = block_size_ == aes_block;
        const AesBlock& subkey = whole ? cmac_->k1 : cmac_->k2;
        std::fill(block_.begin() + static_cast<std::ptrdiff_t>(block_size_), block_.end(),
                  std::byte{0});
        if (!whole) block_[block_size_] = std::byte{0x80};
        for (std::size_t i = 0; i < aes_block; ++i) block_[i] ^= subkey[i];
    } else {
        std::fill(block_.begin() + static_cast<std::ptrdiff_t>(block_size_), block_.end(),
                  std::byte{0});
    }
    block_size_ = aes_block;
}

// A whole block is given out only once more bytes have been seen, since the last one is special.
bool MacJob::next_run() {
    assert(lane_.blocks == 0);
    while (!ended_) {
        Bytes piece = std::exchange(run_rest_, Bytes());
        if (piece.empty()) piece = next_piece();
        if (piece.empty()) {
            ended_ = true;
            if (block_size_ == 0 && padding_ == Padding::zeros) return false;
            finish_block();
            lane_.data = block_.data();
            lane_.blocks = 1;
            return true;
        }
        if (block_size_ == aes_block) {
            out_ = block_;
            block_size_ = 0;
            run_rest_ = piece;
            lane_.data = out_.data();
            lane_.blocks = 1;
            return true;
        }
        if (block_size_ == 0 && piece.size() > aes_block) {
            lane_.blocks = (piece.size() - 1) / aes_block;
            lane_.data = piece.data();
            run_rest_ = piece.subspan(lane_.blocks * aes_block);
            return true;
        }
        const std::size_t now = std::min(piece.size(), aes_block - block_size_);
        std::memcpy(block_.data() + block_size_, piece.data(), now);
        block_size_ += now;
        run_rest_ = piece.subspan(now);
    }
    return false;
}

void run_macs(std::span<MacJob> jobs) {
    std::array<MacJob*, mac_lanes> busy{};
    std::array<MacLane*, mac_lanes> lanes{};
    std::size_t count = 0;
    std::size_t next = 0;
    while (true) {
        // Whose run has ended goes on with its next one, or gives its place to the next message.
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (busy[i]->lane().blocks != 0 || busy[i]->next_run()) busy[kept++] = busy[i];
        }
        count = kept;
        for (; next < jobs.size() && count < mac_lanes; ++next) {
            if (jobs[next].next_run()) busy[count++] = &jobs[next];
        }
        if (count == 0) return;
        for (std::size_t i = 0; i < count; ++i) lanes[i] = &busy[i]->lane();
        advance(std::span<MacLane* const>(lanes.data(), count));
    }
}

}  // namespace smb3d::crypto::detail
