// Buffer: a reference-counted slice of bytes, the only currency for message and file data.
//
// Purpose: data crosses folders (transport, engine, VFS) without a copy.  A Buffer is {block,
//   pointer, size}; slices share the block, the last one gives it back to where it came from (a
//   BufferPool, or an RDMA transport's registered memory).
// Thread: a Buffer object belongs to one thread at a time; Buffers that share a block may be on
//   different threads (the count is atomic).
// Lifetime: the bytes live as long as any Buffer that refers to them.
#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <sys/uio.h>

#include "smb3d/small_vector.h"

namespace smb3d {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

// The shared storage behind Buffers.  Who allocates it derives from it and says in `release` how it
// goes back.
struct BufferBlock {
    // called once, on whichever thread drops the last reference
    using Release = void (*)(BufferBlock*);

    std::atomic<std::uint32_t> references{1};
    std::uint32_t tag{0};  // the owner's own use: size class, memory region index
    Release release{nullptr};
    std::byte* data{nullptr};
    std::size_t capacity{0};
};

class Buffer {
  public:
    Buffer() = default;

    // Takes over one reference of `block`, which must hold [data, data + size).
    Buffer(BufferBlock* block, std::byte* data, std::size_t size)
        : block_(block), data_(data), size_(size) {
        assert(block == nullptr ||
               (data >= block->data && data + size <= block->data + block->capacity));
    }
    Buffer(const Buffer& other) noexcept
        : block_(other.block_), data_(other.data_), size_(other.size_) {
        if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
    }
    Buffer(Buffer&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)),
          data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer other) noexcept {
        std::swap(block_, other.block_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Buffer() { reset(); }

    void reset() {
        if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            block_->release(block_);
        }
        block_ = nullptr;
        data_ = nullptr;
        size_ = 0;
    }

    std::byte* data() const { return data_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    Bytes bytes() const { return {data_, size_}; }
    MutableBytes mutable_bytes() const { return {data_, size_}; }
    BufferBlock* block() const { return block_; }

    // The part [offset, offset + size), sharing the block.  The range must lie within this Buffer.
    Buffer slice(std::size_t offset, std::size_t size) const {
        assert(offset <= size_ && size <= size_ - offset);
        Buffer part(*this);
        part.data_ += offset;
        part.size_ = size;
        return part;
    }
    // Shortens to `size` bytes; never lengthens.
    void truncate(std::size_t size) {
        assert(size <= size_);
        size_ = size;
    }
    // Lengthens to `size` bytes if the block has them; they must not be part of another Buffer.
    bool extend(std::size_t size) {
        assert(size >= size_);
        if (block_ == nullptr || size > block_->capacity ||
            static_cast<std::size_t>(data_ - block_->data) > block_->capacity - size) {
            return false;
        }
        size_ = size;
        return true;
    }

  private:
    BufferBlock* block_{nullptr};
    std::byte* data_{nullptr};
    std::size_t size_{0};
};

// A Buffer of its own on the heap, outside any pool: for small or rare data, tests and back ends.
inline Buffer make_heap_buffer(std::size_t size) {
    auto* memory = static_cast<std::byte*>(::operator new(sizeof(BufferBlock) + size));
    auto* block = new (memory) BufferBlock;
    block->data = memory + sizeof(BufferBlock);
    block->capacity = size;
    block->release = [](BufferBlock* dead) {
        dead->~BufferBlock();
        ::operator delete(static_cast<void*>(dead));
    };
    return {block, block->data, size};
}

// Where message and I/O buffers come from.  `allocate` gives exactly `size` usable bytes,
// uninitialised, or an empty Buffer when the pool's ceiling is reached: the caller then answers
// STATUS_INSUFF_SERVER_RESOURCES.
// Thread: any.
class BufferPool {
  public:
    virtual ~BufferPool() = default;
    virtual Buffer allocate(std::size_t size) = 0;
};

// The pieces of one outgoing message, in order; each keeps its data alive until the transport has
// sent it.  Header and data of one response, with a transform header and one more, allocate
// nothing.
using BufferChain = SmallVector<Buffer, 4>;

inline std::size_t chain_size(const BufferChain& chain) {
    std::size_t size = 0;
    for (const Buffer& part : chain) size += part.size();
    return size;
}

}  // namespace smb3d
