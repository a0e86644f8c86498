// IdTable<T>: small integer ids for objects, O(1), never giving the same id to two objects in a
// row.
//
// An id is {generation, slot}: a stale id finds nothing although its slot is in use again.  Ids
// start at 1, so 0 and all ones never name an object.
// Thread: the owner's (usually inside a Guarded).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace smb3d {

// `Id`: std::uint32_t (16 bits of slot) or std::uint64_t (32 bits of slot).
template <class T, class Id>
class IdTable {
    static constexpr unsigned slot_bits = sizeof(Id) * 4;
    static constexpr Id slot_mask = (Id{1} << slot_bits) - 1;

  public:
    static constexpr std::size_t max_size = static_cast<std::size_t>(slot_mask) - 1;

    // The id, or 0 if the table is full.
    Id insert(T value) {
        std::size_t slot = 0;
        if (!free_.empty()) {
            slot = free_.back();
            free_.pop_back();
        } else if (slots_.size() < max_size) {
            slot = slots_.size();
            slots_.emplace_back();
        } else {
            return 0;
        }
        slots_[slot].value = std::move(value);
        slots_[slot].used = true;
        ++size_;
        return make_id(slot);
    }

    // Null if there is no such id.
    T* find(Id id) {
        const std::size_t slot = static_cast<std::size_t>(id & slot_mask) - 1;
        if ((id & slot_mask) == 0 || slot >= slots_.size()) return nullptr;
        return slots_[slot].used && make_id(slot) == id ? &slots_[slot].value : nullptr;
    }

    // The value that was there, or a default one.
    T take(Id id) {
        T* value = find(id);
        if (value == nullptr) return T{};
        const std::size_t slot = static_cast<std::size_t>(id & slot_mask) - 1;
        T result = std::move(*value);
        *value = T{};
        slots_[slot].used = false;
        // All ones means "the previous one of the compound" on the wire: skip that generation.
        slots_[slot].generation = (slots_[slot].generation + 1) % (slot_mask - 1);
        free_.push_back(slot);
        --size_;
        return result;
    }

    std::size_t size() const { return size_; }

    template <class Function>
    void for_each(Function function) {
        for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
            if (slots_[slot].used) function(make_id(slot), slots_[slot].value);
        }
    }

  private:
    struct Slot {
        T value{};
        Id generation{0};
        bool used{false};
    };
    Id make_id(std::size_t slot) const {
        return static_cast<Id>((slots_[slot].generation << slot_bits) | static_cast<Id>(slot + 1));
    }

    std::vector<Slot> slots_;
    std::vector<std::size_t> free_;
    std::size_t size_{0};
};

}  // namespace smb3d
