#include "engine/open.h"

#include "base/log.h"
#include "engine/change_report.h"
#include "engine/server_impl.h"
#include "fsa/access.h"

namespace smb3d::engine {

namespace {

// Carries out what fsa decided: the name goes before the file is closed, so that its id cannot be
// given to a new file.
Task<bool> remove_name(ServerImpl& server, const Open& open, const vfs::OpContext& op,
                       const fsa::CloseDecision& decision) {
    const std::string path = open.tree->place.in_share(decision.path);
    Pending<void> removal(*op.loop);
    open.tree->policy->backend->remove(op, path, decision.id, removal.done());
    const Result<void> removed = co_await removal;
    if (!removed) {
        log::warn(log::Component::engine, "share {}: \"{}\" was to be deleted on close: {}",
                  open.tree->policy->name, path, status_name(removed.error()));
    }
    server.files.removal_done(decision, removed);
    if (removed) {
        report_change(
            server, share_id(*open.tree),
            {fsa::ChangeAction::removed, fsa::change::name(open.is_directory()), decision.path},
            origin_of(open));
    } else {
        report_disposition(server, open);  // it stays
    }
    co_return removed.has_value();
}

}  // namespace

Task<bool> drain_open(std::shared_ptr<Open> open, Loop& loop) {
    Signal idle(loop);
    if (!open->in_flight.begin_close(idle)) co_return false;
    open->cancel_waiters();
    co_await idle;
    co_return true;
}

Task<Result<void>> close_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop) {
    Task<bool> draining = drain_open(open, loop);
    const bool drained = co_await draining;
    if (!drained) co_return fail(NtStatus::FILE_CLOSED);
    Task<Result<void>> releasing = release_open(server, std::move(open), loop);
    co_return co_await releasing;
}

Task<bool> leave_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop,
                      Preserve preserve) {
    if (preserve == Preserve::yes && server.durable.begin_leaving(*open)) {
        Task<bool> parking = server.durable.park(std::move(open), loop);
        co_return co_await parking;
    }
    Task<Result<void>> closing = close_open(server, std::move(open), loop);
    co_await closing;
    co_return false;
}

Task<bool> end_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop) {
    if (server.durable.table.claim(*open)) {
        Task<Result<void>> releasing = release_open(server, open, loop);
        co_await releasing;
        co_return true;
    }
    const std::shared_ptr<Session> session = server.session_table.find(open->session_id);
    if (!session) co_return false;
    {
        auto state = session->state.lock();
        std::shared_ptr<Open>* present = state->opens.find(open->id);
        if (present == nullptr || *present != open) co_return false;
        state->opens.take(open->id);
    }
    Task<Result<void>> closing = close_open(server, open, loop);
    co_await closing;
    co_return true;
}

// [MS-FSA] 2.1.5.4 and [MS-SMB2] 3.3.4.18.
Task<Result<void>> release_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop) {
    vfs::OpContext op;
    op.caller = open->caller.get();
    op.loop = &loop;
    op.lane = Lane::metadata;
    if (open->fsa) {
        report_closed(server, *open);
        if (open->is_directory() && changes_wanted(server, share_id(*open->tree))) {
            server.notifier.close(share_id(*open->tree), open->persistent_id);
        }
        HostWatches::stop(*open);
        if (open->is_persistent()) {
            Task<bool> recording = server.durable.record_close(open, loop);
            co_await recording;
        }
        const fsa::CloseDecision decision = server.files.close(*open->fsa);
        // A FILE_DELETE_ON_CLOSE open that is not the last: the others' records inherit that.
        report_disposition(server, *open);
        if ((open->create_options & fsa::option::delete_on_close) != 0) {
            for (const auto& other : server.durable.persistent_opens(open->fsa->file())) {
                server.durable.write_later(*other);
            }
        }
        if (decision.kind == fsa::CloseDecision::Kind::remove_name) {
            Task<bool> removal = remove_name(server, *open, op, decision);
            co_await removal;
        }
    }
    if (open->lease) server.leases.leave(open->lease, open->fsa->id);
    Pending<void> closing(loop);
    open->file->close(op, closing.done());
    Result<void> closed = co_await closing;
    open->file.reset();
    // A deletion is forgotten last, so that a crash in between leaves a record of it.
    Task<bool> forgetting = server.durable.forget(open, loop);
    co_await forgetting;
    server.return_open();
    co_return closed;
}

Task<bool> release_session(ServerImpl& server, std::shared_ptr<Session> session, Loop& loop,
                           Preserve preserve) {
    std::vector<std::shared_ptr<Open>> opens;
    std::vector<std::shared_ptr<Tree>> trees;
    {
        auto state = session->state.lock();
        state->opens.for_each(
            [&](std::uint64_t, std::shared_ptr<Open>& open) { opens.push_back(open); });
        state->trees.for_each(
            [&](std::uint32_t, std::shared_ptr<Tree>& tree) { trees.push_back(tree); });
        for (const auto& open : opens) state->opens.take(open->id);
        for (const auto& tree : trees) state->trees.take(tree->id);
    }
    for (const auto& tree : trees) {
        tree->ended = true;
        server.tree_removed(*tree->policy);
    }
    // Before any of them is closed: or a request that waits for a lock of the first would get it.
    for (const auto& open : opens) open->cancel_waiters();
    // All at once, before anything is waited for: who comes back finds them leaving, not connected.
    std::vector<std::shared_ptr<Open>> closing;
    std::vector<std::shared_ptr<Open>> parking;
    for (const auto& open : opens) {
        const bool stays = preserve == Preserve::yes && server.durable.begin_leaving(*open);
        (stays ? parking : closing).push_back(open);
    }
    for (const auto& open : parking) {
        Task<bool> park = server.durable.park(open, loop);
        co_await park;
    }
    for (const auto& open : closing) {
        Task<Result<void>> close = close_open(server, open, loop);
        co_await close;
    }
    co_return !opens.empty();
}

}  // namespace smb3d::engine
