// The back ends that the suite runs on.  A new one is a row here and passes the rest unchanged.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vfs_conformance/harness.h"

namespace smb3d::test {

struct Backend {
    const char* name;
    const char* loop;                                                // "epoll", "io_uring"
    std::shared_ptr<vfs::Share> (*make)(const std::string& folder);  // an empty folder for its use
};

// So that a test's name says which, and is the same in every run.
inline void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }

std::vector<Backend> all_backends();
// For INSTANTIATE_TEST_SUITE_P of a suite of its own.
inline auto backend_values() { return ::testing::ValuesIn(all_backends()); }
inline std::string backend_name(const ::testing::TestParamInfo<Backend>& backend) {
    return backend.param.name;
}

class VfsConformance : public ::testing::TestWithParam<Backend> {
  protected:
    void SetUp() override;
    void TearDown() override;
    Operations& ops() { return *operations_; }

    TemporaryFolder folder_;
    LoopHarness harness_;
    std::unique_ptr<Operations> operations_;
};

}  // namespace smb3d::test
