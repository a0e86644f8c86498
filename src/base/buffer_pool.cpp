#include "base/buffer_pool.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <new>

#include <malloc.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SMB3D_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SMB3D_POISON 1
#endif
#endif
#ifdef SMB3D_POISON
#include <sanitizer/asan_interface.h>
#endif

namespace smb3d {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t map_from =
    64 * limits::kib;  // larger blocks come from mmap, so that freeing them frees them
constexpr std::size_t refill_bytes =
    256 * limits::kib;  // moved from the depot to a thread's cache at once

// A cached block is nobody's: the address sanitizer shall say so who touches it.
void poison([[maybe_unused]] void* data, [[maybe_unused]] std::size_t size) {
#ifdef SMB3D_POISON
    __asan_poison_memory_region(data, size);
#endif
}
void unpoison([[maybe_unused]] void* data, [[maybe_unused]] std::size_t size) {
#ifdef SMB3D_POISON
    __asan_unpoison_memory_region(data, size);
#endif
}

std::size_t class_for(std::size_t size) {
    const auto& classes = SizedBufferPool::classes;
    return static_cast<std::size_t>(
        std::distance(classes.begin(), std::lower_bound(classes.begin(), classes.end(), size)));
}

std::byte* take_memory(std::size_t capacity) {
    if (capacity >= map_from) {
        void* mapped =
            ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
    }
    if (capacity >= page) return static_cast<std::byte*>(std::aligned_alloc(page, capacity));
    return static_cast<std::byte*>(std::malloc(capacity));
}

void give_memory(std::byte* data, std::size_t capacity) {
    unpoison(data, capacity);
    if (capacity >= map_from) {
        ::munmap(data, capacity);
    } else {
        std::free(data);
    }
}

// Threads are numbered as they come: with up to shard_count threads each has a cache of its own.
unsigned thread_number() {
    static std::atomic<unsigned> next{0};
    thread_local const unsigned number = next.fetch_add(1, std::memory_order_relaxed);
    return number;
}

}  // namespace

struct SizedBufferPool::Block : BufferBlock {
    SizedBufferPool* pool{nullptr};
    Block* next{nullptr};
};

SizedBufferPool::SizedBufferPool(const BufferPoolOptions& options)
    : ceiling_(options.ceiling),
      thread_cache_(options.thread_cache),
      shared_cache_(options.shared_cache),
      shards_(std::make_unique<std::array<Shard, shard_count>>()) {}

SizedBufferPool::~SizedBufferPool() {
    drop_cached(true);
    assert(total_.load() == 0 && "a Buffer outlives its pool");
}

SizedBufferPool::Shard& SizedBufferPool::shard() {
    return (*shards_)[thread_number() % shard_count];
}

void SizedBufferPool::push(Cache& cache, Block* block) {
    FreeList& list = cache.lists[block->tag];
    block->next = list.head;
    list.head = block;
    ++list.count;
    cache.bytes += block->capacity;
}

SizedBufferPool::Block* SizedBufferPool::pop(Cache& cache, std::uint32_t size_class) {
    FreeList& list = cache.lists[size_class];
    Block* block = list.head;
    if (block == nullptr) return nullptr;
    list.head = std::exchange(block->next, nullptr);
    list.low = std::min(list.low, --list.count);
    cache.bytes -= block->capacity;
    return block;
}

Buffer SizedBufferPool::allocate(std::size_t size) {
    if (size == 0) return {};
    const auto size_class = static_cast<std::uint32_t>(class_for(size));
    Block* block = nullptr;
    if (size_class != exact) {
        block = from_caches(size_class);
        if (block == nullptr) block = from_system(size_class, classes[size_class]);
    } else if (size <= ceiling()) {
        block = from_system(exact, (size + page - 1) / page * page);
    }
    if (block == nullptr) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        return {};
    }
    unpoison(block->data, block->capacity);
    block->references.store(1, std::memory_order_relaxed);
    return {block, block->data, size};
}

SizedBufferPool::Block* SizedBufferPool::from_caches(std::uint32_t size_class) {
    const std::size_t capacity = classes[size_class];
    const bool small = capacity <= thread_cache_ / 4;
    Shard& mine = shard();
    if (small) {
        if (Block* block = pop(*mine.cache.lock(), size_class)) return block;
    }
    // A few at once: a thread that only allocates (its blocks die elsewhere) visits the depot
    // rarely.
    Block* found = nullptr;
    Block* spare = nullptr;
    {
        auto depot = depot_.lock();
        found = pop(*depot, size_class);
        const std::size_t extra =
            small ? std::min(refill_bytes / capacity, depot->lists[size_class].count / 2) : 0;
        for (std::size_t i = 0; i < extra; ++i) {
            Block* block = pop(*depot, size_class);
            block->next = std::exchange(spare, block);
        }
    }
    if (spare != nullptr) {
        auto cache = mine.cache.lock();
        while (spare != nullptr) {
            Block* block = std::exchange(spare, spare->next);
            push(*cache, block);
        }
    }
    return found;
}

