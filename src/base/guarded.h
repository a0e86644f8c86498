// Guarded<T>: state behind a mutex whose place in the lock order is part of its type.
//
// Purpose: the only way this project protects shared state (a bare std::mutex member is a defect).
// Thread: any.  A lock is held for a few instructions: never across co_await, a VFS call or a post.
// Errors: in debug builds, taking locks against the order of Rank aborts with both ranks.
#pragma once

#include <cassert>
#include <cstdint>
#include <mutex>
#include <utility>

namespace smb3d {

// A thread may take a lock only if it holds none of the same or a higher rank.
// docs/threading.md explains the order; a rank's gap is room for later ones.
enum class Rank : std::uint8_t {
    daemon = 10,
    session_table = 20,
    session = 30,
    open = 35,
    lease_table = 40,
    durable_table = 45,
    file_table = 50,
    file = 60,
    share_mount = 70,
    leaf = 100,    // takes nothing further
    memory = 110,  // the buffer pool's own: a Buffer may die under any other lock
};

namespace detail {
#ifndef NDEBUG
void rank_acquired(Rank rank);  // guarded.cpp: a per-thread stack
void rank_released(Rank rank);
#else
inline void rank_acquired(Rank) {}
inline void rank_released(Rank) {}
#endif
}  // namespace detail

template <class T, Rank rank>
class Guarded {
  public:
    template <class... Args>
    explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    // Access for as long as it lives; moves, does not copy.
    class Locked {
      public:
        explicit Locked(Guarded& owner) : owner_(&owner) {
            detail::rank_acquired(rank);
            owner_->mutex_.lock();
        }
        Locked(Locked&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
        Locked& operator=(Locked&&) = delete;
        ~Locked() { unlock(); }
        void unlock() {
            if (owner_ == nullptr) return;
            owner_->mutex_.unlock();
            detail::rank_released(rank);
            owner_ = nullptr;
        }
        T& operator*() const { return owner_->value_; }
        T* operator->() const { return &owner_->value_; }

      private:
        Guarded* owner_;
    };

    Locked lock() { return Locked(*this); }
    Locked lock() const { return Locked(const_cast<Guarded&>(*this)); }

  private:
    std::mutex mutex_;
    T value_;
};

}  // namespace smb3d
