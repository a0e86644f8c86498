#include "fsa/file_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "fsa/attributes.h"

namespace smb3d::fsa {
namespace {

FileKey key_of(std::uint64_t inode, ShareId share = 1) { return {share, {1, inode, 0}}; }

OpenArgs args_of(std::uint64_t id, std::string path, std::uint32_t granted = access::file_all,
                 std::uint32_t shared = share::all) {
    OpenArgs args;
    args.id = id;
    args.path = std::move(path);
    args.granted_access = granted;
    args.share_access = shared;
    return args;
}

TEST(FileTable, FileLivesWhileItIsOpen) {
    FileTable table;
    const auto a = table.open(key_of(5), args_of(1, "f")).open;
    const auto b = table.open(key_of(5), args_of(2, "f")).open;
    const auto other_share = table.open(key_of(5, 2), args_of(3, "f")).open;
    ASSERT_TRUE(a && b && other_share);
    EXPECT_EQ(&a->file(), &b->file());
    EXPECT_NE(&a->file(), &other_share->file());
    EXPECT_EQ(table.open_count(), 3U);
    EXPECT_EQ(table.file_count(), 2U);
    EXPECT_FALSE(table.close(*a).last_open);
    EXPECT_NE(table.find(key_of(5)), nullptr);
    EXPECT_TRUE(table.close(*b).last_open);
    EXPECT_EQ(table.find(key_of(5)), nullptr);
    // A second close is nothing; late calls on a closed open are answered.
    EXPECT_EQ(table.close(*b).kind, CloseDecision::Kind::nothing);
    EXPECT_EQ(table.open_count(), 1U);
    const LockElement element{{0, 1}, true};
    EXPECT_EQ(b->file().lock_all(*b, {&element, 1}).error(), NtStatus::FILE_CLOSED);
    EXPECT_EQ(b->file().prepare_rename(*b).error(), NtStatus::FILE_CLOSED);
    Disposition disposition;
    disposition.remove = true;
    EXPECT_EQ(b->file().set_disposition(*b, disposition).error(), NtStatus::FILE_CLOSED);
    table.close(*other_share);
    EXPECT_EQ(table.file_count(), 0U);
}

TEST(FileTable, RefusedOpenLeavesNothing) {
    FileTable table;
    OpenArgs args = args_of(1, "f");
    args.create_options = option::delete_on_close;
    args.attributes = attribute::readonly;
    EXPECT_EQ(table.open(key_of(5), args).outcome, OpenOutcome::cannot_delete);
    EXPECT_EQ(table.file_count(), 0U);
    EXPECT_EQ(table.open_count(), 0U);
}

TEST(FileTable, RemovalOfANameThatIsGoneCountsAsDone) {
    FileTable table;
    OpenArgs args = args_of(1, "dir/f");
    args.create_options = option::delete_on_close;
    const auto open = table.open(key_of(5), args).open;
    const CloseDecision decision = table.close(*open);
    ASSERT_EQ(decision.kind, CloseDecision::Kind::remove_name);
    EXPECT_EQ(decision.path, "dir/f");
    EXPECT_EQ(decision.id, key_of(5).id);
    EXPECT_TRUE(table.name_pending(1, "DIR/F"));
    EXPECT_FALSE(table.name_pending(2, "dir/f"));
    EXPECT_EQ(table.file_count(), 1U);
    table.removal_done(decision, fail(NtStatus::OBJECT_NAME_NOT_FOUND));
    EXPECT_FALSE(table.name_pending(1, "dir/f"));
    EXPECT_EQ(table.file_count(), 0U);
}

TEST(FileTable, MsFsa_2_1_5_15_11_FilesThatSlippedInBelowFollowARenamedDirectory) {
    FileTable table;
    OpenArgs directory = args_of(1, "d");
    directory.directory = true;
    const auto d = table.open(key_of(1), directory).open;
    ASSERT_TRUE(table.prepare_rename(*d));
    const auto below = table.open(key_of(2), args_of(2, "d/x/y")).open;
    const auto beside = table.open(key_of(3), args_of(3, "dd/x")).open;
    table.finish_rename(*d, std::string("e"));
    EXPECT_EQ(below->file().path(*below), "e/x/y");
    EXPECT_EQ(beside->file().path(*beside), "dd/x");
    EXPECT_EQ(table.prepare_rename(*d).error(), NtStatus::ACCESS_DENIED);
    table.close(*below);
    EXPECT_TRUE(table.prepare_rename(*d));
    table.finish_rename(*d, fail(NtStatus::DISK_FULL));
    EXPECT_EQ(d->file().path(*d), "e");
    table.close(*d);
    table.close(*beside);
}

TEST(Open, MsFsa_2_1_5_15_8_Mode) {
    FileTable table;
    OpenArgs args = args_of(1, "f");
    args.create_options = option::delete_on_close | option::write_through |
                          option::synchronous_io_nonalert | option::non_directory_file;
    const auto open = table.open(key_of(1), args).open;
    EXPECT_EQ(open->mode(), option::delete_on_close | option::write_through);
    EXPECT_EQ(open->set_mode(option::directory_file).error(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(
        open->set_mode(option::synchronous_io_alert | option::synchronous_io_nonalert).error(),
        NtStatus::INVALID_PARAMETER);
    EXPECT_TRUE(open->set_mode(option::sequential_only));
    EXPECT_EQ(open->mode(), option::delete_on_close | option::sequential_only);
    open->set_position(77);
    EXPECT_EQ(open->position(), 77U);
    table.close(*open);
}

TEST(FileTable, ManyHandlesOfManyFilesAndOfOne) {
    FileTable table;
    std::vector<std::shared_ptr<Open>> opens;
    constexpr std::uint64_t count = 50000;
    for (std::uint64_t i = 0; i < count; ++i) {
        opens.push_back(table.open(key_of(i), args_of(2 * i + 1, "d/" + std::to_string(i))).open);
        opens.push_back(table.open(key_of(count), args_of(2 * i + 2, "")).open);
    }
    EXPECT_EQ(table.open_count(), 2 * count);
    EXPECT_EQ(table.file_count(), count + 1);
    EXPECT_TRUE(table.has_opens_below(1, "d"));
    EXPECT_FALSE(table.has_opens_below(2, "d"));
    for (const auto& open : opens) table.close(*open);
    EXPECT_EQ(table.open_count(), 0U);
    EXPECT_EQ(table.file_count(), 0U);
}

TEST(NameIndex, CountsOpensBelowEachAncestor) {
    NameIndex names;
    names.add_open(1, "a/b/c");
    names.add_open(1, "a/b/d");
    EXPECT_TRUE(names.may_have_below(1, "a"));
    EXPECT_TRUE(names.may_have_below(1, "a/b"));
    EXPECT_FALSE(names.may_have_below(1, "a/b/c"));
    EXPECT_FALSE(names.may_have_below(1, "b"));
    EXPECT_FALSE(names.may_have_below(2, "a"));
    names.remove_open(1, "a/b/c");
    EXPECT_TRUE(names.may_have_below(1, "a/b"));
    names.remove_open(1, "a/b/d");
    EXPECT_FALSE(names.may_have_below(1, "a"));
    EXPECT_FALSE(names.may_have_below(1, "a/b"));
}

// Shares of one store: what is open through the one at "srv/b" is below "srv" of the other.
TEST(NameIndex, KnowsTheRootsOfShares) {
    NameIndex names;
    names.add_root(1, "srv/b");
    names.add_root(1, "srv/b");
    names.add_open(1, "srv/b/d/f", 5);
    for (const char* above : {"srv", "srv/b", "srv/b/d"}) {
        EXPECT_TRUE(names.may_have_below(1, above)) << above;
    }
    EXPECT_FALSE(names.may_have_below(1, "srv/bb"));
    EXPECT_FALSE(names.may_have_below(1, "sr"));
    EXPECT_FALSE(names.may_have_below(2, "srv"));
    names.remove_open(1, "srv/b/d/f", 5);
    EXPECT_FALSE(names.may_have_below(1, "srv/b/d"));
}

OpenArgs below(std::uint64_t id, std::string path, std::size_t root) {
    OpenArgs args = args_of(id, std::move(path));
    args.root = root;
    return args;
}

TEST(FileTable, SharesOfOneStoreMeet) {
    FileTable table;
    table.add_root(1, "srv");
    table.add_root(1, "srv/b");
    const auto outer = table.open(key_of(4), below(1, "srv/b", 3)).open;  // the inner one's root
    const auto inner = table.open(key_of(4), below(2, "srv/b", 5)).open;
    const auto file = table.open(key_of(5), below(3, "srv/b/d/f", 5)).open;
    ASSERT_TRUE(outer && inner && file);
    Disposition disposition;
    disposition.remove = true;
    disposition.directory_empty = true;
    EXPECT_EQ(inner->file().set_disposition(*inner, disposition).error(), NtStatus::CANNOT_DELETE);
    EXPECT_EQ(inner->file().prepare_rename(*inner).error(), NtStatus::ACCESS_DENIED);
    EXPECT_TRUE(table.has_opens_below(1, "srv/b"));
    EXPECT_TRUE(table.has_opens_below(1, "srv"));
    EXPECT_TRUE(outer->file().set_disposition(*outer, disposition));
    EXPECT_TRUE(table.name_pending(1, "srv/b"));
    EXPECT_TRUE(table.close(*file).last_open);
    table.close(*outer);
    const CloseDecision decision = table.close(*inner);  // whichever handle is the last
    EXPECT_EQ(decision.kind, CloseDecision::Kind::remove_name);
    EXPECT_EQ(decision.path, "srv/b");
    table.removal_done(decision, {});
    EXPECT_FALSE(table.has_opens_below(1, "srv"));
}

// Who opens a name that is just being removed sees it neither there nor going: it waits.
TEST(FileTable, AnOpenWaitsForARemovalUnderWay_2_1_5_5) {
    for (const bool removed : {true, false}) {
        FileTable table;
        OpenArgs args = args_of(1, "f");
        args.create_options = option::delete_on_close;
        const auto doomed = table.open(key_of(5), args).open;
        ASSERT_TRUE(doomed);
        const CloseDecision decision = table.close(*doomed);
        ASSERT_EQ(decision.kind, CloseDecision::Kind::remove_name);
        unsigned woken = 0;
        const Waker waker{[](void* count, NtStatus) { ++*static_cast<unsigned*>(count); }, &woken};
        EXPECT_EQ(table.open(key_of(5), args_of(2, "f"), &waker).outcome,
                  OpenOutcome::break_pending);
        EXPECT_EQ(table.open(key_of(5), args_of(3, "f")).outcome, OpenOutcome::delete_pending);
        EXPECT_EQ(woken, 0U);
        table.removal_done(decision, removed ? Result<void>{} : fail(NtStatus::ACCESS_DENIED));
        EXPECT_EQ(woken, 1U);
        EXPECT_EQ(table.file_count(), 0U);
        const auto next = table.open(key_of(5), args_of(4, "f"), &waker).open;
        ASSERT_TRUE(next);
        table.close(*next);
    }
}

TEST(FileTable, ANameOfAnotherMountIsAnotherLink) {
    FileTable table;
    const auto one = table.open(key_of(5), below(1, "srv/x", 3)).open;
    OpenArgs args = below(2, "mnt/again/x", 9);
    args.rename_epoch = table.rename_epoch();
    const auto other = table.open(key_of(5), args).open;
    ASSERT_TRUE(one && other);
    EXPECT_EQ(&one->file(), &other->file());
    EXPECT_EQ(one->file().path(*one), "srv/x");
    EXPECT_EQ(other->file().path(*other), "mnt/again/x");
    // Renamed outside the server, from one share to the one around it: the newer name counts.
    OpenArgs moved = below(3, "srv/y", 0);
    moved.rename_epoch = table.rename_epoch();
    table.close(*other);
    const auto third = table.open(key_of(5), moved).open;
    EXPECT_EQ(one->file().path(*one), "srv/y");
    table.close(*one);
    table.close(*third);
}

TEST(FileTable, NameIndexFollowsEveryChangeOfAName) {
    FileTable table;
    const auto a = table.open(key_of(1), args_of(1, "d/f")).open;
    const auto b = table.open(key_of(1), args_of(2, "d/f")).open;
    ASSERT_TRUE(table.prepare_rename(*a));
    table.finish_rename(*a, std::string("e/f"));
    EXPECT_FALSE(table.has_opens_below(1, "d"));
    EXPECT_TRUE(table.has_opens_below(1, "e"));
    // A POSIX deletion takes the name away from under the handle that stays.
    Disposition disposition;
    disposition.remove = true;
    disposition.posix = true;
    ASSERT_TRUE(a->file().set_disposition(*a, disposition));
    const CloseDecision decision = table.close(*a);
    ASSERT_EQ(decision.kind, CloseDecision::Kind::remove_name);
    EXPECT_TRUE(table.has_opens_below(1, "e"));
    table.removal_done(decision, {});
    EXPECT_FALSE(table.has_opens_below(1, "e"));
    table.close(*b);
    EXPECT_FALSE(table.has_opens_below(1, "e"));
    EXPECT_EQ(table.file_count(), 0U);
}

// For the thread sanitizer, and that counts come out even.
TEST(FileTable, ManyThreads) {
    FileTable table;
    std::atomic<std::uint64_t> next_id{1};
    std::atomic<std::uint64_t> woken{0};
    std::atomic<std::uint64_t> waited{0};
    const auto work = [&](unsigned seed) {
        const Waker waker{[](void* context, NtStatus) {
                              static_cast<std::atomic<std::uint64_t>*>(context)->fetch_add(1);
                          },
                          &woken};
        const LockElement element{{seed % 3, 4}, seed % 2 == 0};
        for (unsigned i = 0; i < 1500; ++i) {
            OpenArgs args = args_of(next_id++, "f");
            if (i % 5 == seed % 5) args.create_options = option::delete_on_close;
            const auto open = table.open(key_of(i % 3), args).open;
            if (open == nullptr) continue;
            (void)open->file().check_write(*open, 0, 8);
            const auto ticket = open->file().lock_or_wait(*open, element, waker);
            if (ticket && *ticket != 0) {
                ++waited;
                if (i % 2 == 0) open->file().cancel_lock(*ticket);
            }
            if (table.prepare_rename(*open)) table.finish_rename(*open, std::string("f"));
            const CloseDecision decision = table.close(*open);
            if (decision.kind == CloseDecision::Kind::remove_name) {
                table.removal_done(decision,
                                   i % 2 == 0 ? Result<void>{} : fail(NtStatus::ACCESS_DENIED));
            }
            (void)table.name_pending(1, "f");
        }
    };
    std::vector<std::thread> threads;
    for (unsigned seed = 0; seed < 4; ++seed) threads.emplace_back(work, seed);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(table.open_count(), 0U);
    EXPECT_EQ(table.file_count(), 0U);
    EXPECT_EQ(woken, waited);  // each waiter was told exactly once
    EXPECT_FALSE(table.name_pending(1, "f"));
}

}  // namespace
}  // namespace smb3d::fsa
