// ContextPool: the library contexts of one key, lent to whichever thread needs one.
//
// Purpose: signing and sealing allocate nothing once a few messages have passed, without
// thread-local state that would
//   outlive the key.  An idle key holds no context.
// Thread: any.  A thread tends to get back the context that it used last.
// Lifetime: a Lease must end before the pool does.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <pthread.h>

namespace smb3d::crypto::detail {

template <class Context>
class ContextPool {
  public:
    static constexpr std::size_t slots = 8;

    ContextPool() = default;
    ContextPool(const ContextPool&) = delete;
    ContextPool& operator=(const ContextPool&) = delete;
    ~ContextPool() {
        for (std::atomic<Context*>& slot : slots_) delete slot.load(std::memory_order_acquire);
    }

    // A context to use alone; goes back when it ends, unless discard()ed.
    class Lease {
      public:
        Lease(ContextPool& pool, std::unique_ptr<Context> context)
            : pool_(pool), context_(std::move(context)) {}
        Lease(Lease&&) noexcept = default;
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (context_) pool_.put(std::move(context_));
        }
        explicit operator bool() const { return context_ != nullptr; }
        Context* operator->() const { return context_.get(); }
        void discard() { context_.reset(); }

      private:
        ContextPool& pool_;
        std::unique_ptr<Context> context_;
    };

    // `make` yields a unique_ptr<Context>, null if it fails; called only if no context is free.
    template <class Make>
    Lease lease(Make&& make) {
        const std::size_t first = preferred();
        for (std::size_t i = 0; i < slots; ++i) {
            std::atomic<Context*>& slot = slots_[(first + i) % slots];
            if (slot.load(std::memory_order_relaxed) == nullptr) continue;
            if (Context* context = slot.exchange(nullptr, std::memory_order_acquire)) {
                return {*this, std::unique_ptr<Context>(context)};
            }
        }
        return {*this, make()};
    }

  private:
    static std::size_t preferred() {
        const auto self = static_cast<std::uint64_t>(::pthread_self());
        return static_cast<std::size_t>((self >> 8) * 0x9E3779B97F4A7C15ULL >> 61);
    }
    void put(std::unique_ptr<Context> context) {
        const std::size_t first = preferred();
        for (std::size_t i = 0; i < slots; ++i) {
            Context* empty = nullptr;
            if (slots_[(first + i) % slots].compare_exchange_strong(
                    empty, context.get(), std::memory_order_release, std::memory_order_relaxed)) {
                (void)context.release();
                return;
            }
        }
    }

    std::array<std::atomic<Context*>, slots> slots_{};
};

}  // namespace smb3d::crypto::detail
