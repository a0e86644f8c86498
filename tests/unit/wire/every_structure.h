// The tests that every wire structure gets by being in a type list.
#pragma once

#include <random>

#include <gtest/gtest.h>

#include "unit/wire/filler.h"

namespace smb3d::wire::test {

inline constexpr unsigned rounds = 64;

// What was built parses, and builds the same bytes again.
struct RoundTrip {
    template <class T>
    void operator()() const {
        unsigned built = 0;
        for (unsigned seed = 0; seed < rounds; ++seed) {
            Filler filler(seed);
            T value{};
            filler.field(value);
            const std::vector<std::byte> first = message_of(value);
            if (first.size() < fixed_size<T>()) continue;  // a combination that must not be built
            ++built;
            const Result<T> parsed = parse<T>(first);
            ASSERT_TRUE(parsed.has_value()) << __PRETTY_FUNCTION__ << " seed " << seed;
            ASSERT_EQ(message_of(*parsed), first) << __PRETTY_FUNCTION__ << " seed " << seed;
            ASSERT_EQ(built_size(value) + origin_of<T>, first.size()) << __PRETTY_FUNCTION__;
        }
        EXPECT_GT(built, rounds / 4) << __PRETTY_FUNCTION__;
    }
};

// Every prefix is refused or parsed without reading outside it; one that lacks fixed fields is
// refused.
struct Truncation {
    template <class T>
    void operator()() const {
        for (unsigned seed = 0; seed < 8; ++seed) {
            Filler filler(seed);
            T value{};
            filler.field(value);
            const std::vector<std::byte> whole = message_of(value);
            for (std::size_t size = 0; size < whole.size(); ++size) {
                const std::vector<std::byte> prefix = exactly(Bytes(whole).first(size));
                const Result<T> parsed = parse<T>(prefix);
                if (size < fixed_size<T>()) {
                    ASSERT_FALSE(parsed.has_value()) << __PRETTY_FUNCTION__ << " " << size;
                }
                if (parsed) (void)message_of(*parsed);  // reads all that the views name
            }
        }
    }
};

// Whatever a peer changes, nothing is read outside.
struct Mutation {
    template <class T>
    void operator()() const {
        std::mt19937 random(7);
        for (unsigned seed = 0; seed < rounds; ++seed) {
            Filler filler(seed);
            T value{};
            filler.field(value);
            std::vector<std::byte> bytes = message_of(value);
            if (bytes.size() <= origin_of<T>) continue;
            for (unsigned i = 0; i < 4; ++i) {
                const std::size_t at = origin_of<T> + random() % (bytes.size() - origin_of<T>);
                const std::byte extremes[] = {std::byte{0}, std::byte{0xFF}, std::byte{0x7F},
                                              static_cast<std::byte>(random() & 0xFF)};
                bytes[at] = extremes[random() % 4];
            }
            const std::vector<std::byte> mutated = exactly(bytes);
            const Result<T> parsed = parse<T>(mutated);
            if (parsed) (void)message_of(*parsed);
        }
    }
};

}  // namespace smb3d::wire::test
