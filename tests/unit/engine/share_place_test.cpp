// share_place.h: names in a share and in its store.
#include "engine/share_place.h"

#include <gtest/gtest.h>

namespace smb3d::engine {
namespace {

SharePlace at(const char* root) {
    return {7, std::make_shared<const vfs::Location>(vfs::Location{"store", root})};
}

TEST(SharePlace, AShareByItselfNamesAsItsStore) {
    const SharePlace place(7, nullptr);
    EXPECT_EQ(place.in_store("a/b"), "a/b");
    EXPECT_EQ(place.in_share("a/b"), "a/b");
    EXPECT_EQ(place.root(), "");
}

TEST(SharePlace, NamesBelowTheRoot) {
    const SharePlace place = at("srv/data");
    EXPECT_EQ(place.in_store("a/b"), "srv/data/a/b");
    EXPECT_EQ(place.in_store(""), "srv/data");
    EXPECT_EQ(place.in_share("srv/data/a/b"), "a/b");
    EXPECT_EQ(place.in_share("srv/data"), "");
}

TEST(SharePlace, TheWholeStore) {
    const SharePlace place = at("");
    EXPECT_EQ(place.in_store("a"), "a");
    EXPECT_EQ(place.in_share("a"), "a");
}

TEST(SharePlace, WhatIsElsewhereByNowIsNotTakenForSomethingInside) {
    const SharePlace place = at("srv/data");
    EXPECT_EQ(place.in_share("srv/database/x"), "srv/database/x");
    EXPECT_EQ(place.in_share("srv"), "srv");
}

}  // namespace
}  // namespace smb3d::engine
