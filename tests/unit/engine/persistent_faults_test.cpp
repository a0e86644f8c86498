// Persistent handles when their store fails, or the server ends between two steps: what a client
// was told is on disk, what was refused is as it was, and nobody gets what a server that starts
// again would give to another.  [MS-SMB2] 3.3.5.9.10, 3.3.5.10, 3.3.5.14, 3.3.5.21, 3.3.5.22.
#include <cerrno>
#include <chrono>
#include <thread>

#include "durable_fixture.h"
#include "support/memory_vfs.h"
#include "wire/lock.h"
#include "wire/oplock_break.h"

namespace smb3d::test {
namespace {

using namespace std::chrono_literals;
constexpr std::uint32_t exclusive =
    wire::lock_flags::exclusive_lock | wire::lock_flags::fail_immediately;
constexpr std::uint32_t unlock = wire::lock_flags::unlock;
constexpr std::uint32_t r = 1;
constexpr std::uint32_t rh = 3;

class PersistentFaults : public Persistent {
  protected:
    // A persistent handle; `key` is its lease's and its create GUID's.
    wire::FileId open(TestClient& client, std::string_view name, std::uint8_t key,
                      std::uint32_t state = rwh) {
        const Reply opened =
            client.create(name, leased(Contexts().dh2q(key, true).lease(key, state)));
        EXPECT_TRUE(opened.ok());
        EXPECT_TRUE(is_persistent(opened));
        return id_of(opened);
    }
    Reply back(TestClient& client, std::string_view name, wire::FileId id, std::uint8_t key) {
        return client.create(name, leased(Contexts().dh2c(id, key, true).lease(key)));
    }
    static std::uint32_t state_of(const Reply& reply) {
        const auto lease = context_of<wire::LeaseV2>(reply, wire::tag::rqls);
        return lease ? lease->lease_state : ~0U;
    }
    void restart() {
        end();
        failure_ = 0;
        *fails_.lock() = {};
        start();
    }
    // As after kill -9: what is on disk at this moment is all that the next server has.
    void crash() {
        let_store_go();
        const std::string copy = directory_ + "-at-the-crash";
        std::filesystem::remove_all(copy);
        std::filesystem::copy(directory_, copy);
        end();
        std::filesystem::remove_all(directory_);
        std::filesystem::rename(copy, directory_);
        failure_ = 0;
        *fails_.lock() = {};
        start();
    }
    // Nothing has come for a while.
    static bool silent(TestClient& client, std::uint64_t request) {
        std::this_thread::sleep_for(50ms);
        client.poll();
        return !client.take(request).has_value();
    }
    static std::uint64_t send_lock(TestClient& client, wire::FileId id, std::uint64_t offset,
                                   std::uint32_t flags, std::uint32_t sequence = 0) {
        wire::LockRequest request;
        request.file_id = id;
        request.lock_sequence = sequence;
        request.locks.push_back({offset, 10, flags});
        return client.send(client.make(request));
    }
    static Reply write(TestClient& client, wire::FileId id, std::string_view text) {
        return client.write(id, 0, std::as_bytes(std::span(text)));
    }
};

TEST_F(PersistentFaults, ACreateThatCannotBeRecordedIsNotPersistent) {
    auto first = client();
    for (const int error : {ENOSPC, EIO}) {
        failure_ = error;
        const Reply opened = first->create("file", leased(Contexts().dh2q(1, true).lease(1)));
        ASSERT_TRUE(opened.ok());
        EXPECT_FALSE(is_persistent(opened));
        EXPECT_TRUE(is_durable_v2(opened));
        failure_ = 0;
        EXPECT_TRUE(first->close(id_of(opened)).ok());
    }
    failure_ = ENOSPC;
    const Reply opened = first->create("file", leased(Contexts().dh2q(2, true).lease(2)));
    store_settled();
    EXPECT_EQ(store_->statistics().failures, 3U);
    EXPECT_EQ(store_->statistics().owed, 0U);  // nothing was written, nothing is to be erased
    failure_ = 0;
    EXPECT_TRUE(first->close(id_of(opened)).ok());
    first.reset();
    restart();
    EXPECT_EQ(server_->restored().restored, 0U);
}

TEST_F(PersistentFaults, ALockThatCannotBeRecordedIsNotHeld) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1);
    // The same lease key: its opens break nothing.
    const Reply beside = first->create("file", leased(Contexts().lease(1)));
    failure_ = ENOSPC;
    const std::uint32_t sequence = 1 << 4 | 5;
    EXPECT_EQ(first->wait(send_lock(*first, id, 0, exclusive, sequence)).status(),
              NtStatus::DISK_FULL);
    // Another may have it.
    EXPECT_TRUE(first->lock(id_of(beside), 0, 10, exclusive).ok());
    EXPECT_TRUE(first->lock(id_of(beside), 0, 10, unlock).ok());
    failure_ = EIO;
    EXPECT_EQ(first->wait(send_lock(*first, id, 0, exclusive)).status(),
              NtStatus::UNEXPECTED_IO_ERROR);
    failure_ = 0;
    // A request with the number of the one that failed is no replay.
    EXPECT_TRUE(first->wait(send_lock(*first, id, 0, exclusive, sequence)).ok());
    EXPECT_FALSE(first->lock(id_of(beside), 0, 10, exclusive).ok());
    EXPECT_TRUE(first->wait(send_lock(*first, id, 0, exclusive, sequence)).ok());
    crash();
    auto second = client();
    const Reply again = back(*second, "file", id, 1);
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(second->lock(id_of(again), 0, 10, unlock).ok());
    EXPECT_EQ(second->lock(id_of(again), 0, 10, unlock).status(), NtStatus::RANGE_NOT_LOCKED);
}

