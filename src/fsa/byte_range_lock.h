// Byte-range locks of one file: those granted, those that wait, and what I/O conflicts with them.
//
// Purpose: the lock list of [MS-FSA] as an ordered structure; fsa::File guards one of these.
// Spec: [MS-FSA] 2.1.5.8 (lock), 2.1.5.9 (unlock), 2.1.4.10 (conflict), 2.1.5.5 (close).
//   - An exclusive lock conflicts with every overlapping lock, the owner's own included; a shared
//     one with exclusive locks of others (shared locks stack on the owner's exclusive lock).
//   - A zero-length range overlaps another only if it lies strictly inside it, and a second
//     zero-length one never.
//   - Reads conflict with exclusive locks of others, writes with those and with every shared lock,
//     the own included.
//   - Waiting requests are tried in the order of arrival whenever a lock goes.  A new request that
//     conflicts with no granted lock is granted even if others wait, as Windows does: waiting
//     reserves nothing.
// Thread: none of its own; its File's lock is held (File offers these operations to all others).
// Lifetime: the File's.
// Errors: LOCK_NOT_GRANTED, RANGE_NOT_LOCKED, INVALID_LOCK_RANGE, INSUFFICIENT_RESOURCES.
// Cost: O(log n) in the number of locks, besides a reader's own exclusive locks inside its range
//   and, for an unlock, the requests that wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "smb3d/status.h"

namespace smb3d::fsa {

using LockOwner = std::uint64_t;  // an open's id, unique in the process

struct ByteRange {
    std::uint64_t offset{0};
    std::uint64_t length{0};
};

// One element of a lock request.
struct LockElement {
    ByteRange range;
    bool exclusive{false};
};

// [MS-FSA] 2.1.5.8: a range may end at 2^64 - 1 but not go beyond; else INVALID_LOCK_RANGE.
constexpr bool is_valid_range(ByteRange range) {
    return range.length == 0 || range.length - 1 <= ~std::uint64_t{0} - range.offset;
}

// Who is told when a waiting lock request ends: called exactly once, with SUCCESS (the lock is
// held), CANCELLED or RANGE_NOT_LOCKED (the open was closed); on whatever thread caused it, with no
// lock of fsa held.
struct Waker {
    using Function = void (*)(void* context, NtStatus status);
    Function function{nullptr};
    void* context{nullptr};
    void operator()(NtStatus status) const { function(context, status); }
};

// A waker to be called once the File's lock is released.
struct Wake {
    Waker waker;
    NtStatus status{NtStatus::SUCCESS};
};
using WakeList = std::vector<Wake>;

using LockTicket = std::uint64_t;  // a waiting request, unique in its file; 0: none

class ByteRangeLocks {
  public:
    ByteRangeLocks();
    ~ByteRangeLocks();
    ByteRangeLocks(const ByteRangeLocks&) = delete;
    ByteRangeLocks& operator=(const ByteRangeLocks&) = delete;

    // All elements or none (LOCK_NOT_GRANTED); they also conflict among each other.
    Result<void> lock_all(LockOwner owner, std::span<const LockElement> elements);
    // Granted (0) or registered to wait (its ticket).
    Result<LockTicket> lock_or_wait(LockOwner owner, const LockElement& element, Waker waker);
    // In order; stops at the first range that is not locked exactly so (RANGE_NOT_LOCKED), those
    // before stay unlocked.  An exclusive lock goes before a shared one on the same range.
    Result<void> unlock(LockOwner owner, std::span<const ByteRange> ranges, WakeList& wakes);
    // The request ends with CANCELLED unless it has ended before.
    void cancel(LockTicket ticket, WakeList& wakes);
    // Everything of this owner goes; its waiting requests end with RANGE_NOT_LOCKED.
    void release(LockOwner owner, WakeList& wakes);

    // [MS-FSA] 2.1.4.10 for I/O: true if it conflicts.
    bool read_conflicts(LockOwner reader, ByteRange range) const;
    bool write_conflicts(LockOwner writer, ByteRange range) const;

    std::size_t granted() const;
    std::size_t waiting() const;
    std::size_t granted_to(LockOwner owner) const;
    // For administrators and tests: in the order of owner, offset, length.
    struct Entry {
        LockOwner owner{0};
        LockElement element;
    };
    std::vector<Entry> entries() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// [MS-SMB2] 3.3.1.10 Open.LockSequenceArray, 3.3.5.14: recognises a repeated LOCK request of a
// client that lost the answer.  The engine keeps one per open where the dialect and the open's kind
// ask for it.
// Thread: one at a time: the engine's Open guards it.
class LockSequence {
  public:
    static constexpr std::uint32_t buckets = 64;

    // `lock_sequence` is LockSequenceNumber (4 bits) | LockSequenceIndex << 4 of the request. True:
    // this very request was carried out before; answer success and do nothing.  False: carry it
    // out, then say completed().
    bool is_replay(std::uint32_t lock_sequence);
    void completed(std::uint32_t lock_sequence);
    void forget(std::uint32_t lock_sequence);  // it was not, after all

    // For an open that changes hands or outlives the server: the numbers, empty if there are none.
    std::vector<std::uint8_t> numbers() const;
    void set_numbers(std::span<const std::uint8_t> numbers);

  private:
    static constexpr std::uint8_t invalid = 0xFF;
    std::unique_ptr<std::uint8_t[]> numbers_;  // made at first use: most opens never lock
};

}  // namespace smb3d::fsa
