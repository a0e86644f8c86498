#include "engine/durable_restore.h"

#include "base/filetime.h"
#include "base/log.h"
#include "base/utf16.h"
#include "engine/host_lock.h"
#include "engine/lease_table.h"
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
    tree->place = server.place_of(*found->second);
    tree->continuously_available = true;
    tree->connected_at = record.opened_at;
    return tree;
}

// Enters share modes as they were.  All records were there at the same time once, so that they do
// not conflict.
Result<std::shared_ptr<fsa::Open>> join(ServerImpl& server, const durable::Record& record,
                                        const SharePlace& place, const vfs::OpenReply& opened) {
    fsa::OpenArgs args;
    args.id = record.persistent_id;
    args.path = place.in_store(opened.path);
    args.root = place.root().size();
    args.granted_access = record.granted_access;
    args.share_access = record.share_access;
    args.create_options = record.create_options;
    args.attributes = opened.stat.attributes;
    args.links = opened.stat.links;
    args.directory = opened.stat.kind == vfs::FileKind::directory;
    if (record.lease.kind == durable::Caching::lease) {
        args.oplock_key = oplock_key(record.client_guid, record.lease.key);
        if (record.lease.parent_key != durable::Id16{}) {
            args.parent_oplock_key = oplock_key(record.client_guid, record.lease.parent_key);
        }
    }
    fsa::OpenResult result = server.files.open({place.store(), opened.stat.id}, args);
    if (result.outcome != fsa::OpenOutcome::granted) return fail(fsa::to_status(result.outcome));
    return std::move(result.open);
}

vfs::OpContext context_of(const Open& open, Loop& loop) {
    vfs::OpContext op;
    op.caller = open.caller.get();
    op.loop = &loop;
    op.lane = Lane::metadata;
    return op;
}

// What the client may cache, as far as it agrees with what others hold and the host allows.
Task<bool> restore_cache(ServerImpl& server, Loop& loop, Open& open,
                         const durable::Record& record) {
    if (record.lease.kind == durable::Caching::none) co_return false;
    fsa::File& file = open.fsa->file();
    fsa::CacheRequest request;
    request.state = record.lease.state;
    request.epoch = record.lease.epoch;
    std::shared_ptr<fsa::CacheHolder> holder;
    if (record.lease.kind == durable::Caching::lease) {
        open.lease = server.leases.join(server, open.fsa->oplock_key, record.lease.version == 2,
                                        open.fsa->file_ptr(), {open.fsa->id, BreakTarget{}});
        if (!open.lease) co_return false;
        holder = open.lease;
    } else {
        auto oplock = std::make_shared<OplockHolder>(server, open.fsa->file_ptr());
        oplock->set_open(open.persistent_id, 0, BreakTarget{});
        holder = std::move(oplock);
    }
    const vfs::OpContext op = context_of(open, loop);
    Task<bool> guarding = server.host_guards.take(open, op, request.state);
    request.guarded = co_await guarding;
    file.request_cache(*open.fsa, request, std::move(holder));
    co_return true;
}

Task<NtStatus> restore_locks(Loop& loop, Open& open, const durable::Record& record) {
    if (record.locks.empty()) co_return NtStatus::SUCCESS;
    std::vector<fsa::LockElement> locks;
    locks.reserve(record.locks.size());
    for (const durable::LockRange& lock : record.locks) {
        locks.push_back({{lock.offset, lock.length}, lock.exclusive});
    }
    const Result<void> locked = open.fsa->file().lock_all(*open.fsa, locks);
    if (!locked) co_return locked.error();
    // Somebody on the host may have been faster; to other clients the lock is what it was.
    const vfs::OpContext op = context_of(open, loop);
    Task<NtStatus> locking = lock_on_host(open, op, std::move(locks));
    const NtStatus on_host = co_await locking;
    if (on_host != NtStatus::SUCCESS) {
        log::warn(component, "the locks of {} on \"{}\" are not seen on the host: {}", record.user,
                  record.path, status_name(on_host));
    }
    co_return NtStatus::SUCCESS;
}

