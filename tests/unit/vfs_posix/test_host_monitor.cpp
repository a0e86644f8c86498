// HostMonitor: what a removal by this share does while its file's earlier events are judged.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "unit/vfs_posix/posix_fixture.h"
#include "vfs_posix/share.h"

namespace smb3d::vfs_posix {
namespace {

using namespace std::chrono_literals;

class Ear final : public vfs::WatchListener {
  public:
    void changed(std::span<const vfs::HostChange> changes) override {
        {
            const std::scoped_lock lock(mutex_);
            for (const vfs::HostChange& change : changes) heard_.push_back(change.path);
        }
        // The monitor waits meanwhile.
        while (!listening) std::this_thread::sleep_for(1ms);
    }
    std::atomic<bool> listening{true};
    std::vector<std::string> heard() {
        const std::scoped_lock lock(mutex_);
        return heard_;
    }

  private:
    std::mutex mutex_;
    std::vector<std::string> heard_;
};

DirKey key_at(const std::string& path) {
    struct ::statx st {};
    EXPECT_EQ(::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &st), 0) << path;
    return key_of(st);
}

// A removal by hand, step by step, with time to judge the file's last event in the middle of it.
TEST_F(PosixShareTest, AnEventIsOursWhileTheFileIsBeingRemoved) {
    ASSERT_TRUE(ops().make_directory("d"));
    auto directory = ops().open("d", {.kind = vfs::WantKind::directory});
    ASSERT_TRUE(directory);
    const auto ear = std::make_shared<Ear>();
    vfs::WatchRequest request;
    request.directory = directory->file.get();
    request.listener = ear;
    auto watch = ops().wait<std::shared_ptr<vfs::Watch>>(
        [&](const vfs::OpContext& context, vfs::Done<std::shared_ptr<vfs::Watch>> done) {
            ops().share().watch(context, request, done);
        });
    ASSERT_TRUE(watch);
    auto made = ops().create("d/own");
    ASSERT_TRUE(made);
    EXPECT_TRUE(ops().close(*made->file));
    const auto hears = [&](const std::string& path) {
        for (int i = 0; i < 2000; ++i) {
            const std::vector<std::string> heard = ear->heard();
            if (std::ranges::count(heard, path) != 0) return true;
            std::this_thread::sleep_for(5ms);
        }
        return false;
    };
    ear->listening = false;
    write_file(on_disk("d/first"), "");
    ASSERT_TRUE(hears("d/first"));

    OwnChanges& own = dynamic_cast<PosixShare&>(ops().share()).resolver().own();
    const DirKey parent = key_at(on_disk("d"));
    const DirKey file = key_at(on_disk("d/own"));
    ASSERT_TRUE(own.begin(parent));
    own.touch(file);
    EXPECT_EQ(::chmod(on_disk("d/own").c_str(), 0600), 0);
    EXPECT_EQ(::unlink(on_disk("d/own").c_str()), 0);
    own.forget(file);
    ear->listening = true;
    std::this_thread::sleep_for(20ms);
    const DirCache::Change removed{false, "own"};
    own.end(parent, &removed, 1);

    write_file(on_disk("d/end"), "");
    EXPECT_TRUE(hears("d/end"));
    const std::vector<std::string> heard = ear->heard();
    EXPECT_EQ(std::ranges::count(heard, "d/own"), 0);
    (*watch)->stop();
    EXPECT_TRUE(ops().close(*directory->file));
}

}  // namespace
}  // namespace smb3d::vfs_posix
