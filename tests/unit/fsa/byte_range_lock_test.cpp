#include "fsa/byte_range_lock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/limits.h"

namespace smb3d::fsa {
namespace {

constexpr std::uint64_t top = ~std::uint64_t{0};

// What [MS-FSA] 2.1.4.10 says, word for word, over a plain list.
class Model {
  public:
    struct Lock {
        LockOwner owner;
        LockElement element;
    };
    static bool overlaps(ByteRange a, ByteRange b) {
        // In 128 bits nothing wraps; a zero-length range at z ends before z.
        using Wide = __int128;
        const Wide a_last = Wide(a.offset) + Wide(a.length) - 1;
        const Wide b_last = Wide(b.offset) + Wide(b.length) - 1;
        return !(a_last < Wide(b.offset) || b_last < Wide(a.offset));
    }
    bool lock_conflicts(LockOwner owner, const LockElement& wanted) const {
        return std::any_of(locks.begin(), locks.end(), [&](const Lock& lock) {
            if (!overlaps(lock.element.range, wanted.range)) return false;
            if (wanted.exclusive) return true;
            return lock.element.exclusive && lock.owner != owner;
        });
    }
    bool read_conflicts(LockOwner owner, ByteRange range) const {
        return std::any_of(locks.begin(), locks.end(), [&](const Lock& lock) {
            return overlaps(lock.element.range, range) && lock.element.exclusive &&
                   lock.owner != owner;
        });
    }
    bool write_conflicts(LockOwner owner, ByteRange range) const {
        return std::any_of(locks.begin(), locks.end(), [&](const Lock& lock) {
            return overlaps(lock.element.range, range) &&
                   (!lock.element.exclusive || lock.owner != owner);
        });
    }
    bool unlock(LockOwner owner, ByteRange range) {
        auto found = locks.end();
        for (auto lock = locks.begin(); lock != locks.end(); ++lock) {
            if (lock->owner != owner || lock->element.range.offset != range.offset ||
                lock->element.range.length != range.length) {
                continue;
            }
            found = lock;
            if (lock->element.exclusive) break;
        }
        if (found == locks.end()) return false;
        locks.erase(found);
        return true;
    }

    std::vector<Lock> locks;
};

void random_run(std::uint64_t seed, std::uint64_t base, std::uint64_t span) {
    std::mt19937_64 random(seed);
    ByteRangeLocks locks;
    Model model;
    WakeList wakes;
    for (int step = 0; step < 4000; ++step) {
        const LockOwner owner = 1 + random() % 3;
        ByteRange range{base + random() % span, random() % 8 == 0 ? 0 : random() % (span / 2)};
        if (!is_valid_range(range)) range.length = top - range.offset + 1;
        const LockElement element{range, random() % 2 == 0};
        switch (random() % 5) {
            case 0:
            case 1: {
                const bool conflict = model.lock_conflicts(owner, element);
                ASSERT_EQ(!conflict, locks.lock_all(owner, {&element, 1}).has_value())
                    << "seed " << seed << " step " << step;
                if (!conflict) model.locks.push_back({owner, element});
                break;
            }
            case 2:
                if (!model.locks.empty() && random() % 4 != 0) {
                    range = model.locks[random() % model.locks.size()].element.range;
                }
                ASSERT_EQ(model.unlock(owner, range),
                          locks.unlock(owner, {&range, 1}, wakes).has_value());
                break;
            case 3:
                if (range.length == 0) break;
                ASSERT_EQ(model.read_conflicts(owner, range), locks.read_conflicts(owner, range));
                ASSERT_EQ(model.write_conflicts(owner, range), locks.write_conflicts(owner, range));
                break;
            default:
                if (random() % 50 != 0) break;
                locks.release(owner, wakes);
                std::erase_if(model.locks,
                              [&](const Model::Lock& lock) { return lock.owner == owner; });
                break;
        }
        ASSERT_EQ(model.locks.size(), locks.granted());
    }
    EXPECT_TRUE(wakes.empty());
}

TEST(ByteRangeLocks, MsFsa_2_1_4_10_AgreesWithTheModel) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) random_run(seed, 0, 40);
    for (std::uint64_t seed = 21; seed <= 40; ++seed) random_run(seed, top - 39, 40);
    for (std::uint64_t seed = 41; seed <= 45; ++seed) random_run(seed, 0, 100000);
}