TEST_F(PersistentFaults, AnUnlockThatCannotBeRecordedKeepsTheLock) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1);
    const Reply beside = first->create("file", leased(Contexts().lease(1)));
    ASSERT_TRUE(first->lock(id, 0, 10, exclusive).ok());
    ASSERT_TRUE(first->lock(id, 50, 10, exclusive).ok());
    failure_ = ENOSPC;
    const std::uint32_t sequence = 2 << 4 | 1;
    EXPECT_EQ(first->wait(send_lock(*first, id, 0, unlock, sequence)).status(),
              NtStatus::DISK_FULL);
    EXPECT_FALSE(first->lock(id_of(beside), 0, 10, exclusive).ok());
    failure_ = 0;
    EXPECT_TRUE(first->wait(send_lock(*first, id, 0, unlock, sequence)).ok());
    // It was carried out: another with its number is its replay, and no error.
    EXPECT_TRUE(first->wait(send_lock(*first, id, 0, unlock, sequence)).ok());
    EXPECT_TRUE(first->lock(id_of(beside), 0, 10, exclusive).ok());
    crash();
    auto second = client();
    const Reply again = back(*second, "file", id, 1);
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(second->wait(send_lock(*second, id_of(again), 0, unlock, sequence)).ok());
    EXPECT_EQ(second->lock(id_of(again), 0, 10, unlock).status(), NtStatus::RANGE_NOT_LOCKED);
    EXPECT_TRUE(second->lock(id_of(again), 50, 10, unlock).ok());
}

// Two records with the same lock would be one lost lock after a crash.
TEST_F(PersistentFaults, NobodyGetsALockBeforeItsEndIsRecorded) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1, 0);
    auto other = client(0xC2);
    const wire::FileId theirs = open(*other, "file", 2, 0);
    ASSERT_TRUE(first->lock(id, 0, 10, exclusive).ok());
    const std::uint64_t waiting = send_lock(*other, theirs, 0, wire::lock_flags::exclusive_lock);
    EXPECT_EQ(other->wait_interim(waiting).status(), NtStatus::PENDING);
    hold_store();
    const std::uint64_t unlocking = send_lock(*first, id, 0, unlock);
    EXPECT_TRUE(silent(*other, waiting));
    EXPECT_EQ(server_->engine().opens().size(), 2U);
    for (const auto& open : server_->engine().opens()) {
        EXPECT_EQ(open.locks, open.id == id.persistent_id ? 1U : 0U);
    }
    let_store_go();
    EXPECT_TRUE(first->wait(unlocking).ok());
    EXPECT_TRUE(other->wait(waiting).ok());
    crash();
    for (const auto& open : server_->engine().opens()) {
        EXPECT_EQ(open.locks, open.id == id.persistent_id ? 0U : 1U);
    }
}

TEST_F(PersistentFaults, NobodyGetsALockBeforeTheCloseIsRecorded) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1, 0);
    auto other = client(0xC2);
    const wire::FileId theirs = open(*other, "file", 2, 0);
    ASSERT_TRUE(first->lock(id, 0, 10, exclusive).ok());
    const std::uint64_t waiting = send_lock(*other, theirs, 0, wire::lock_flags::exclusive_lock);
    EXPECT_EQ(other->wait_interim(waiting).status(), NtStatus::PENDING);
    hold_store();
    wire::CloseRequest closing;
    closing.file_id = id;
    const std::uint64_t close = first->send(first->make(closing));
    EXPECT_TRUE(silent(*other, waiting));
    let_store_go();
    EXPECT_TRUE(first->wait(close).ok());
    EXPECT_TRUE(other->wait(waiting).ok());
    crash();
    EXPECT_EQ(server_->restored().restored, 1U);
    ASSERT_EQ(server_->engine().opens().size(), 1U);
    EXPECT_EQ(server_->engine().opens()[0].locks, 1U);
}

