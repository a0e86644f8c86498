#include "vfs_conformance/backends.h"

#include "base/utf16.h"
#include "support/memory_vfs.h"
#include "vfs_posix/posix_share.h"

namespace smb3d::test {
namespace {

std::shared_ptr<vfs::Share> posix(const std::string& folder) {
    vfs_posix::PosixOptions options;
    options.fold = [](std::string_view name) { return fold_name(name); };
    auto share = vfs_posix::make_posix_share(folder, std::move(options));
    EXPECT_TRUE(share) << share.error();
    return share ? *share : nullptr;
}

std::shared_ptr<vfs::Share> memory_inline(const std::string&) {
    return std::make_shared<MemoryShare>();
}
std::shared_ptr<vfs::Share> memory_delayed(const std::string&) {
    return std::make_shared<MemoryShare>(Hostility::delayed(7));
}
std::shared_ptr<vfs::Share> memory_threads(const std::string&) {
    return std::make_shared<MemoryShare>(Hostility::everything(11));
}

}  // namespace

void VfsConformance::SetUp() {
    std::string why;
    if (!harness_.start(GetParam().loop, why)) GTEST_SKIP() << why;
    auto share = GetParam().make(folder_.path());
    ASSERT_NE(share, nullptr);
    operations_ = std::make_unique<Operations>(harness_, std::move(share));
}

void VfsConformance::TearDown() {
    if (operations_) {
        harness_.run_on_loop([this] { ops().share().detach(harness_.loop()); });
    }
    harness_.stop();  // whatever `done` is still to come has come then
    operations_.reset();
}

std::vector<Backend> all_backends() {
    return {{"posix_epoll", "epoll", posix},
            {"posix_uring", "io_uring", posix},
            {"memory_inline", "epoll", memory_inline},
            {"memory_delayed", "epoll", memory_delayed},
            {"memory_threads", "epoll", memory_threads}};
}

INSTANTIATE_TEST_SUITE_P(Backends, VfsConformance, backend_values(), backend_name);

}  // namespace smb3d::test
