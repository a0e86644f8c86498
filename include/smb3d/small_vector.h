// SmallVector: a vector whose first N elements live inside it, so that the usual few cost no
// allocation.
//
// Purpose: the pieces of a message and the parts of a compound; the interface is the part of
//   std::vector's that they need.
// Thread: one at a time.
// Lifetime: moving it moves elements that live inside: pointers to them do not survive that.
// Errors: std::bad_alloc when it grows beyond N.
#pragma once

#include <cassert>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace smb3d {

template <class T, std::size_t N>
class SmallVector {
    static_assert(N > 0 && std::is_nothrow_move_constructible_v<T>);

  public:
    using value_type = T;
    using iterator = T*;
    using const_iterator = const T*;

    SmallVector() = default;
    SmallVector(std::initializer_list<T> elements) {
        reserve(elements.size());
        for (const T& element : elements) push_back(element);
    }
    SmallVector(SmallVector&& other) noexcept { take(other); }
    SmallVector& operator=(SmallVector&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~SmallVector() { reset(); }

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    std::size_t capacity() const { return capacity_; }
    T* data() { return heap_ != nullptr ? heap_ : inside(); }
    const T* data() const { return heap_ != nullptr ? heap_ : inside(); }
    T* begin() { return data(); }
    T* end() { return data() + size_; }
    const T* begin() const { return data(); }
    const T* end() const { return data() + size_; }
    T& operator[](std::size_t index) {
        assert(index < size_);
        return data()[index];
    }
    const T& operator[](std::size_t index) const {
        assert(index < size_);
        return data()[index];
    }
    T& back() { return (*this)[size_ - 1]; }

    void reserve(std::size_t count) {
        if (count > capacity_) grow(count);
    }
    void push_back(T element) {
        if (size_ == capacity_) grow(capacity_ * 2);
        ::new (static_cast<void*>(data() + size_)) T(std::move(element));
        ++size_;
    }
    void push_front(T element) {
        push_back(std::move(element));
        for (T* at = end() - 1; at != begin(); --at) std::swap(*at, *(at - 1));
    }
    // Keeps the memory.
    void clear() noexcept {
        std::destroy(begin(), end());
        size_ = 0;
    }

  private:
    T* inside() { return std::launder(reinterpret_cast<T*>(memory_)); }
    const T* inside() const { return std::launder(reinterpret_cast<const T*>(memory_)); }

    void grow(std::size_t count) {
        T* const wider = std::allocator<T>().allocate(count);
        std::uninitialized_move(begin(), end(), wider);
        std::destroy(begin(), end());
        free_heap();
        heap_ = wider;
        capacity_ = count;
    }
    void free_heap() noexcept {
        if (heap_ != nullptr) std::allocator<T>().deallocate(heap_, capacity_);
    }
    void reset() noexcept {
        clear();
        free_heap();
        heap_ = nullptr;
        capacity_ = N;
    }
    // This one is empty and has no memory of its own.
    void take(SmallVector& other) noexcept {
        if (other.heap_ != nullptr) {
            heap_ = std::exchange(other.heap_, nullptr);
            capacity_ = std::exchange(other.capacity_, N);
            size_ = std::exchange(other.size_, 0);
            return;
        }
        std::uninitialized_move(other.begin(), other.end(), inside());
        size_ = other.size_;
        other.clear();
    }

    T* heap_{nullptr};
    std::size_t size_{0};
    std::size_t capacity_{N};
    alignas(T) std::byte memory_[N * sizeof(T)];
};

}  // namespace smb3d
