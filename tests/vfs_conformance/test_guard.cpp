// File::guard and host_lock: a local open waits until a guard has been settled, what the share's
// own users do breaks nothing, and locks are the host's as well.
#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "vfs_conformance/backends.h"

namespace smb3d::test {
namespace {

using vfs::GuardLevel;

// Keeps what it hears.
class Ear final : public vfs::GuardListener {
  public:
    void guard_broken(vfs::FileId file, vfs::GuardState state) override {
        const std::scoped_lock lock(mutex_);
        heard_.emplace_back(file, state);
        more_.notify_all();
    }
    // The next one; nothing if none comes in this time.
    std::optional<std::pair<vfs::FileId, vfs::GuardState>> next(int milliseconds = 5000) {
        std::unique_lock lock(mutex_);
        more_.wait_for(lock, std::chrono::milliseconds(milliseconds),
                       [&] { return !heard_.empty(); });
        if (heard_.empty()) return std::nullopt;
        auto first = heard_.front();
        heard_.erase(heard_.begin());
        return first;
    }

  private:
    std::mutex mutex_;
    std::condition_variable more_;
    std::vector<std::pair<vfs::FileId, vfs::GuardState>> heard_;
};

// A local program that opens a file, which may take its time, and keeps it open.
class Local {
  public:
    Local(const std::string& path, int flags)
        : thread_([this, path, flags] {
              fd_ = ::open(path.c_str(), flags | O_CLOEXEC);
              done_ = true;
          }) {}
    ~Local() { close(); }
    bool waits(int milliseconds = 100) {
        for (int i = 0; i < milliseconds && !done_; ++i) ::usleep(1000);
        return !done_;
    }
    void close() {
        if (thread_.joinable()) thread_.join();
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

  private:
    std::atomic<bool> done_{false};
    int fd_{-1};
    std::thread thread_;
};

constexpr OpenOptions for_reading{.access = vfs::access_read_data};

class VfsGuard : public VfsConformance {
  protected:
    void SetUp() override {
        VfsConformance::SetUp();
        if (IsSkipped()) return;
        ops().put("file", "content");
        auto probe = open({});
        const auto state = guard(*probe, GuardLevel::read);
        ASSERT_TRUE(ops().close(*probe));
        if (!state && state.error() == NtStatus::NOT_SUPPORTED) {
            GTEST_SKIP() << "this back end has no guards";
        }
    }
    std::shared_ptr<vfs::File> open(const OpenOptions& options) {
        auto opened = ops().open("file", options);
        EXPECT_TRUE(opened) << status_of(opened);
        if (!opened) std::abort();
        id_ = opened->stat.id;
        return opened->file;
    }
    Result<vfs::GuardState> guard(vfs::File& file, GuardLevel level) {
        vfs::GuardRequest request{level, ear_};
        return ops().wait<vfs::GuardState>(
            [&](const vfs::OpContext& context, vfs::Done<vfs::GuardState> done) {
                file.guard(context, request, done);
            });
    }
    GuardLevel level(vfs::File& file, GuardLevel wanted) {
        const auto state = guard(file, wanted);
        EXPECT_TRUE(state);
        return state ? state->level : GuardLevel::none;
    }
    Result<void> lock(vfs::File& file, std::uint64_t offset, std::uint64_t length, bool exclusive,
                      bool unlock = false) {
        const vfs::HostLock range{{offset, length}, exclusive};
        return ops().wait<void>([&](const vfs::OpContext& context, vfs::Done<void> done) {
            if (unlock) return file.host_unlock(context, range, done);
            file.host_lock(context, range, done);
        });
    }
    std::string path() { return folder_.at("file"); }
    // Settles what is heard next; the level that was heard.
    std::optional<GuardLevel> settle() {
        const auto heard = ear_->next();
        if (!heard) return std::nullopt;
        EXPECT_EQ(heard->first, id_);
        ops().share().guard_settled(heard->first, heard->second);
        return heard->second.level;
    }
    // Could a local program lock this range?
    bool lockable(short type, off_t start, off_t length) {
        const int fd = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
        struct ::flock range {};
        range.l_type = type;
        range.l_start = start;
        range.l_len = length;
        const bool got = ::fcntl(fd, F_OFD_SETLK, &range) == 0;
        ::close(fd);
        return got;
    }

