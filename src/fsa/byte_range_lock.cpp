#include "fsa/byte_range_lock.h"

#include <cassert>
#include <ext/pb_ds/assoc_container.hpp>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/limits.h"

namespace smb3d::fsa {

namespace {

// A set that also tells how many of its elements are below a key, in O(log n).
template <class Key>
using CountingSet =
    __gnu_pbds::tree<Key, __gnu_pbds::null_type, std::less<Key>, __gnu_pbds::rb_tree_tag,
                     __gnu_pbds::tree_order_statistics_node_update>;

using Boundary = std::pair<std::uint64_t, std::uint64_t>;  // position, sequence number of the lock
constexpr std::uint64_t highest = ~std::uint64_t{0};

struct Held {
    LockOwner owner{0};
    ByteRange range;
    bool exclusive{false};
    std::uint64_t sequence{0};

    // By owner, then range; exclusive before shared, so that an unlock finds it first.
    friend bool operator<(const Held& a, const Held& b) {
        return std::tuple(a.owner, a.range.offset, a.range.length, !a.exclusive, a.sequence) <
               std::tuple(b.owner, b.range.offset, b.range.length, !b.exclusive, b.sequence);
    }
};

struct Waiting {
    LockTicket ticket{0};
    LockOwner owner{0};
    LockElement element;
    Waker waker;
};

// First and last byte of a range; of a zero-length range at z: z and z - 1, with which the common
// overlap formula gives "strictly inside" ([MS-FSA] 2.1.4.10).
struct Probe {
    std::uint64_t first{0};
    std::uint64_t last{0};
    bool nowhere{false};  // zero length at offset 0: overlaps nothing
    bool empty{false};
};

Probe probe_of(ByteRange range) {
    if (range.length != 0) return {range.offset, range.offset + (range.length - 1), false, false};
    return {range.offset, range.offset - 1, range.offset == 0, true};
}

}  // namespace

struct ByteRangeLocks::State {
    std::set<Held> held;
    // Exclusive locks never overlap each other, so that their order by offset is also that of their
    // ends.
    struct Exclusive {
        std::uint64_t last;
        LockOwner owner;
    };
    std::map<std::uint64_t, Exclusive> exclusive;  // by first byte
    // Shared locks may overlap: those that touch [a, b] are (first <= b) minus (last < a).
    CountingSet<Boundary> shared_firsts;
    CountingSet<Boundary> shared_lasts;
    // Zero-length locks: position and sequence number -> owner.
    std::map<Boundary, LockOwner> zero_exclusive;
    std::map<Boundary, LockOwner> zero_shared;
    std::list<Waiting> waiting;
    std::uint64_t next_sequence{1};
    LockTicket next_ticket{1};

