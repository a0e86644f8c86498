// Parts: the pieces of a BufferChain as spans, without an allocation for any ordinary message.
//
// Thread: a value; it borrows the Buffers' bytes.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "smb3d/buffer.h"

namespace smb3d::crypto::detail {

template <class View>
class Parts {
  public:
    explicit Parts(std::span<const Buffer> buffers) : size_(buffers.size()) {
        View* to = few_.data();
        if (size_ > few_.size()) {
            many_.resize(size_);
            to = many_.data();
        }
        for (const Buffer& buffer : buffers) *to++ = View(buffer.data(), buffer.size());
    }
    std::span<const View> span() const {
        return {size_ > few_.size() ? many_.data() : few_.data(), size_};
    }

  private:
    std::array<View, 16> few_{};
    std::vector<View> many_;
    std::size_t size_;
};

}  // namespace smb3d::crypto::detail