    std::shared_ptr<Ear> ear_ = std::make_shared<Ear>();
    vfs::FileId id_;
};

TEST_P(VfsGuard, ALocalOpenWaitsUntilItIsSettled) {
    const auto file = open({});
    ASSERT_EQ(level(*file, GuardLevel::write), GuardLevel::write);
    for (const int flags : {O_RDONLY, O_WRONLY}) {
        Local local(path(), flags);
        const auto heard = ear_->next();
        ASSERT_TRUE(heard);
        EXPECT_EQ(heard->second.level, GuardLevel::none);  // beside our own writing
        EXPECT_TRUE(local.waits());
        EXPECT_EQ(level(*file, GuardLevel::write), GuardLevel::none);
        ops().share().guard_settled(heard->first, heard->second);
        EXPECT_FALSE(local.waits(5000));
        EXPECT_EQ(level(*file, GuardLevel::write), GuardLevel::none);
        local.close();
        EXPECT_EQ(level(*file, GuardLevel::write), GuardLevel::write);
    }
    EXPECT_TRUE(ops().close(*file));
}

TEST_P(VfsGuard, LocalReadersAreNoHarmWhereNobodyWrites) {
    const auto file = open(for_reading);
    ASSERT_EQ(level(*file, GuardLevel::write), GuardLevel::write);
    {
        Local reader(path(), O_RDONLY);
        EXPECT_EQ(settle(), GuardLevel::read);
        EXPECT_FALSE(reader.waits(5000));
        EXPECT_EQ(level(*file, GuardLevel::write), GuardLevel::read);
    }
    Local another(path(), O_RDONLY);
    EXPECT_FALSE(another.waits(5000));
    EXPECT_FALSE(ear_->next(50));
    Local writer(path(), O_WRONLY);
    const auto heard = ear_->next();
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->second.level, GuardLevel::none);
    EXPECT_TRUE(writer.waits());
    ops().share().guard_settled(heard->first, heard->second);
    EXPECT_FALSE(writer.waits(5000));
    EXPECT_TRUE(ops().close(*file));
}

TEST_P(VfsGuard, NothingIsGuardedThatSomebodyHasOpen) {
    const auto file = open(for_reading);
    {
        Local writer(path(), O_WRONLY);
        EXPECT_FALSE(writer.waits(5000));
        EXPECT_EQ(level(*file, GuardLevel::read), GuardLevel::none);
    }
    {
        Local reader(path(), O_RDONLY);
        EXPECT_FALSE(reader.waits(5000));
        EXPECT_EQ(level(*file, GuardLevel::write), GuardLevel::read);
    }
    EXPECT_EQ(level(*file, GuardLevel::write), GuardLevel::write);
    EXPECT_TRUE(ops().close(*file));
}

TEST_P(VfsGuard, OwnOpensBreakNothing) {
    const auto reader = open(for_reading);
    ASSERT_EQ(level(*reader, GuardLevel::write), GuardLevel::write);
    ::usleep(20'000);  // so that a change in the moment of the next open would show
    const auto writer = open({});
    const auto third = open(for_reading);
    EXPECT_FALSE(ear_->next(50));
    EXPECT_EQ(level(*third, GuardLevel::write), GuardLevel::write);
    EXPECT_EQ(ops().write(*writer, 0, "CON").value_or(0), 3U);
    EXPECT_EQ(ops().read(*reader, 0, 7).value_or("?"), "CONtent");
    EXPECT_FALSE(ops().write(*third, 0, "x"));
    EXPECT_TRUE(ops().close(*reader));
    EXPECT_TRUE(ops().close(*third));
    EXPECT_FALSE(ear_->next(50));
    Local local(path(), O_RDONLY);
    EXPECT_TRUE(local.waits());
    EXPECT_EQ(settle(), GuardLevel::none);
    EXPECT_FALSE(local.waits(5000));
    EXPECT_TRUE(ops().close(*writer));
}

TEST_P(VfsGuard, SeveralOpensOfBeforeAreGuardedTogether) {
    const auto one = open({});
    const auto two = open(for_reading);
    const auto three = open({.access = vfs::access_write_data});
    EXPECT_EQ(level(*two, GuardLevel::write), GuardLevel::write);
    EXPECT_EQ(ops().read(*two, 0, 7).value_or("?"), "content");
    EXPECT_EQ(ops().write(*three, 0, "C").value_or(0), 1U);
    EXPECT_FALSE(ops().write(*two, 0, "x"));
    EXPECT_TRUE(ops().close(*one));
    Local local(path(), O_RDONLY);
    EXPECT_EQ(settle(), GuardLevel::none);
    EXPECT_FALSE(local.waits(5000));
    for (const auto& file : {two, three}) EXPECT_TRUE(ops().close(*file));
}

TEST_P(VfsGuard, TheLastCloseEndsIt) {
    const auto file = open({.access = vfs::access_attributes});
    ASSERT_EQ(level(*file, GuardLevel::write), GuardLevel::write);
    Local local(path(), O_RDONLY);
    EXPECT_TRUE(local.waits());
    EXPECT_TRUE(ops().close(*file));
    EXPECT_FALSE(local.waits(5000));
}

// Local programs and the share's own users, all at once: nobody is forgotten.
TEST_P(VfsGuard, EverybodyGoesOn) {
    std::atomic<bool> stop{false};
    std::atomic<int> opened{0};
    std::vector<std::thread> locals;
    for (const int flags : {O_RDONLY, O_RDWR}) {
        locals.emplace_back([&, flags] {
            while (!stop) {
                const int fd = ::open(path().c_str(), flags | O_CLOEXEC);
                if (fd >= 0) ::close(fd);
                ++opened;
                ::usleep(300);
            }
        });
    }
    std::thread settler([&] {
        while (!stop) {
            const auto heard = ear_->next(10);
            if (heard) ops().share().guard_settled(heard->first, heard->second);
        }
    });
    int guarded = 0;
    for (int round = 0; round < 300; ++round) {
        const auto first = open(round % 2 == 0 ? for_reading : OpenOptions{});
        const auto state = guard(*first, GuardLevel::write);
        if (state && state->level != GuardLevel::none) ++guarded;
        const auto second = open({});
        EXPECT_TRUE(ops().close(*first));
        EXPECT_TRUE(ops().close(*second));
    }
    stop = true;
    for (std::thread& local : locals) local.join();
    settler.join();
    EXPECT_GT(guarded, 0);
    EXPECT_GT(opened, 10);
}

TEST_P(VfsGuard, LocksAreTheHosts) {
    const auto one = open({});
    const auto two = open({});
    ASSERT_TRUE(lock(*one, 10, 10, true));
    EXPECT_FALSE(lockable(F_RDLCK, 15, 1));
    EXPECT_TRUE(lockable(F_WRLCK, 20, 0));
    ASSERT_TRUE(lock(*one, 30, 10, false));
    ASSERT_TRUE(lock(*two, 35, 10, false));
    EXPECT_TRUE(lock(*one, 30, 10, false, true));
    EXPECT_TRUE(lockable(F_WRLCK, 30, 5));
    EXPECT_FALSE(lockable(F_WRLCK, 35, 1));
    EXPECT_TRUE(lockable(F_RDLCK, 35, 10));
    EXPECT_EQ(status_of(lock(*one, 30, 10, false, true)), "STATUS_RANGE_NOT_LOCKED");
    // A shared lock on one's own exclusive one leaves that.
    ASSERT_TRUE(lock(*one, 12, 2, false));
    EXPECT_FALSE(lockable(F_RDLCK, 12, 1));
    EXPECT_TRUE(lock(*one, 10, 10, true, true));
    EXPECT_TRUE(lockable(F_RDLCK, 12, 1));
    EXPECT_FALSE(lockable(F_WRLCK, 13, 1));
    // No length, and what is beyond the host's offsets.
    EXPECT_TRUE(lock(*one, 5, 0, true));
    EXPECT_TRUE(lock(*one, std::uint64_t{1} << 63U, 100, true));
    EXPECT_TRUE(lock(*one, INT64_MAX - 5, ~std::uint64_t{0} - INT64_MAX, true));
    EXPECT_FALSE(lockable(F_WRLCK, INT64_MAX - 1, 1));
    EXPECT_TRUE(ops().close(*one));
    EXPECT_TRUE(lockable(F_WRLCK, 0, 35));
    EXPECT_FALSE(lockable(F_WRLCK, 44, 1));
    const int fd = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
    struct ::flock range {};
    range.l_type = F_WRLCK;
    range.l_start = 100;
    range.l_len = 10;
    ASSERT_EQ(::fcntl(fd, F_OFD_SETLK, &range), 0);
    EXPECT_EQ(status_of(lock(*two, 60, 41, true)), "STATUS_LOCK_NOT_GRANTED");
    EXPECT_TRUE(lockable(F_WRLCK, 60, 40));
    EXPECT_TRUE(lock(*two, 60, 40, true));
    ::close(fd);
    EXPECT_TRUE(ops().close(*two));
}

// Ranges of two handles that overlap as they like: after each step the host sees what both hold.
TEST_P(VfsGuard, OverlappingLocksAddUp) {
    constexpr std::uint64_t places = 24;
    struct Held {
        std::size_t owner;
        std::uint64_t begin, length;
        bool exclusive;
    };
    const std::array files{open({}), open({})};
    std::vector<Held> held;
    std::mt19937 random(20261130);
    for (int step = 0; step < 150; ++step) {
        if (!held.empty() && random() % 3 == 0) {
            const auto victim = held.begin() + static_cast<std::ptrdiff_t>(random() % held.size());
            EXPECT_TRUE(lock(*files[victim->owner], victim->begin, victim->length,
                             victim->exclusive, true));
            held.erase(victim);
        } else {
            const std::uint64_t begin = random() % places;
            held.push_back(
                {random() % 2, begin, 1 + random() % (places - begin), random() % 4 == 0});
            const Held& last = held.back();
            ASSERT_TRUE(lock(*files[last.owner], last.begin, last.length, last.exclusive));
        }
        for (std::uint64_t place = 0; place < places; ++place) {
            bool shared = false;
            bool exclusive = false;
            for (const Held& one : held) {
                if (place < one.begin || place >= one.begin + one.length) continue;
                (one.exclusive ? exclusive : shared) = true;
            }
            const auto at = static_cast<off_t>(place);
            ASSERT_EQ(lockable(F_RDLCK, at, 1), !exclusive) << step << " at " << place;
            ASSERT_EQ(lockable(F_WRLCK, at, 1), !exclusive && !shared) << step << " at " << place;
        }
    }
    EXPECT_TRUE(ops().close(*files[0]));
    for (std::uint64_t place = 0; place < places; ++place) {
        const bool free = std::none_of(held.begin(), held.end(), [&](const Held& one) {
            return one.owner == 1 && place >= one.begin && place < one.begin + one.length;
        });
        EXPECT_EQ(lockable(F_WRLCK, static_cast<off_t>(place), 1), free) << place;
    }
    EXPECT_TRUE(ops().close(*files[1]));
}

// Each costs the kernel a look at all others, on the loop.
TEST_P(VfsGuard, LocksOfAFileAreLimited) {
    constexpr std::uint64_t limit = 4096;
    const auto file = open({});
    const auto other = open({});
    for (std::uint64_t i = 0; i < limit; ++i) ASSERT_TRUE(lock(*file, 2 * i, 1, true)) << i;
    EXPECT_EQ(status_of(lock(*file, 2 * limit, 1, true)), "STATUS_INSUFFICIENT_RESOURCES");
    EXPECT_TRUE(lockable(F_WRLCK, 2 * limit, 1));
    EXPECT_TRUE(lock(*file, 0, 1, true, true));
    EXPECT_TRUE(lock(*other, 2 * limit, 1, true));
    EXPECT_TRUE(ops().close(*file));
    EXPECT_TRUE(lockable(F_WRLCK, 0, 2 * limit));
    EXPECT_FALSE(lockable(F_WRLCK, 2 * limit, 1));
    EXPECT_TRUE(ops().close(*other));
}

INSTANTIATE_TEST_SUITE_P(Backends, VfsGuard, backend_values(), backend_name);

}  // namespace
}  // namespace smb3d::test
