// own_changes.h: notes of the process's own changes, used up by each monitor for itself.
#include <chrono>

#include <gtest/gtest.h>

#include "vfs_posix/own_changes.h"

namespace smb3d::vfs_posix {
namespace {

constexpr DirKey directory{1, 2};

class OwnChangesTest : public ::testing::Test {
  protected:
    // An own change of the directory's names, from its begin to its end.
    void change(const std::string& name, bool added) {
        ASSERT_TRUE(own.begin(directory));
        const DirCache::Change made{added, name};
        own.end(directory, &made, 1);
    }
    OwnChanges own;
    const int one{1};
    const int two{2};
};

TEST_F(OwnChangesTest, ANoteIsUsedUpByEachMonitorForItself) {
    own.watch(&one, directory);
    own.watch(&two, directory);
    change("x", true);
    EXPECT_TRUE(own.noted(&two, directory, "x", true));
    EXPECT_TRUE(own.take(&one, directory, "x", true));
    EXPECT_FALSE(own.take(&one, directory, "x", true));
    EXPECT_FALSE(own.take(&two, directory, "x", false));
    EXPECT_TRUE(own.take(&two, directory, "x", true));
    EXPECT_FALSE(own.take(&two, directory, "x", true));
}

TEST_F(OwnChangesTest, WhatOneMonitorHasToldTheOtherStillTells) {
    own.watch(&one, directory);
    own.watch(&two, directory);
    own.note(&one, directory, "found", true);
    EXPECT_FALSE(own.take(&two, directory, "found", true));
    EXPECT_TRUE(own.take(&one, directory, "found", true));
}

TEST_F(OwnChangesTest, IsActiveUntilTheLastMonitorGoes) {
    EXPECT_FALSE(own.begin(directory));
    own.watch(&one, directory);
    own.watch(&one, directory);
    own.watch(&two, directory);
    own.unwatch(&one, directory);
    own.unwatch(&one, directory);
    EXPECT_TRUE(own.active());
    change("y", false);
    EXPECT_FALSE(own.take(&one, directory, "y", false)) << "it does not watch any more";
    EXPECT_TRUE(own.take(&two, directory, "y", false));
    own.unwatch(&two, directory);
    EXPECT_FALSE(own.active());
}

TEST_F(OwnChangesTest, AFileThatWasBornSinceIsAnother) {
    own.watch(&one, directory);
    const DirKey file{1, 77};
    const auto now = [] {
        return static_cast<std::uint64_t>(
            std::chrono::steady_clock::now().time_since_epoch().count());
    };
    const std::uint64_t before = now();
    own.touch(file);
    EXPECT_TRUE(own.touched_lately(file, now(), before));
    EXPECT_TRUE(own.touched_lately(file, now(), 0)) << "not known";
    EXPECT_FALSE(own.touched_lately(file, now(), now() + OwnChanges::birth_error_ns))
        << "it has the inode number of another";
    EXPECT_FALSE(own.touched_lately({2, 77}, now(), before)) << "on another device";
    own.forget(file);
    EXPECT_FALSE(own.touched_lately(file, now(), before));
}

TEST_F(OwnChangesTest, OneForTheProcess) {
    const auto first = OwnChanges::of_process();
    EXPECT_EQ(first, OwnChanges::of_process());
}

}  // namespace
}  // namespace smb3d::vfs_posix
