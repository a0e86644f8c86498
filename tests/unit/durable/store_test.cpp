#include "durable/store.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

namespace smb3d::durable {
namespace {

// Waits for a number of results.
class Results {
  public:
    vfs::Done<void> done() {
        ++expected_;
        return vfs::Done<void>(&Results::take, this);
    }
    std::vector<Result<void>> wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return results_.size() == expected_; });
        return results_;
    }
    bool all_ok() {
        for (const auto& result : wait()) {
            if (!result) return false;
        }
        return true;
    }

  private:
    static void take(void* context, Result<void>&& result) {
        auto* self = static_cast<Results*>(context);
        const std::lock_guard lock(self->mutex_);
        self->results_.push_back(result);
        self->changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t expected_{0};
    std::vector<Result<void>> results_;
};

class StoreTest : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/smb3d-store-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::unique_ptr<Store> open(std::function<void(Step)> on_step = {},
                                std::size_t map_size = std::size_t{1} << 24) {
        StoreOptions options;
        options.directory = directory_ + "/handles";
        options.map_size = map_size;
        options.on_step = std::move(on_step);
        auto store = Store::open(std::move(options));
        EXPECT_TRUE(store) << store.error();
        return store ? std::move(*store) : nullptr;
    }

    std::string directory_;
};

TEST_F(StoreTest, KeepsWhatWasPut) {
    {
        auto store = open();
        EXPECT_TRUE(store->load().empty());
        Results results;
        store->put(sample(1), results.done());
        store->put(sample(2), results.done());
        store->put(sample(3), results.done());
        Record changed = sample(2);
        changed.path = "elsewhere";
        store->put(changed, results.done());
        store->erase(3, results.done());
        store->erase(99, results.done());  // never was there
        EXPECT_TRUE(results.all_ok());
        store->close();
    }
    auto store = open();
    const auto records = store->load();
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0], sample(1));
    EXPECT_EQ(records[1].persistent_id, 2U);
    EXPECT_EQ(records[1].path, "elsewhere");
    store->close();
}

TEST_F(StoreTest, CountsItsStarts) {
    std::uint32_t last = 0;
    for (int i = 0; i < 4; ++i) {
        auto store = open();
        EXPECT_GT(store->boot(), last);
        last = store->boot();
        store->close();
    }
}

TEST_F(StoreTest, ManyShareOneSync) {
    std::binary_semaphore go(0);
    bool first = true;
    auto store = open([&](Step step) {
        if (step == Step::batch_taken && std::exchange(first, false)) go.acquire();
    });
    Results results;
    constexpr std::uint64_t count = 500;
    for (std::uint64_t id = 1; id <= count; ++id) store->put(sample(id), results.done());
    go.release();
    EXPECT_TRUE(results.all_ok());
    EXPECT_EQ(store->statistics().requests, count);
    EXPECT_LE(store->statistics().commits, 2U);
    EXPECT_EQ(store->load().size(), count);
    store->close();
}

TEST_F(StoreTest, CloseWritesWhatIsQueued) {
    Results results;
    {
        auto store = open();
        for (std::uint64_t id = 1; id <= 100; ++id) store->put(sample(id), results.done());
        store->close();
        EXPECT_TRUE(results.all_ok());
        store->put(sample(101), results.done());  // too late
        EXPECT_FALSE(results.all_ok());
    }
    auto store = open();
    EXPECT_EQ(store->load().size(), 100U);
    store->close();
}