TEST_F(PersistentFaults, ADeletionThatCannotBeRecordedDoesNotHappen) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1);
    failure_ = ENOSPC;
    EXPECT_EQ(first->delete_on_close(id).status(), NtStatus::DISK_FULL);
    failure_ = 0;
    const Reply beside = first->create("file", leased(Contexts().lease(1)));
    EXPECT_TRUE(beside.ok());  // not DELETE_PENDING
    EXPECT_TRUE(first->close(id_of(beside)).ok());
    EXPECT_TRUE(first->close(id).ok());
    EXPECT_TRUE(first->create("file", {.disposition = CreateDisposition::open}).ok());
}

TEST_F(PersistentFaults, AllWhoHaveItOpenRememberTheDeletion) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1, 0);
    auto other = client(0xC2);
    const wire::FileId theirs = open(*other, "file", 2, 0);
    ASSERT_TRUE(first->delete_on_close(id).ok());
    ASSERT_TRUE(first->close(id).ok());
    // One that was made to be deleted when it is closed.
    const Reply doomed =
        first->create("doomed", {.options = 0x1000, .contexts = Contexts().dh2q(3, true)});
    const Reply kept = other->create("doomed", {.contexts = Contexts().dh2q(4, true)});
    ASSERT_TRUE(is_persistent(doomed));
    ASSERT_TRUE(is_persistent(kept));
    ASSERT_TRUE(first->close(id_of(doomed)).ok());
    crash();
    auto second = client(0xC2);
    const Reply again = back(*second, "file", theirs, 2);
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(second->close(id_of(again)).ok());
    const Reply again2 =
        second->create("doomed", {.contexts = Contexts().dh2c(id_of(kept), 4, true)});
    ASSERT_TRUE(again2.ok());
    EXPECT_TRUE(second->close(id_of(again2)).ok());
    for (const char* name : {"file", "doomed"}) {
        EXPECT_EQ(second->create(name, {.disposition = CreateDisposition::open}).status(),
                  NtStatus::OBJECT_NAME_NOT_FOUND);
    }
}

TEST_F(PersistentFaults, ARenameThatCannotBeRecordedDoesNotHappen) {
    auto first = client();
    const wire::FileId id = open(*first, "before", 1);
    failure_ = ENOSPC;
    EXPECT_EQ(first->rename(id, "after").status(), NtStatus::DISK_FULL);
    failure_ = 0;
    EXPECT_EQ(first->create("after", {.disposition = CreateDisposition::open}).status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_TRUE(first->rename(id, "after").ok());
}

TEST_F(PersistentFaults, ARenameIsFoundByBothNames) {
    auto first = client();
    const wire::FileId id = open(*first, "before", 1, 0);
    // Through a handle that is not persistent itself.
    const Reply plain = first->create("before");
    ASSERT_TRUE(plain.ok());
    store_settled();
    unsigned written = 0;
    *fails_.lock() = [&](std::uint64_t) { return written++ == 0 ? 0 : ENOSPC; };
    EXPECT_TRUE(first->rename(id_of(plain), "after").ok());
    crash();
    EXPECT_EQ(server_->restored().restored, 1U);
    auto second = client();
    EXPECT_TRUE(back(*second, "after", id, 1).ok());
    // And the new one stays.
    crash();
    EXPECT_EQ(server_->restored().restored, 1U);
}

TEST_F(PersistentFaults, ARenameWaitsForTheRecordOfAnOpenThatIsBeingMade) {
    auto first = client();
    const Reply plain = first->create("before");
    ASSERT_TRUE(plain.ok());
    auto other = client(0xC2);
    hold_store();
    const std::uint64_t creating =
        other->send_create("before", leased(Contexts().dh2q(1, true).lease(1, 0)));
    EXPECT_TRUE(silent(*other, creating));
    const std::uint64_t renaming = first->send_rename(id_of(plain), "after");
    EXPECT_TRUE(silent(*first, renaming));
    EXPECT_TRUE(server_->share().content("before"));
    let_store_go();
    EXPECT_TRUE(first->wait(renaming).ok());
    const Reply opened = other->wait(creating);
    ASSERT_TRUE(opened.ok());
    ASSERT_TRUE(is_persistent(opened));
    crash();
    ASSERT_EQ(server_->restored().restored, 1U);
    auto second = client(0xC2);
    EXPECT_TRUE(back(*second, "after", id_of(opened), 1).ok());
}

TEST_F(PersistentFaults, ACloseSucceedsAndIsRecordedWhenItCan) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1);
    failure_ = ENOSPC;
    EXPECT_TRUE(first->close(id).ok());
    EXPECT_EQ(store_->statistics().owed, 1U);
    failure_ = 0;
    EXPECT_TRUE(TestServer::eventually([&] { return store_->load().empty(); }));
    EXPECT_TRUE(TestServer::eventually([&] { return store_->statistics().owed == 0; }));
    crash();
    EXPECT_EQ(server_->restored().restored, 0U);
}

