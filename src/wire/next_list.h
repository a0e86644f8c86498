// The one iterator for every list whose entries begin with the distance to the next one, and its
// counterpart.
//
// Purpose: create contexts, FILE_FULL_EA_INFORMATION, FILE_NOTIFY_INFORMATION, stream, directory
//   and network interface lists are all read and written here, so that their bounds are checked in
//   one place.
// Spec: [MS-SMB2] 2.2.13.2 Next; [MS-FSCC] NextEntryOffset.
// Thread: one.  Lifetime: entries are views into the list.
// Errors: a list that goes backwards, out of bounds, off its alignment or on for too long ends with
//   ok() false.
#pragma once

#include "wire/codec.h"

namespace smb3d::wire {

inline constexpr std::size_t next_size = sizeof(std::uint32_t);  // the Next field itself

class NextListReader {
  public:
    // `alignment`: of every entry but the first; 1 if the specification does not demand one of
    // senders.
    NextListReader(Bytes list, std::size_t alignment, std::size_t max_entries)
        : list_(list), alignment_(alignment), left_(max_entries), done_(list.empty()) {}

    // The next entry, Next field included, up to where the one after it begins.  False at the end
    // and on a fault.
    bool next(Bytes& entry) {
        if (done_) return false;
        Reader reader(list_);
        std::uint32_t distance = 0;
        reader.field(distance);
        if (!reader.ok() || left_ == 0) return fault();
        --left_;
        if (distance == 0) {
            entry = list_;
            done_ = true;
            return true;
        }
        // Forward only, and with something behind it.
        if (distance < next_size || distance >= list_.size() || distance % alignment_ != 0) {
            return fault();
        }
        entry = list_.first(distance);
        list_ = list_.subspan(distance);
        return true;
    }
    bool ok() const { return ok_; }

  private:
    bool fault() {
        ok_ = false;
        done_ = true;
        return false;
    }

    Bytes list_;
    std::size_t alignment_;
    std::size_t left_;
    bool done_;
    bool ok_{true};
};

// Parses what lies behind an entry's Next field; offsets count from the entry's start.
template <class T>
Result<T> parse_entry(Bytes entry, NtStatus error = NtStatus::INVALID_PARAMETER) {
    Result<T> value;
    Reader reader(entry, next_size);
    if (reader.ok()) T::wire(*value, reader);
    if (!reader.ok()) value = fail(error);
    return value;
}

// Builds such a list, at the end of a vector or in memory of fixed size.
class NextListWriter {
  public:
    NextListWriter(std::vector<std::byte>& out, std::size_t alignment)
        : grow_(&out), base_(out.size()), alignment_(alignment) {}
    NextListWriter(MutableBytes out, std::size_t alignment) : fixed_(out), alignment_(alignment) {}

    // Adds an entry whose wire() is what follows the Next field.  False if it does not fit (or a
    // value does not fit its field): the list is then as it was.
    template <class T>
    bool add(const T& entry) {
        const std::size_t start = last_ == none ? 0 : detail::aligned(size_, alignment_);
        const std::size_t padding = start - size_;
        if (grow_ != nullptr) {
            const std::size_t before = grow_->size();
            grow_->resize(before + padding + next_size);
            Writer writer(*grow_, next_size);
            T::wire(entry, writer);
            if (!writer.finish()) {
                grow_->resize(before);
                return false;
            }
            link(start, next_size + writer.size());
            return true;
        }
        if (start > fixed_.size() || fixed_.size() - start < next_size) return false;
        Writer writer(fixed_.subspan(start + next_size), next_size);
        T::wire(entry, writer);
        if (!writer.finish()) return false;
        std::memset(fixed_.data() + size_, 0, padding + next_size);
        link(start, next_size + writer.size());
        return true;
    }
    std::size_t size() const { return size_; }
    bool empty() const { return last_ == none; }

  private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    void link(std::size_t start, std::size_t length) {
        if (last_ != none) {
            std::byte* const memory = grow_ != nullptr ? grow_->data() + base_ : fixed_.data();
            detail::to_little(memory + last_, static_cast<std::uint32_t>(start - last_));
        }
        last_ = start;
        size_ = start + length;
    }

    std::vector<std::byte>* grow_{nullptr};
    std::size_t base_{0};
    MutableBytes fixed_;
    std::size_t alignment_;
    std::size_t last_{none};
    std::size_t size_{0};
};

}  // namespace smb3d::wire
