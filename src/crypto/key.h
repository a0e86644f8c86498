// Key: up to 32 bytes of key material, wiped when it dies.
//
// Thread: a value.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstring>

#include "crypto/hash.h"
#include "smb3d/buffer.h"

namespace smb3d::crypto {

class Key {
  public:
    static constexpr std::size_t max_size = 32;

    Key() = default;
    explicit Key(std::size_t size) : size_(size) { assert(size <= max_size); }
    // `bytes` cut or filled up with zeros to `size`.
    Key(Bytes bytes, std::size_t size) : Key(size) {
        const std::size_t count = bytes.size() < size ? bytes.size() : size;
        if (count != 0) std::memcpy(data_.data(), bytes.data(), count);
    }
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key() { cleanse(data_); }

    Bytes bytes() const { return {data_.data(), size_}; }
    MutableBytes mutable_bytes() { return {data_.data(), size_}; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

  private:
    std::array<std::byte, max_size> data_{};
    std::size_t size_{0};
};

}  // namespace smb3d::crypto