// A client that reads from its cache after the crash must not miss what was written before it.
TEST_F(PersistentFaults, AWriteWaitsUntilTheBrokenReadLeaseIsRecorded) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1, rh);
    auto other = client(0xC2);
    const Reply theirs = other->create("file");
    ASSERT_TRUE(theirs.ok());
    hold_store();
    wire::WriteRequest request;
    request.file_id = id_of(theirs);
    const std::string_view text = "new";
    request.data = Bytes(std::as_bytes(std::span(text)));
    const std::uint64_t writing = other->send(other->make(request));
    EXPECT_TRUE(silent(*other, writing));
    const auto content = server_->share().content("file");
    ASSERT_TRUE(content);
    EXPECT_TRUE(content->empty());
    let_store_go();
    EXPECT_TRUE(other->wait(writing).ok());
    crash();
    auto second = client();
    EXPECT_EQ(state_of(back(*second, "file", id, 1)), 0U);
}

TEST_F(PersistentFaults, ALockThatBreaksReadersWaitsForTheirRecords) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1, r);
    auto other = client(0xC2);
    const Reply theirs = other->create("file");
    hold_store();
    const std::uint64_t locking = send_lock(*other, id_of(theirs), 0, exclusive);
    EXPECT_TRUE(silent(*other, locking));
    let_store_go();
    EXPECT_TRUE(other->wait(locking).ok());
    crash();
    auto second = client();
    EXPECT_EQ(state_of(back(*second, "file", id, 1)), 0U);
}

// Who does not answer has nothing any more, after the crash neither.
TEST_F(PersistentFaults, ABreakThatTimesOutIsRecordedBeforeOthersGoOn) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1);
    auto other = client(0xC2);
    const std::uint64_t opening = other->send_create("file");
    EXPECT_EQ(other->wait_interim(opening).status(), NtStatus::PENDING);
    store_settled();
    hold_store();
    std::this_thread::sleep_for(1300ms);
    EXPECT_TRUE(silent(*other, opening));
    // What is written behind it comes too late.
    unsigned written = 0;
    *fails_.lock() = [&](std::uint64_t) { return written++ == 0 ? 0 : ENOSPC; };
    let_store_go();
    const Reply opened = other->wait(opening);
    EXPECT_TRUE(opened.ok());
    EXPECT_TRUE(write(*other, id_of(opened), "new").ok());
    crash();
    auto second = client();
    EXPECT_EQ(state_of(back(*second, "file", id, 1)), 0U);
}

TEST_F(PersistentFaults, AnAcknowledgmentIsRecordedBeforeOthersGoOn) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1);
    auto other = client(0xC2);
    const std::uint64_t opening = other->send_create("file");
    EXPECT_EQ(other->wait_interim(opening).status(), NtStatus::PENDING);
    hold_store();
    wire::LeaseBreakAcknowledgment answer;
    answer.lease_key = guid_of(1);
    answer.lease_state = rh;
    const std::uint64_t answering = first->send(first->make(answer));
    EXPECT_TRUE(silent(*other, opening));
    let_store_go();
    EXPECT_TRUE(first->wait(answering).ok());
    EXPECT_TRUE(other->wait(opening).ok());
    crash();
    auto second = client();
    EXPECT_EQ(state_of(back(*second, "file", id, 1)), rh);
}

TEST_F(PersistentFaults, ALeaseThatALaterOpenRaisesIsRecordedBeforeItsAnswer) {
    auto first = client();
    const wire::FileId id = open(*first, "file", 1, r);
    hold_store();
    const std::uint64_t raising = first->send_create("file", leased(Contexts().lease(1)));
    EXPECT_TRUE(silent(*first, raising));
    let_store_go();
    EXPECT_EQ(state_of(first->wait(raising)), rwh);
    crash();
    auto second = client();
    EXPECT_EQ(state_of(back(*second, "file", id, 1)), rwh);
}

}  // namespace
}  // namespace smb3d::test