bool SizedBufferPool::reserve(std::size_t bytes) {
    const std::size_t limit = ceiling();
    std::size_t now = total_.load(std::memory_order_relaxed);
    do {
        if (now > limit || bytes > limit - now) return false;
    } while (!total_.compare_exchange_weak(now, now + bytes, std::memory_order_relaxed));
    std::size_t peak = peak_.load(std::memory_order_relaxed);
    while (peak < now + bytes &&
           !peak_.compare_exchange_weak(peak, now + bytes, std::memory_order_relaxed)) {
    }
    return true;
}

SizedBufferPool::Block* SizedBufferPool::from_system(std::uint32_t size_class,
                                                     std::size_t capacity) {
    if (!reserve(capacity)) {
        // What other sizes have cached must not stand in the way of what is needed now.
        drop_cached(true);
        if (!reserve(capacity)) return nullptr;
    }
    std::byte* data = take_memory(capacity);
    Block* block = data == nullptr ? nullptr : new (std::nothrow) Block;
    if (block == nullptr) {
        if (data != nullptr) give_memory(data, capacity);
        total_.fetch_sub(capacity, std::memory_order_relaxed);
        return nullptr;
    }
    block->tag = size_class;
    block->release = release_block;
    block->data = data;
    block->capacity = capacity;
    block->pool = this;
    return block;
}

void SizedBufferPool::release_block(BufferBlock* block) {
    auto* mine = static_cast<Block*>(block);
    mine->next = nullptr;
    if (mine->tag == exact) {
        mine->pool->to_system(mine);
    } else {
        poison(mine->data, mine->capacity);
        mine->pool->to_caches(mine);
    }
}

void SizedBufferPool::to_caches(Block* block) {
    Block* overflow = block;
    if (block->capacity <= thread_cache_ / 4) {
        auto cache = shard().cache.lock();
        push(*cache, block);
        if (cache->bytes <= thread_cache_) return;
        // Half of this class goes, so that the next releases find room.
        overflow = nullptr;
        const std::size_t surplus = (cache->lists[block->tag].count + 1) / 2;
        const std::uint32_t size_class = block->tag;
        for (std::size_t i = 0; i < surplus; ++i) {
            Block* moved = pop(*cache, size_class);
            moved->next = std::exchange(overflow, moved);
        }
    }
    Block* excess = nullptr;
    {
        auto depot = depot_.lock();
        while (overflow != nullptr) {
            Block* moved = std::exchange(overflow, overflow->next);
            if (depot->bytes + moved->capacity <= shared_cache_) {
                push(*depot, moved);
            } else {
                moved->next = std::exchange(excess, moved);
            }
        }
    }
    to_system(excess);
}

void SizedBufferPool::to_system(Block* list) {
    while (list != nullptr) {
        Block* block = std::exchange(list, list->next);
        const std::size_t capacity = block->capacity;
        give_memory(block->data, capacity);
        delete block;
        total_.fetch_sub(capacity, std::memory_order_relaxed);
    }
}

SizedBufferPool::Block* SizedBufferPool::take_unused(Cache& cache, bool all) {
    Block* unused = nullptr;
    for (std::uint32_t size_class = 0; size_class < classes.size(); ++size_class) {
        FreeList& list = cache.lists[size_class];
        const std::size_t surplus = all ? list.count : list.low;
        for (std::size_t i = 0; i < surplus; ++i) {
            Block* block = pop(cache, size_class);
            block->next = std::exchange(unused, block);
        }
        list.low = list.count;
    }
    return unused;
}

void SizedBufferPool::drop_cached(bool all) {
    std::size_t small_freed = 0;
    auto give_back = [&](Guarded<Cache, Rank::memory>& guarded) {
        Block* unused = take_unused(*guarded.lock(), all);
        for (const Block* block = unused; block != nullptr; block = block->next) {
            if (block->capacity < map_from) small_freed += block->capacity;
        }
        to_system(unused);
    };
    for (Shard& each : *shards_) give_back(each.cache);
    give_back(depot_);
    // The C library keeps what is freed in small pieces; after a burst of them it shall not.
    if (small_freed >= 4 * limits::mib) ::malloc_trim(0);
}

void SizedBufferPool::trim() { drop_cached(false); }
void SizedBufferPool::flush() { drop_cached(true); }

void SizedBufferPool::set_ceiling(std::size_t bytes) {
    ceiling_.store(bytes, std::memory_order_relaxed);
    if (total_.load(std::memory_order_relaxed) > bytes) flush();
}

BufferPoolStats SizedBufferPool::stats() const {
    BufferPoolStats stats;
    for (const Shard& each : *shards_) stats.cached += each.cache.lock()->bytes;
    stats.cached += depot_.lock()->bytes;
    const std::size_t total = total_.load(std::memory_order_relaxed);
    stats.in_use = total - std::min(total, stats.cached);
    stats.peak = peak_.load(std::memory_order_relaxed);
    stats.refused = refused_.load(std::memory_order_relaxed);
    return stats;
}

}  // namespace smb3d