TEST_F(StoreTest, AFullMapRefusesAndGoesOn) {
    auto store = open({}, 256 * 1024);
    Record large = sample();
    large.path.assign(20'000, 'x');
    Results results;
    for (std::uint64_t id = 1; id <= 64; ++id) {
        large.persistent_id = id;
        store->put(large, results.done());
    }
    std::size_t refused = 0;
    for (const auto& result : results.wait()) {
        if (result) continue;
        EXPECT_EQ(result.error(), NtStatus::DISK_FULL);
        ++refused;
    }
    EXPECT_GT(refused, 0U);
    EXPECT_EQ(store->load().size(), 64 - refused);
    for (std::uint64_t id = 1; id <= 64; ++id) store->erase(id);
    Results again;
    store->put(sample(1000), again.done());
    EXPECT_TRUE(again.all_ok());
    store->close();
}

// The process ends without a word at each step of a commit: what was told to be kept is kept, and
// the database can be opened.
TEST_F(StoreTest, ACrashLosesNothingThatWasTold) {
    for (const Step where : {Step::batch_taken, Step::transaction_begun, Step::records_written,
                             Step::committed, Step::told}) {
        std::filesystem::remove_all(directory_ + "/handles");
        int told[2];
        ASSERT_EQ(::pipe(told), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            ::close(told[0]);
            std::atomic<bool> armed{false};
            auto store = open([&](Step step) {
                if (armed && step == where) ::_exit(0);
            });
            Results first;
            store->put(sample(1), first.done());
            if (first.all_ok()) static_cast<void>(::write(told[1], "1", 1));
            armed = true;
            Results second;
            store->put(sample(2), second.done());
            store->erase(1, second.done());
            if (second.all_ok()) static_cast<void>(::write(told[1], "2", 1));
            ::_exit(1);
        }
        ::close(told[1]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        char text[3] = {};
        const ssize_t size = ::read(told[0], text, 2);
        ::close(told[0]);
        ASSERT_GE(size, 1) << static_cast<int>(where);
        auto store = open();
        std::vector<std::uint64_t> ids;
        for (const Record& record : store->load()) ids.push_back(record.persistent_id);
        store->close();
        // Both requests were one batch, or the first of them was alone.
        if (where == Step::committed || where == Step::told) {
            EXPECT_TRUE(ids == std::vector<std::uint64_t>{2} ||
                        ids == (std::vector<std::uint64_t>{1, 2}))
                << static_cast<int>(where);
        } else {
            EXPECT_EQ(ids, std::vector<std::uint64_t>{1}) << static_cast<int>(where);
        }
    }
}

TEST_F(StoreTest, ADamagedRecordIsDroppedAlone) {
    {
        auto store = open();
        Results results;
        for (std::uint64_t id = 1; id <= 3; ++id) store->put(sample(id), results.done());
        EXPECT_TRUE(results.all_ok());
        store->close();
    }
    // The path of one record, wherever it stands in the file.
    const std::string file = directory_ + "/handles/data.mdb";
    std::string bytes;
    {
        std::ifstream in(file, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const std::size_t at = bytes.find("folder/");
    ASSERT_NE(at, std::string::npos);
    for (std::size_t i = at; i != std::string::npos; i = bytes.find("folder/", i + 1)) {
        if (i == at) bytes[i] = 'F';
    }
    {
        std::ofstream out(file, std::ios::binary | std::ios::trunc);
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    auto store = open();
    const auto records = store->load();
    // The first copy may be of a page that is free again.
    EXPECT_GE(records.size(), 2U);
    EXPECT_EQ(records.size() + store->statistics().dropped, 3U);
    store->close();
    auto again = open();
    EXPECT_EQ(again->load().size(), records.size());
    EXPECT_EQ(again->statistics().dropped, 0U);
    again->close();
}

TEST_F(StoreTest, ATruncatedDatabaseIsAnErrorNotACrash) {
    {
        auto store = open();
        Results results;
        for (std::uint64_t id = 1; id <= 200; ++id) store->put(sample(id), results.done());
        EXPECT_TRUE(results.all_ok());
        store->close();
    }
    const std::string file = directory_ + "/handles/data.mdb";
    const auto size = std::filesystem::file_size(file);
    for (const std::uintmax_t left :
         {std::uintmax_t{0}, std::uintmax_t{100}, std::uintmax_t{4096}, size / 2, size - 4096}) {
        std::filesystem::resize_file(file, size);
        std::filesystem::resize_file(file, left);
        StoreOptions options;
        options.directory = directory_ + "/handles";
        options.map_size = std::size_t{1} << 24;
        auto store = Store::open(std::move(options));
        if (!store) continue;  // said so
        const auto records = (*store)->load();
        EXPECT_LE(records.size(), 200U);
        (*store)->close();
    }
}

TEST_F(StoreTest, AnImpossibleDirectoryIsAnErrorInWords) {
    StoreOptions options;
    options.directory = directory_ + "/no/such";
    auto store = Store::open(std::move(options));
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace smb3d::durable
