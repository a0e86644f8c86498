#include <gtest/gtest.h>

#include "sample.h"

namespace smb3d::durable {
namespace {

TEST(Record, ComesBackAsItWas) {
    const Record record = sample();
    const auto bytes = encode(record);
    ASSERT_FALSE(bytes.empty());
    const auto again = decode(bytes);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, record);

    Record plain;
    plain.persistent_id = 1;
    const auto short_one = decode(encode(plain));
    ASSERT_TRUE(short_one);
    EXPECT_EQ(*short_one, plain);
}

TEST(Record, NoPartOfItIsBelieved) {
    const auto bytes = encode(sample());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode(std::span(bytes).first(size))) << size;
    }
    auto longer = bytes;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode(longer));
}

TEST(Record, NoChangedBitIsBelieved) {
    const auto bytes = encode(sample());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto changed = bytes;
        changed[i] ^= std::byte{1} << (i % 8);
        EXPECT_FALSE(decode(changed)) << i;
    }
}

TEST(Record, AnIdOfZeroIsNone) {
    Record record = sample();
    record.persistent_id = 0;
    EXPECT_FALSE(decode(encode(record)));
}

TEST(Record, WhatIsTooLargeCannotBeKept) {
    Record record = sample();
    record.path.assign(max_path + 1, 'x');
    EXPECT_TRUE(encode(record).empty());
    record = sample();
    record.locks.resize(max_locks + 1);
    EXPECT_TRUE(encode(record).empty());
}

}  // namespace
}  // namespace smb3d::durable