Task<Result<std::shared_ptr<Open>>> reopen_at(ServerImpl& server, Loop& loop,
                                              const durable::Record& record, std::string path) {
    const std::shared_ptr<Tree> tree = tree_of(server, record);
    if (!tree) co_return fail(NtStatus::BAD_NETWORK_NAME);
    auto open = std::make_shared<Open>();
    open->caller = caller_of(record);
    vfs::OpContext op;
    op.caller = open->caller.get();
    op.loop = &loop;
    op.lane = Lane::metadata;
    vfs::OpenRequest request;
    request.path = path;
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
        joined = join(server, record, tree->place, *opened);
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
    open->lock_sequence.lock()->set_numbers(record.lock_sequence);
    co_return open;
}

// The server may have ended before or after a rename.
Task<Result<std::shared_ptr<Open>>> reopen(ServerImpl& server, Loop& loop,
                                           const durable::Record& record) {
    Task<Result<std::shared_ptr<Open>>> opening = reopen_at(server, loop, record, record.path);
    Result<std::shared_ptr<Open>> open = co_await opening;
    if (open || record.next_path.empty()) co_return open;
    Task<Result<std::shared_ptr<Open>>> again = reopen_at(server, loop, record, record.next_path);
    co_return co_await again;
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

// A name that goes away refuses opens, a lock refuses leases: so one after the other for all.
Task<bool> restore_state(ServerImpl& server, Loop& loop,
                         const std::vector<std::shared_ptr<Open>>& opens,
                         const std::vector<const durable::Record*>& records) {
    for (std::size_t i = 0; i < opens.size(); ++i) {
        Task<bool> caching = restore_cache(server, loop, *opens[i], *records[i]);
        co_await caching;
    }
    for (std::size_t i = 0; i < opens.size(); ++i) {
        Task<NtStatus> locking = restore_locks(loop, *opens[i], *records[i]);
        const NtStatus locked = co_await locking;
        if (locked != NtStatus::SUCCESS) {
            log::warn(component, "persistent handle {:#x} of {} has lost its locks: {}",
                      records[i]->persistent_id, records[i]->user, status_name(locked));
        }
    }
    for (std::size_t i = 0; i < opens.size(); ++i) {
        if (!records[i]->delete_pending) continue;
        fsa::Disposition disposition;
        disposition.remove = true;
        disposition.ignore_readonly = true;
        const Result<void> set = opens[i]->fsa->file().set_disposition(*opens[i]->fsa, disposition);
        static_cast<void>(set);  // without DELETE access another handle did it
    }
    co_return true;
}

}  // namespace

Detached run_restore(ServerImpl& server, Loop& loop, std::vector<durable::Record> records,
                     RestoreReport& report, std::promise<void>& done) {
    std::vector<std::shared_ptr<Open>> opens;
    std::vector<const durable::Record*> kept;
    for (const durable::Record& record : records) {
        Task<Result<std::shared_ptr<Open>>> reopening = reopen(server, loop, record);
        const Result<std::shared_ptr<Open>> open = co_await reopening;
        if (open) {
            server.take_open(~std::uint32_t{0});
            opens.push_back(*open);
            kept.push_back(&record);
            continue;
        }
        log::warn(component, "persistent handle {:#x} of {} on \"{}\" is lost: {}",
                  record.persistent_id, record.user, record.path, status_name(open.error()));
        server.durable.store()->erase(record.persistent_id);
    }
    Task<bool> restoring = restore_state(server, loop, opens, kept);
    co_await restoring;
    for (std::size_t i = 0; i < opens.size(); ++i) {
        park(server, loop, opens[i], *kept[i]);
        if (!kept[i]->next_path.empty()) server.durable.write_later(*opens[i]);
    }
    report.restored = opens.size();
    report.dropped = records.size() - opens.size();
    done.set_value();
}

}  // namespace smb3d::engine