TEST(ByteRangeLocks, MsFsa_2_1_5_8_RangesThatWrapAreRefused) {
    EXPECT_TRUE(is_valid_range({top, 1}));
    EXPECT_TRUE(is_valid_range({top, 0}));
    EXPECT_TRUE(is_valid_range({0, top}));
    EXPECT_FALSE(is_valid_range({top, 2}));
    EXPECT_FALSE(is_valid_range({2, top}));
    ByteRangeLocks locks;
    const LockElement element{{top, 2}, true};
    EXPECT_EQ(locks.lock_all(1, {&element, 1}).error(), NtStatus::INVALID_LOCK_RANGE);
    EXPECT_EQ(locks.lock_or_wait(1, element, {}).error(), NtStatus::INVALID_LOCK_RANGE);
}

TEST(ByteRangeLocks, MsSmb2_3_3_5_14_2_FailedArrayLeavesNothing) {
    ByteRangeLocks locks;
    std::vector<LockElement> elements;
    for (std::uint64_t i = 0; i < 100; ++i) elements.push_back({{i * 10, 10}, i % 2 == 0});
    elements.push_back({{5, 1}, true});
    EXPECT_EQ(locks.lock_all(1, elements).error(), NtStatus::LOCK_NOT_GRANTED);
    EXPECT_EQ(locks.granted(), 0U);
    const LockElement all{{0, top}, true};
    EXPECT_TRUE(locks.lock_all(2, {&all, 1}));
}

struct Log {
    std::vector<std::pair<int, NtStatus>> woken;
};
struct Slot {
    Log* log;
    int number;
    Waker waker() {
        return {[](void* context, NtStatus status) {
                    auto* slot = static_cast<Slot*>(context);
                    slot->log->woken.emplace_back(slot->number, status);
                },
                this};
    }
};

TEST(ByteRangeLocks, WaitersWakeInOrderOfArrival) {
    ByteRangeLocks locks;
    Log log;
    std::vector<Slot> slots;
    for (int i = 0; i < 10; ++i) slots.push_back({&log, i});
    const LockElement byte{{0, 1}, true};
    ASSERT_TRUE(locks.lock_all(100, {&byte, 1}));
    for (int i = 0; i < 10; ++i) {
        const auto ticket = locks.lock_or_wait(static_cast<LockOwner>(i + 1), byte,
                                               slots[static_cast<std::size_t>(i)].waker());
        ASSERT_TRUE(ticket && *ticket != 0);
    }
    for (int i = 0; i < 10; ++i) {
        WakeList wakes;
        const LockOwner holder = i == 0 ? 100 : static_cast<LockOwner>(i);
        ASSERT_TRUE(locks.unlock(holder, {&byte.range, 1}, wakes));
        ASSERT_EQ(wakes.size(), 1U);
        wakes[0].waker(wakes[0].status);
        EXPECT_EQ(log.woken.back(), std::pair(i, NtStatus::SUCCESS));
    }
    EXPECT_EQ(locks.waiting(), 0U);
}

TEST(ByteRangeLocks, CountIsLimited) {
    ByteRangeLocks locks;
    const LockElement shared{{0, 10}, false};
    for (std::size_t i = 0; i < limits::max_locks_per_file; ++i) {
        ASSERT_TRUE(locks.lock_all(1, {&shared, 1}));
    }
    EXPECT_EQ(locks.lock_all(1, {&shared, 1}).error(), NtStatus::INSUFFICIENT_RESOURCES);
    EXPECT_EQ(locks.lock_or_wait(1, shared, {}).error(), NtStatus::INSUFFICIENT_RESOURCES);
    WakeList wakes;
    locks.release(1, wakes);
    EXPECT_EQ(locks.granted(), 0U);
    EXPECT_TRUE(locks.lock_all(1, {&shared, 1}));
}

TEST(LockSequence, MsSmb2_3_3_5_14_ReplayIsRecognised) {
    LockSequence sequence;
    const auto code = [](std::uint32_t index, std::uint32_t number) { return index << 4 | number; };
    EXPECT_FALSE(sequence.is_replay(code(1, 5)));
    sequence.completed(code(1, 5));
    EXPECT_TRUE(sequence.is_replay(code(1, 5)));
    EXPECT_FALSE(sequence.is_replay(code(2, 5)));
    // A different number makes the bucket invalid until that request is completed.
    EXPECT_FALSE(sequence.is_replay(code(1, 6)));
    EXPECT_FALSE(sequence.is_replay(code(1, 5)));
    sequence.completed(code(64, 0));
    EXPECT_TRUE(sequence.is_replay(code(64, 0)));
    // Index 0 and those beyond the array are not tracked.
    sequence.completed(code(0, 5));
    EXPECT_FALSE(sequence.is_replay(code(0, 5)));
    sequence.completed(code(65, 5));
    EXPECT_FALSE(sequence.is_replay(code(65, 5)));
    sequence.completed(0xFFFFFFFF);
    EXPECT_FALSE(sequence.is_replay(0xFFFFFFFF));
}

}  // namespace
}  // namespace smb3d::fsa
