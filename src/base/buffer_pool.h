// SizedBufferPool: message and I/O memory in size classes, with a hard ceiling.
//
// Purpose: the one BufferPool of the process.  Blocks come from caches (one a thread, in effect; a
// shared depot behind them)
//   and go back there; what a burst left over goes back to the system by trim().
// Thread: any; a block may be released on another thread than the one that allocated it.
// Lifetime: outlives every Buffer from it (asserted).
// Errors: allocate() returns an empty Buffer when the ceiling would be exceeded or the system has
// no memory.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/guarded.h"
#include "base/limits.h"
#include "smb3d/buffer.h"

namespace smb3d {

struct BufferPoolOptions {
    std::size_t ceiling{1024 * limits::mib};      // in use and cached together, payload bytes
    std::size_t thread_cache{2 * limits::mib};    // bytes cached for each thread
    std::size_t shared_cache{256 * limits::mib};  // bytes cached for all of them
};

struct BufferPoolStats {
    std::size_t in_use{0};     // bytes handed out, in whole blocks
    std::size_t cached{0};     // bytes kept for the next caller
    std::size_t peak{0};       // most ever taken from the system at once
    std::uint64_t refused{0};  // allocations that the ceiling or the system refused
};

class SizedBufferPool final : public BufferPool {
  public:
    // What a power of two of payload needs beside it: SMB2 headers, compound padding, transform
    // header.
    static constexpr std::size_t slack = 4 * limits::kib;
    static constexpr std::array<std::size_t, 13> classes{
        512,
        2 * limits::kib,
        4 * limits::kib,
        8 * limits::kib,
        16 * limits::kib,
        64 * limits::kib + slack,
        128 * limits::kib + slack,
        256 * limits::kib + slack,
        512 * limits::kib + slack,
        1 * limits::mib + 2 * slack,
        2 * limits::mib + 2 * slack,
        4 * limits::mib + 2 * slack,
        limits::max_message + slack,
    };

    explicit SizedBufferPool(const BufferPoolOptions& options = {});
    SizedBufferPool(const SizedBufferPool&) = delete;
    SizedBufferPool& operator=(const SizedBufferPool&) = delete;
    ~SizedBufferPool() override;

    // Data is page-aligned from 4 KiB on.  allocate(0) is an empty Buffer.
    Buffer allocate(std::size_t size) override;

    // Gives back what has lain unused since the last call but one; called about once a second.
    void trim();
    // Gives back all that is cached.
    void flush();

    BufferPoolStats stats() const;
    std::size_t ceiling() const { return ceiling_.load(std::memory_order_relaxed); }
    // A lower ceiling holds for what comes; nothing in use is taken away.
    void set_ceiling(std::size_t bytes);

  private:
    struct Block;
    // Free blocks of one class; `low` is the least there were since the last trim().
    struct FreeList {
        Block* head{nullptr};
        std::size_t count{0};
        std::size_t low{0};
    };
    struct Cache {
        std::array<FreeList, classes.size()> lists{};
        std::size_t bytes{0};
    };
    struct alignas(64) Shard {
        Guarded<Cache, Rank::memory> cache;
    };
    static constexpr std::size_t shard_count = 32;
    static constexpr std::uint32_t exact =
        classes.size();  // the tag of a block larger than any class

    static void release_block(BufferBlock* block);
    static void push(Cache& cache, Block* block);
    static Block* pop(Cache& cache, std::uint32_t size_class);
    static Block* take_unused(Cache& cache, bool all);

    Shard& shard();
    Block* from_caches(std::uint32_t size_class);
    Block* from_system(std::uint32_t size_class, std::size_t capacity);
    void to_caches(Block* block);
    void to_system(Block* list);
    bool reserve(std::size_t bytes);
    void drop_cached(bool all);

    std::atomic<std::size_t> ceiling_;
    const std::size_t thread_cache_;
    const std::size_t shared_cache_;
    std::atomic<std::size_t> total_{0};
    std::atomic<std::size_t> peak_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::unique_ptr<std::array<Shard, shard_count>> shards_;
    Guarded<Cache, Rank::memory> depot_;
};

}  // namespace smb3d
