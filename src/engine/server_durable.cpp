// ServerImpl's part in durable handles: the store, the administrator's view, the end.

#include "base/filetime.h"
#include "base/log.h"
#include "base/utf16.h"
#include "engine/durable_restore.h"
#include "engine/server_impl.h"
#include "engine/share_access.h"

namespace smb3d::engine {

namespace {

Detached run_end(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop) {
    Task<bool> ending = end_open(server, std::move(open), loop);
    co_await ending;
    server.work_ended();
}

Detached run_release_all(ServerImpl& server, Loop& loop) {
    Task<bool> releasing = server.durable.release_all(loop);
    co_await releasing;
    server.work_ended();
}

// Persistent ids of one run of the server: the number of the run above, a counter below.
constexpr unsigned boot_shift = 40;

}  // namespace

void ServerImpl::use_store(std::shared_ptr<durable::Store> store) {
    // [MS-SMB2] 3.3.5.9: Open.DurableFileId is unique among all, those of earlier runs included.
    next_persistent_id_ = (std::uint64_t{store->boot()} << boot_shift) + 1;
    durable.use_store(std::move(store));
}

RestoreReport ServerImpl::restore() {
    RestoreReport report;
    if (durable.store() == nullptr) return report;
    std::vector<durable::Record> records = durable.store()->load();
    if (records.empty()) return report;
    std::promise<void> done;
    Loop& loop = *loops_.front();
    post_function(loop, [&] { run_restore(*this, loop, std::move(records), report, done); });
    done.get_future().wait();
    durable.schedule();
    return report;
}

bool ServerImpl::close_waiting(std::uint64_t id) {
    const DurableTable::Found found = durable.table.find(id);
    if (!found.open || found.place != OpenPlace::waiting) return false;
    work_began();
    Loop& loop = *loops_.front();
    run_on(loop, [&] { run_end(*this, found.open, loop); });
    return true;
}

void ServerImpl::add_waiting(std::vector<OpenInfo>& list) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::uint64_t now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                                 static_cast<std::uint64_t>(now.tv_nsec);
    for (const DurableTable::Waiting& waiting : durable.table.waiting()) {
        const Open& open = *waiting.open;
        OpenInfo info;
        info.id = open.persistent_id;
        info.user = open.caller->user;
        info.share = open.tree->policy->name;
        info.path = open.path();
        info.access = open.granted_access;
        info.share_access = open.share_access;
        info.directory = open.is_directory();
        info.delete_on_close = open.fsa->file().is_delete_on_close(*open.fsa);
        info.locks = open.fsa->file().lock_count(*open.fsa);
        describe_caching(*open.fsa, info);
        info.since = open.opened_at;
        info.durable = open.durability.lock()->kind();
        info.waiting = true;
        info.left_ms =
            waiting.deadline_ns > now_ns ? (waiting.deadline_ns - now_ns) / 1'000'000 : 0;
        list.push_back(std::move(info));
    }
}

void ServerImpl::end_waiting() {
    work_began();
    run_release_all(*this, *loops_.front());
}

void ServerImpl::end_waiting_of_gone_shares(const ServerConfig& config) {
    durable.end_if([&](const Open& open) {
        const SharePolicy& policy = *open.tree->policy;
        const auto found = config.shares.find(fold_name(policy.name));
        return found == config.shares.end() || !serves_alike(policy, *found->second, *open.caller);
    });
}

}  // namespace smb3d::engine
