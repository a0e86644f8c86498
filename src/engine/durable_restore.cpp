#include "engine/durable_restore.h"

#include "base/filetime.h"
#include "base/log.h"
#include "base/utf16.h"
#include "engine/server_impl.h"
#include "fsa/access.h"

namespace smb3d::engine {

namespace {

constexpr auto component = log::Component::engine;

std::shared_ptr<const Caller> caller_of(const durable::Record& record) {
    auto caller = std::make_shared<Caller>();
    caller->user = record.user;
    caller->domain = record.domain;
    caller->uid = record.uid;
    caller->gid = record.gid;
    caller->groups = record.groups;
    caller->sids = record.sids;
    caller->privileges = record.privileges;
    return caller;
}

Durability durability_of(const durable::Record& record) {
    Durability durability;
    durability.persistent = true;
    durability.timeout_ms = record.timeout_ms;
    durability.client_guid = record.client_guid;
    durability.create_guid = record.create_guid;
    durability.app_instance_id = record.app_instance_id;
    durability.app_instance_version = record.app_instance_version;
    return durability;
}

// The handle's share as it is now; null if it no longer gives persistent handles.
std::shared_ptr<Tree> tree_of(ServerImpl& server, const durable::Record& record) {
    const auto config = server.config();
    const auto found = config->shares.find(fold_name(record.share));
    if (found == config->shares.end() || !found->second->continuous_availability) return nullptr;
    auto tree = std::make_shared<Tree>();
    tree->policy = found->second;
    tree->capabilities = found->second->backend->capabilities();
    tree->continuously_available = true;
    tree->connected_at = record.opened_at;
    return tree;
}

// Enters share modes and locks as they were.  All records were there at the same time once, so
// that they do not conflict.
Result<std::shared_ptr<fsa::Open>> join(ServerImpl& server, const durable::Record& record,
                                        const SharePolicy& policy, const vfs::OpenReply& opened) {
    fsa::OpenArgs args;
    args.id = record.persistent_id;
    args.path = opened.path;
    args.granted_access = record.granted_access;
    args.share_access = record.share_access;
    args.create_options = record.create_options;
    args.attributes = opened.stat.attributes;
    args.links = opened.stat.links;
    args.directory = opened.stat.kind == vfs::FileKind::directory;
    const fsa::ShareId share = reinterpret_cast<std::uintptr_t>(policy.backend.get());
    fsa::OpenResult result = server.files.open({share, opened.stat.id}, args);
    if (result.outcome != fsa::OpenOutcome::granted) return fail(fsa::to_status(result.outcome));
    if (!record.locks.empty()) {
        std::vector<fsa::LockElement> locks;
        locks.reserve(record.locks.size());
        for (const durable::LockRange& lock : record.locks) {
            locks.push_back({{lock.offset, lock.length}, lock.exclusive});
        }
        if (const auto locked = result.open->file().lock_all(*result.open, locks); !locked) {
            server.files.close(*result.open);
            return fail(locked.error());
        }
    }
    return std::move(result.open);
}

Task<Result<std::shared_ptr<Open>>> reopen(ServerImpl& server, Loop& loop,
                                           const durable::Record& record) {
    const std::shared_ptr<Tree> tree = tree_of(server, record);
    if (!tree) co_return fail(NtStatus::BAD_NETWORK_NAME);
    auto open = std::make_shared<Open>();
    open->caller = caller_of(record);
    vfs::OpContext op;
    op.caller = open->caller.get();
    op.loop = &loop;
    op.lane = Lane::metadata;
    vfs::OpenRequest request;
    request.path = record.path;
    request.kind = record.directory ? vfs::WantKind::directory : vfs::WantKind::file;
    request.access = fsa::vfs_access(record.granted_access, false);
    request.write_through = true;
    Pending<vfs::OpenReply> opening(loop);
    tree->policy->backend->open(op, request, opening.done());
    Result<vfs::OpenReply> opened = co_await opening;
    if (!opened) co_return fail(opened.error());
    // The name may belong to another file by now.  The volume's number is the kernel's choice.
    Result<std::shared_ptr<fsa::Open>> joined = fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    const vfs::FileId id = opened->stat.id;
    if (id.inode == record.inode && id.generation == record.generation) {
        joined = join(server, record, *tree->policy, *opened);
    }
    if (!joined) {
        Pending<void> closing(loop);
        opened->file->close(op, closing.done());
        const Result<void> closed = co_await closing;
        static_cast<void>(closed);
        co_return fail(joined.error());
    }
    open->persistent_id = record.persistent_id;
    open->tree = tree;
    open->file = std::move(opened->file);
    open->fsa = std::move(*joined);
    open->file_id = id;
    open->kind = opened->stat.kind;
    open->granted_access = record.granted_access;
    open->share_access = record.share_access;
    open->create_options = record.create_options;
    open->opened_at = record.opened_at;
    *open->durability.lock() = durability_of(record);
    open->persistent = true;
    co_return open;
}

// Waits for its owner from now on, as if it had just lost its connection.
void park(ServerImpl& server, Loop& loop, const std::shared_ptr<Open>& open,
          const durable::Record& record) {
    Signal idle(loop);
    open->in_flight.begin_close(idle);
    server.durable.table.add(open);
    constexpr DurableTable::Limits no_limits{~std::size_t{0}, ~std::size_t{0}};
    server.durable.table.begin_leaving(*open, no_limits);
    server.durable.table.parked(*open,
                                loop.now_ns() + std::uint64_t{record.timeout_ms} * 1'000'000);
}

}  // namespace

Detached run_restore(ServerImpl& server, Loop& loop, std::vector<durable::Record> records,
                     RestoreReport& report, std::promise<void>& done) {
    std::vector<std::shared_ptr<Open>> to_delete;
    for (const durable::Record& record : records) {
        Task<Result<std::shared_ptr<Open>>> reopening = reopen(server, loop, record);
        const Result<std::shared_ptr<Open>> open = co_await reopening;
        if (!open || !server.take_open(~std::uint32_t{0})) {
            log::warn(component, "persistent handle {:#x} of {} on \"{}\" is lost: {}",
                      record.persistent_id, record.user, record.path,
                      status_name(open ? NtStatus::TOO_MANY_OPENED_FILES : open.error()));
            server.durable.store()->erase(record.persistent_id);
            ++report.dropped;
            continue;
        }
        park(server, loop, *open, record);
        if (record.delete_pending) to_delete.push_back(*open);
        ++report.restored;
    }
    // After all opens: a name that goes away would refuse them.
    for (const auto& open : to_delete) {
        fsa::Disposition disposition;
        disposition.remove = true;
        disposition.ignore_readonly = true;
        const Result<void> set = open->fsa->file().set_disposition(*open->fsa, disposition);
        static_cast<void>(set);  // without DELETE access another handle did it
    }
    done.set_value();
}

}  // namespace smb3d::engine
