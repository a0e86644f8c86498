// The completion contract of vfs.h: `done` exactly once, whatever happens; cancellation only asks.
#include <fmt/core.h>

#include "vfs_conformance/backends.h"

namespace smb3d::test {
namespace {

TEST_P(VfsConformance, EveryOperationEndsOnceAlsoWhenItFails) {
    // check_done_counts (at the end of every test) is what proves it; here everything runs at once.
    ops().put("f", std::string(100'000, 'x'));
    auto file = ops().open("f");
    ASSERT_TRUE(file);
    vfs::File& f = *file->file;
    std::vector<std::future<Result<void>>> ends;
    std::vector<std::future<Result<std::size_t>>> moves;
    std::vector<std::string> buffers(50, std::string(2000, '?'));
    std::vector<::iovec> parts(50);
    vfs::StatChange change;
    change.last_write_time = 126'543'168'000'000'000;
    for (std::size_t i = 0; i < 50; ++i) {
        parts[i] = {buffers[i].data(), buffers[i].size()};
        moves.push_back(ops().begin<std::size_t>([&, i](const auto& context, auto done) {
            f.read(context, i * 2000, std::span(&parts[i], 1), done);
        }));
        moves.push_back(ops().begin<std::size_t>([&, i](const auto& context, auto done) {
            f.write(context, 200'000 + i * 2000, std::span(&parts[i], 1), i % 5 == 0, done);
        }));
        ends.push_back(
            ops().begin<void>([&](const auto& context, auto done) { f.flush(context, done); }));
        ends.push_back(ops().begin<void>(
            [&](const auto& context, auto done) { f.set_stat(context, change, done); }));
        ends.push_back(ops().begin<void>(
            [&](const auto& context, auto done) { f.set_size(context, UINT64_MAX, done); }));
    }
    for (auto& move : moves) EXPECT_EQ(move.get().value_or(0), 2000U);
    for (auto& end : ends) end.get();
    EXPECT_TRUE(ops().close(f));
}

TEST_P(VfsConformance, CancelledOperationsStillEnd) {
    ops().put("f", std::string(10'000, 'x'));
    vfs::OpenRequest request;
    request.path = "f";
    request.access = vfs::access_read_data;
    vfs::Cancellation before;
    before.request();
    auto open = ops().begin<vfs::OpenReply>(
        [&](const auto& context, auto done) { ops().share().open(context, request, done); },
        &before);
    auto reply = open.get();
    if (reply) {
        EXPECT_TRUE(ops().close(*reply->file));
    } else {
        EXPECT_EQ(reply.error(), NtStatus::CANCELLED);
    }
    // Asked for while they run.
    auto directory = ops().open("", {.kind = vfs::WantKind::directory});
    ASSERT_TRUE(directory);
    const vfs::ListRequest list;
    for (int i = 0; i < 50; ++i) {
        vfs::Cancellation cancel;
        vfs::ListRequest restart = list;
        restart.restart = true;
        auto batch = ops().begin<vfs::DirBatch>(
            [&](const auto& context, auto done) { directory->file->list(context, restart, done); },
            &cancel);
        cancel.request();
        auto result = batch.get();
        EXPECT_TRUE(result || result.error() == NtStatus::CANCELLED);
    }
    EXPECT_TRUE(ops().close(*directory->file));
}

TEST_P(VfsConformance, CloseRunsAlthoughCancelled) {
    ops().put("f", "x");
    auto file = ops().open("f");
    ASSERT_TRUE(file);
    vfs::Cancellation cancel;
    cancel.request();
    EXPECT_TRUE(ops().remove("f"));
    auto closed = ops().begin<void>(
        [&](const auto& context, auto done) { file->file->close(context, done); }, &cancel);
    EXPECT_TRUE(closed.get());
}

TEST_P(VfsConformance, ManyFilesAtOnce) {
    std::vector<vfs::OpenRequest> requests(200);
    std::vector<std::future<Result<vfs::OpenReply>>> opens;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        requests[i].path = fmt::format("File-{}", i);
        requests[i].disposition = vfs::Disposition::create;
        requests[i].access = vfs::access_write_data;
        opens.push_back(ops().begin<vfs::OpenReply>([&, i](const auto& context, auto done) {
            ops().share().open(context, requests[i], done);
        }));
    }
    for (auto& open : opens) {
        auto reply = open.get();
        ASSERT_TRUE(reply) << status_of(reply);
        EXPECT_TRUE(reply->created);
        EXPECT_TRUE(ops().close(*reply->file));
    }
    EXPECT_EQ(ops().names("").size(), requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(ops().exists(fmt::format("FILE-{}", i)), NtStatus::SUCCESS) << i;
    }
}

}  // namespace
}  // namespace smb3d::test
