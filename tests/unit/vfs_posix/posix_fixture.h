// A POSIX share on a folder that the test can reach behind its back.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/utf16.h"
#include "vfs_conformance/harness.h"
#include "vfs_posix/posix_share.h"

namespace smb3d::vfs_posix {

using test::name_of;
using test::OpenOptions;
using test::Operations;
using test::status_of;

class PosixShareTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string why;
        ASSERT_TRUE(harness_.start("epoll", why)) << why;
        root_ = folder_.at("share");
        outside_ = folder_.at("outside");
        for (const std::string& path : {folder_.path(), root_, outside_}) {
            ::mkdir(path.c_str(), 0777);
            ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
        }
        mount({});
    }
    void TearDown() override { operations_.reset(); }

    void mount(PosixOptions options) {
        options.fold = [](std::string_view name) { return fold_name(name); };
        auto share = make_posix_share(root_, std::move(options));
        ASSERT_TRUE(share) << share.error();
        operations_ = std::make_unique<Operations>(harness_, *share);
    }
    Operations& ops() { return *operations_; }
    std::string on_disk(const std::string& name) const { return root_ + "/" + name; }
    // Writes a file behind the share's back.
    static void write_file(const std::string& path, const std::string& content,
                           unsigned mode = 0666);

    test::TemporaryFolder folder_;
    std::string root_;
    std::string outside_;
    test::LoopHarness harness_;
    std::unique_ptr<Operations> operations_;
};

}  // namespace smb3d::vfs_posix
