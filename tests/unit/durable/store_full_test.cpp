// A store that cannot write: what was promised keeps its room, what must get there gets there.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "durable/store.h"
#include "sample.h"

namespace smb3d::durable {
namespace {

Result<void> wait_for(const std::function<void(vfs::Done<void>)>& ask) {
    struct Answer {
        std::binary_semaphore came{0};
        Result<void> result;
    } answer;
    ask(vfs::Done<void>(
        [](void* context, Result<void>&& result) {
            auto* to = static_cast<Answer*>(context);
            to->result = result;
            to->came.release();
        },
        &answer));
    answer.came.acquire();
    return answer.result;
}

Result<void> put(Store& store, const Record& record) {
    return wait_for([&](vfs::Done<void> done) { store.put(record, done); });
}
Result<void> put_new(Store& store, const Record& record) {
    return wait_for([&](vfs::Done<void> done) { store.put_new(record, done); });
}
Result<void> put_later(Store& store, const Record& record) {
    return wait_for([&](vfs::Done<void> done) { store.put_later(record, done); });
}
Result<void> erase(Store& store, std::uint64_t id) {
    return wait_for([&](vfs::Done<void> done) { store.erase(id, done); });
}
Result<void> barrier(Store& store) {
    return wait_for([&](vfs::Done<void> done) { store.barrier(done); });
}

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

class StoreFull : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/smb3d-full-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
    }
    void TearDown() override {
        store_.reset();
        std::filesystem::remove_all(directory_);
    }
    void open(std::size_t map_size = std::size_t{1} << 24) {
        StoreOptions options;
        options.directory = directory_ + "/handles";
        options.map_size = map_size;
        options.fail = [this](std::uint64_t id) {
            return failing_ == 0 || failing_ == id ? error_.load() : 0;
        };
        auto store = Store::open(std::move(options));
        ASSERT_TRUE(store) << store.error();
        store_ = {store->release(), [](Store* each) {
                      each->close();
                      delete each;
                  }};
    }
    std::string directory_;
    std::atomic<int> error_{0};
    std::atomic<std::uint64_t> failing_{0};  // 0: every record
    std::shared_ptr<Store> store_;
};

TEST_F(StoreFull, OneThatFailsTakesNoOtherWithIt) {
    open();
    ASSERT_TRUE(put(*store_, sample(1)));
    failing_ = 2;
    error_ = EIO;
    EXPECT_EQ(put(*store_, sample(2)).error(), NtStatus::UNEXPECTED_IO_ERROR);
    EXPECT_TRUE(put(*store_, sample(3)));
    EXPECT_TRUE(barrier(*store_));
    EXPECT_EQ(store_->load().size(), 2U);
}

TEST_F(StoreFull, WhatMustGetThereDoes) {
    open();
    ASSERT_TRUE(put(*store_, sample(1)));
    ASSERT_TRUE(put(*store_, sample(2)));
    error_ = ENOSPC;
    EXPECT_EQ(erase(*store_, 1).error(), NtStatus::DISK_FULL);
    Record changed = sample(2);
    changed.timeout_ms = 7;
    EXPECT_FALSE(put_later(*store_, changed));
    // Who is told of the failure has undone it: that is not tried again.
    EXPECT_FALSE(put(*store_, sample(3)));
    EXPECT_EQ(store_->load().size(), 2U);
    error_ = 0;
    EXPECT_TRUE(eventually([&] {
        const auto records = store_->load();
        return records.size() == 1 && records[0] == changed;
    }));
}

TEST_F(StoreFull, ALaterChangeIsNotUndoneByOneThatIsOwed) {
    open();
    error_ = EIO;
    Record changed = sample(1);
    changed.timeout_ms = 7;
    EXPECT_FALSE(put_later(*store_, changed));
    error_ = 0;
    changed.timeout_ms = 8;
    EXPECT_TRUE(put(*store_, changed));
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));
    ASSERT_EQ(store_->load().size(), 1U);
    EXPECT_EQ(store_->load()[0].timeout_ms, 8U);
}

TEST_F(StoreFull, NewHandlesLeaveRoomInTheMapForChanges) {
    open(std::size_t{1} << 20);
    Record record = sample();
    std::uint64_t id = 0;
    Result<void> made;
    while (made && id < 5000) {
        record.persistent_id = ++id;
        record.locks.assign(20, {0, 1, false});
        made = put_new(*store_, record);
    }
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error(), NtStatus::DISK_FULL);
    ASSERT_GT(id, 100U);
    for (std::uint64_t each = 1; each < id; each += 3) {
        Record changed = record;
        changed.persistent_id = each;
        changed.locks.assign(25, {5, 5, true});
        EXPECT_TRUE(put(*store_, changed));
    }
    for (std::uint64_t each = 1; each < id; ++each) EXPECT_TRUE(erase(*store_, each));
    record.persistent_id = id;
    EXPECT_TRUE(put_new(*store_, record));
}

// A disk that is full indeed: a small tmpfs in a mount namespace of this process.
TEST_F(StoreFull, AFullDiskRefusesHandlesAndKeepsPromises) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=4m") != 0) {
        GTEST_SKIP() << "file systems cannot be mounted here";
    }
    open();
    ASSERT_TRUE(put_new(*store_, sample(1)));
    ASSERT_TRUE(put_new(*store_, sample(2)));
    {
        // Somebody else takes what is left.
        std::ofstream filler(directory_ + "/filler", std::ios::binary);
        const std::string block(4096, 'x');
        while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }
    std::uint64_t id = 2;
    Result<void> made;
    while (made && id < 20'000) made = put_new(*store_, sample(++id));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error(), NtStatus::DISK_FULL);
    const std::uint64_t refused = id;
    for (std::uint64_t each = 1; each < std::min<std::uint64_t>(refused, 200); ++each) {
        Record changed = sample(each);
        changed.locks.assign(30, {each, 1, true});
        EXPECT_TRUE(put(*store_, changed)) << each;
    }
    EXPECT_TRUE(erase(*store_, 1));
    // What is on the disk can be read by the next.
    store_.reset();
    open();
    EXPECT_EQ(store_->load().size(), refused - 2);
    std::filesystem::remove(directory_ + "/filler");
    EXPECT_TRUE(put_new(*store_, sample(refused)));
    store_.reset();
    ::umount2(directory_.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace smb3d::durable