    bool shared_overlaps(const Probe& probe) const;
    // An exclusive lock in the probe's way; those of `except` do not count (0: all count).
    bool exclusive_overlaps(const Probe& probe, LockOwner except) const;
    static bool zero_inside(const std::map<Boundary, LockOwner>& zeros, const Probe& probe,
                            LockOwner except);
    bool lock_conflicts(LockOwner owner, const LockElement& element) const;
    bool full() const { return held.size() + waiting.size() >= limits::max_locks_per_file; }
    Held add(LockOwner owner, const LockElement& element);
    void remove(std::set<Held>::iterator position);
    void grant_waiting(WakeList& wakes);
};

bool ByteRangeLocks::State::shared_overlaps(const Probe& probe) const {
    if (probe.nowhere || shared_firsts.empty()) return false;
    // Sequence numbers start at 1: {x, highest} is behind, {x, 0} before every boundary at x.
    const std::size_t begun = shared_firsts.order_of_key(Boundary{probe.last, highest});
    const std::size_t ended = shared_lasts.order_of_key(Boundary{probe.first, 0});
    return begun > ended;
}

bool ByteRangeLocks::State::exclusive_overlaps(const Probe& probe, LockOwner except) const {
    if (probe.nowhere) return false;
    auto lock = exclusive.upper_bound(probe.last);
    while (lock != exclusive.begin()) {
        --lock;
        if (lock->second.last < probe.first) return false;
        if (except == 0 || lock->second.owner != except) return true;
    }
    return false;
}

bool ByteRangeLocks::State::zero_inside(const std::map<Boundary, LockOwner>& zeros,
                                        const Probe& probe, LockOwner except) {
    if (probe.empty || probe.first == highest) return false;
    auto lock = zeros.lower_bound(Boundary{probe.first + 1, 0});
    for (; lock != zeros.end() && lock->first.first <= probe.last; ++lock) {
        if (except == 0 || lock->second != except) return true;
    }
    return false;
}

// [MS-FSA] 2.1.4.10 with LockIntent TRUE.
bool ByteRangeLocks::State::lock_conflicts(LockOwner owner, const LockElement& element) const {
    const Probe probe = probe_of(element.range);
    if (element.exclusive) {
        return exclusive_overlaps(probe, 0) || shared_overlaps(probe) ||
               zero_inside(zero_exclusive, probe, 0) || zero_inside(zero_shared, probe, 0);
    }
    return exclusive_overlaps(probe, owner) || zero_inside(zero_exclusive, probe, owner);
}

Held ByteRangeLocks::State::add(LockOwner owner, const LockElement& element) {
    const Held lock{owner, element.range, element.exclusive, next_sequence++};
    const Probe probe = probe_of(element.range);
    held.insert(lock);
    if (probe.empty) {
        (lock.exclusive ? zero_exclusive : zero_shared)
            .emplace(Boundary{probe.first, lock.sequence}, owner);
    } else if (lock.exclusive) {
        const bool inserted = exclusive.emplace(probe.first, Exclusive{probe.last, owner}).second;
        assert(inserted);
        (void)inserted;
    } else {
        shared_firsts.insert(Boundary{probe.first, lock.sequence});
        shared_lasts.insert(Boundary{probe.last, lock.sequence});
    }
    return lock;
}

void ByteRangeLocks::State::remove(std::set<Held>::iterator position) {
    const Held lock = *position;
    const Probe probe = probe_of(lock.range);
    held.erase(position);
    if (probe.empty) {
        (lock.exclusive ? zero_exclusive : zero_shared).erase(Boundary{probe.first, lock.sequence});
    } else if (lock.exclusive) {
        exclusive.erase(probe.first);
    } else {
        shared_firsts.erase(Boundary{probe.first, lock.sequence});
        shared_lasts.erase(Boundary{probe.last, lock.sequence});
    }
}

// [MS-FSA] 2.1.5.8: those that wait are looked at in the order of arrival.
void ByteRangeLocks::State::grant_waiting(WakeList& wakes) {
    for (auto waiter = waiting.begin(); waiter != waiting.end();) {
        if (lock_conflicts(waiter->owner, waiter->element)) {
            ++waiter;
            continue;
        }
        add(waiter->owner, waiter->element);
        wakes.push_back({waiter->waker, NtStatus::SUCCESS});
        waiter = waiting.erase(waiter);
    }
}

ByteRangeLocks::ByteRangeLocks() : state_(std::make_unique<State>()) {}
ByteRangeLocks::~ByteRangeLocks() = default;

Result<void> ByteRangeLocks::lock_all(LockOwner owner, std::span<const LockElement> elements) {
    std::vector<Held> added;
    added.reserve(elements.size());
    NtStatus status = NtStatus::SUCCESS;
    for (const LockElement& element : elements) {
        if (!is_valid_range(element.range)) {
            status = NtStatus::INVALID_LOCK_RANGE;
        } else if (state_->full()) {
            status = NtStatus::INSUFFICIENT_RESOURCES;
        } else if (state_->lock_conflicts(owner, element)) {
            status = NtStatus::LOCK_NOT_GRANTED;
        }
        if (status != NtStatus::SUCCESS) break;
        added.push_back(state_->add(owner, element));
    }
    if (status == NtStatus::SUCCESS) return {};
    // [MS-SMB2] 3.3.5.14.2: what was locked for this request is given back.  Nobody saw it: nobody
    // is to be woken.
    for (const Held& lock : added) state_->remove(state_->held.find(lock));
    return fail(status);
}

Result<LockTicket> ByteRangeLocks::lock_or_wait(LockOwner owner, const LockElement& element,
                                                Waker waker) {
    if (!is_valid_range(element.range)) return fail(NtStatus::INVALID_LOCK_RANGE);
    if (state_->full()) return fail(NtStatus::INSUFFICIENT_RESOURCES);
    if (!state_->lock_conflicts(owner, element)) {
        state_->add(owner, element);
        return LockTicket{0};
    }
    const LockTicket ticket = state_->next_ticket++;
    state_->waiting.push_back({ticket, owner, element, waker});
    return ticket;
}

Result<void> ByteRangeLocks::unlock(LockOwner owner, std::span<const ByteRange> ranges,
                                    WakeList& wakes) {
    NtStatus status = NtStatus::SUCCESS;
    bool removed = false;
    for (const ByteRange& range : ranges) {
        if (!is_valid_range(range)) {
            status = NtStatus::INVALID_LOCK_RANGE;
            break;
        }
        const auto lock = state_->held.lower_bound(Held{owner, range, true, 0});
        if (lock == state_->held.end() || lock->owner != owner ||
            lock->range.offset != range.offset || lock->range.length != range.length) {
            status = NtStatus::RANGE_NOT_LOCKED;
            break;
        }
        state_->remove(lock);
        removed = true;
    }
    if (removed) state_->grant_waiting(wakes);
    if (status != NtStatus::SUCCESS) return fail(status);
    return {};
}

void ByteRangeLocks::cancel(LockTicket ticket, WakeList& wakes) {
    for (auto waiter = state_->waiting.begin(); waiter != state_->waiting.end(); ++waiter) {
        if (waiter->ticket != ticket) continue;
        wakes.push_back({waiter->waker, NtStatus::CANCELLED});
        state_->waiting.erase(waiter);
        return;
    }
}

void ByteRangeLocks::release(LockOwner owner, WakeList& wakes) {
    for (auto waiter = state_->waiting.begin(); waiter != state_->waiting.end();) {
        if (waiter->owner == owner) {
            wakes.push_back({waiter->waker, NtStatus::RANGE_NOT_LOCKED});
            waiter = state_->waiting.erase(waiter);
        } else {
            ++waiter;
        }
    }
    bool removed = false;
    auto lock = state_->held.lower_bound(Held{owner, {}, true, 0});
    while (lock != state_->held.end() && lock->owner == owner) {
        const auto next = std::next(lock);
        state_->remove(lock);
        lock = next;
        removed = true;
    }
    if (removed) state_->grant_waiting(wakes);
}

bool ByteRangeLocks::read_conflicts(LockOwner reader, ByteRange range) const {
    if (range.length == 0) return false;
    const Probe probe = probe_of(range);
    return state_->exclusive_overlaps(probe, reader) ||
           State::zero_inside(state_->zero_exclusive, probe, reader);
}

bool ByteRangeLocks::write_conflicts(LockOwner writer, ByteRange range) const {
    if (range.length == 0) return false;
    const Probe probe = probe_of(range);
    return state_->exclusive_overlaps(probe, writer) || state_->shared_overlaps(probe) ||
           State::zero_inside(state_->zero_exclusive, probe, writer) ||
           State::zero_inside(state_->zero_shared, probe, 0);
}

std::size_t ByteRangeLocks::granted() const { return state_->held.size(); }
std::size_t ByteRangeLocks::waiting() const { return state_->waiting.size(); }

std::size_t ByteRangeLocks::granted_to(LockOwner owner) const {
    std::size_t count = 0;
    auto lock = state_->held.lower_bound(Held{owner, {}, true, 0});
    for (; lock != state_->held.end() && lock->owner == owner; ++lock) ++count;
    return count;
}

std::vector<ByteRangeLocks::Entry> ByteRangeLocks::entries() const {
    std::vector<Entry> result;
    result.reserve(state_->held.size());
    for (const Held& lock : state_->held) {
        result.push_back({lock.owner, {lock.range, lock.exclusive}});
    }
    return result;
}

// [MS-SMB2] 3.3.5.14: index 0 and those beyond the array mean that the client does not ask for
// this.
bool LockSequence::is_replay(std::uint32_t lock_sequence) {
    const std::uint32_t index = lock_sequence >> 4;
    const auto number = static_cast<std::uint8_t>(lock_sequence & 0xF);
    if (index == 0 || index > buckets || numbers_ == nullptr) return false;
    if (numbers_[index - 1] == number) return true;
    numbers_[index - 1] = invalid;
    return false;
}

void LockSequence::completed(std::uint32_t lock_sequence) {
    const std::uint32_t index = lock_sequence >> 4;
    if (index == 0 || index > buckets) return;
    if (numbers_ == nullptr) {
        numbers_ = std::make_unique<std::uint8_t[]>(buckets);
        for (std::uint32_t i = 0; i < buckets; ++i) numbers_[i] = invalid;
    }
    numbers_[index - 1] = static_cast<std::uint8_t>(lock_sequence & 0xF);
}

void LockSequence::forget(std::uint32_t lock_sequence) {
    const std::uint32_t index = lock_sequence >> 4;
    if (index == 0 || index > buckets || numbers_ == nullptr) return;
    if (numbers_[index - 1] == (lock_sequence & 0xF)) numbers_[index - 1] = invalid;
}

std::vector<std::uint8_t> LockSequence::numbers() const {
    if (numbers_ == nullptr) return {};
    return {numbers_.get(), numbers_.get() + buckets};
}

void LockSequence::set_numbers(std::span<const std::uint8_t> numbers) {
    if (numbers.size() != buckets) return;
    numbers_ = std::make_unique<std::uint8_t[]>(buckets);
    std::copy(numbers.begin(), numbers.end(), numbers_.get());
}

}  // namespace smb3d::fsa
