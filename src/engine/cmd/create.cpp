// CREATE: [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.
//
// In phases: read the request (name, contexts, parameters), open in the back end, check access,
// join the file's other opens (share modes), overwrite, enter the open into the session, answer.
#include "base/filetime.h"
#include "base/utf16.h"
#include "dtyp/access_mask.h"
#include "engine/change_report.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/create_ctx/contexts.h"
#include "engine/durable_create.h"
#include "engine/file_access.h"
#include "engine/fsa_wait.h"
#include "engine/request_chain.h"
#include "engine/server_impl.h"
#include "fsa/attributes.h"

namespace smb3d::engine {

namespace {

fsa::ShareId share_id(const Call& call) { return share_id(*call.tree); }

// [MS-FSA] 2.1.4.1, for a file that this request has created, changed or taken away again.
void report(const CreateState& state, fsa::ChangeAction action, std::uint32_t filter) {
    if (!changes_wanted(state.call.server(), share_id(state.call))) return;
    ChangeOrigin origin;
    if (state.fsa_open) origin.open = state.fsa_open->id;
    if (state.lease_request) origin.parent_lease = state.lease_request->parent_key;
    const std::string path = state.call.tree->place.in_store(state.opened.path);
    report_change(state.call.server(), share_id(state.call), {action, filter, path}, origin);
}
std::uint32_t name_filter(const CreateState& state) {
    return fsa::change::name(state.opened.stat.kind == vfs::FileKind::directory);
}

// ---- phase 1: the request

Result<void> read_name(CreateState& state) {
    auto name = fsa::parse_name(state.request.name);
    if (!name) return fail(name.error());
    if (name->previous_version) return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    // Named streams: a share without them knows no such name.
    if (name->has_stream) return fail(NtStatus::OBJECT_NAME_INVALID);
    const std::uint32_t options = state.request.create_options;
    if (name->must_be_directory && (options & fsa::option::non_directory_file) != 0) {
        return fail(NtStatus::OBJECT_NAME_INVALID);
    }
    if (name->stream_syntax && !name->index_stream &&
        (options & fsa::option::directory_file) != 0) {
        return fail(NtStatus::NOT_A_DIRECTORY);
    }
    state.name = std::move(*name);
    return {};
}

Result<void> read_parameters(CreateState& state) {
    const wire::CreateRequest& request = state.request;
    if (request.impersonation_level > wire::ImpersonationLevel::delegate) {
        return fail(NtStatus::BAD_IMPERSONATION_LEVEL);
    }
    SMB3D_TRY(fsa::check_create_parameters(request.desired_access, request.share_access,
                                           static_cast<std::uint32_t>(request.create_disposition),
                                           request.create_options, request.file_attributes));
    state.disposition = static_cast<fsa::CreateDisposition>(request.create_disposition);
    state.maximum_allowed = (request.desired_access & fsa::access::maximum_allowed) != 0;
    state.desired = dtyp::map_generic(request.desired_access) & ~fsa::access::maximum_allowed;
    const bool directory = (request.create_options & fsa::option::directory_file) != 0;
    const auto attributes =
        fsa::attributes_of_new_file(request.file_attributes, directory, request.create_options);
    if (!attributes) return fail(attributes.error());
    state.new_attributes = *attributes;
    if ((state.desired & fsa::access::system_security) != 0 &&
        !has_privilege(*state.call.caller, Privilege::security)) {
        return fail(NtStatus::PRIVILEGE_NOT_HELD);
    }
    // What the share forbids, whatever the file allows.
    const std::uint32_t beyond =
        state.desired & ~fsa::access::system_security & ~state.call.tree->maximal_access;
    const bool writes =
        beyond != 0 || (state.call.tree->read_only() &&
                        (fsa::overwrites(state.disposition) ||
                         state.disposition == fsa::CreateDisposition::create ||
                         (request.create_options & fsa::option::delete_on_close) != 0));
    if (writes) return fail(NtStatus::ACCESS_DENIED);
    return {};
}

Result<void> read_request(CreateState& state) {
    SMB3D_TRY(read_parameters(state));
    SMB3D_TRY(read_name(state));
    SMB3D_TRY(read_create_contexts(state));
    // 3.3.5.9.8: a lease key that is in use belongs to one file.
    if (state.lease_request &&
        !state.call.server().leases.usable_for(state.lease_request->key, share_id(state.call),
                                               state.call.tree->place.in_store(state.name.path))) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    return {};
}

// ---- phase 2: the back end

vfs::OpenRequest backend_request(const CreateState& state, std::uint32_t wanted) {
    const std::uint32_t options = state.request.create_options;
    vfs::OpenRequest open;
    open.path = state.name.path;
    switch (state.disposition) {
        case fsa::CreateDisposition::open:
        case fsa::CreateDisposition::overwrite:
            open.disposition = vfs::Disposition::open;
            break;
        case fsa::CreateDisposition::create:
            open.disposition = vfs::Disposition::create;
            break;
        case fsa::CreateDisposition::supersede:
        case fsa::CreateDisposition::open_if:
        case fsa::CreateDisposition::overwrite_if:
            open.disposition = vfs::Disposition::open_or_create;
            break;
    }
    // A read-only share creates nothing: OPEN_IF finds or fails.
    if (state.call.tree->read_only()) open.disposition = vfs::Disposition::open;
    if ((options & fsa::option::directory_file) != 0 || state.name.must_be_directory) {
        open.kind = vfs::WantKind::directory;
    } else if ((options & fsa::option::non_directory_file) != 0 ||
               fsa::overwrites(state.disposition)) {
        open.kind = vfs::WantKind::file;
    }
    open.access = fsa::vfs_access(wanted, fsa::overwrites(state.disposition));
    open.write_through = (options & fsa::option::write_through) != 0;
    open.no_buffering = (options & fsa::option::no_intermediate_buffering) != 0;
    open.open_reparse_point = (options & fsa::option::open_reparse_point) != 0;
    open.create_attributes = state.new_attributes;
    open.create_allocation = state.allocation_size.value_or(0);
    return open;
}

Task<Result<void>> close_file(Call& call, std::shared_ptr<vfs::File> file) {
    Pending<void> closing(call.loop());
    file->close(call.op(Lane::metadata), closing.done());
    co_return co_await closing;
}

// MAXIMUM_ALLOWED: the file says what that is before it is opened for it.
Task<Result<std::uint32_t>> maximum_allowed(CreateState& state) {
    Call& call = state.call;
    if (state.disposition == fsa::CreateDisposition::create) co_return call.tree->maximal_access;
    vfs::OpenRequest probe = backend_request(state, 0);
    probe.disposition = vfs::Disposition::open;
    probe.access = vfs::access_attributes;
    Pending<vfs::OpenReply> opening(call.loop());
    call.tree->policy->backend->open(call.op(Lane::metadata), probe, opening.done());
    Result<vfs::OpenReply> found = co_await opening;
    if (!found) {
        const bool absent = found.error() == NtStatus::OBJECT_NAME_NOT_FOUND;
        if (!absent || !fsa::may_create(state.disposition)) co_return fail(found.error());
        co_return call.tree->maximal_access;
    }
    const std::uint32_t access = maximal_access(call, found->stat);
    Task<Result<void>> closing = close_file(call, std::move(found->file));
    const Result<void> closed = co_await closing;
    if (!closed) co_return fail(closed.error());
    if (access == 0) co_return fail(NtStatus::ACCESS_DENIED);
    co_return access;
}

Task<Result<void>> open_backend(CreateState& state) {
    Call& call = state.call;
    state.granted = state.desired;
    if (state.maximum_allowed) {
        Task<Result<std::uint32_t>> asking = maximum_allowed(state);
        const Result<std::uint32_t> all = co_await asking;
        if (!all) co_return fail(all.error());
        state.granted |= *all;
    }
    const vfs::OpenRequest request = backend_request(state, state.granted);
    if (request.disposition != vfs::Disposition::open && call.server().files.any_name_pending()) {
        const std::string directory = call.tree->place.in_store(fsa::parent_path(request.path));
        if (call.server().files.name_pending(share_id(call), directory)) {
            co_return fail(NtStatus::DELETE_PENDING);
        }
    }
    Pending<vfs::OpenReply> opening(call.loop());
    call.tree->policy->backend->open(call.op(Lane::metadata), request, opening.done());
    Result<vfs::OpenReply> opened = co_await opening;
    if (!opened) co_return fail(opened.error());
    state.opened = std::move(*opened);
    co_return Result<void>{};
}

// ---- phase 3: access

// [MS-FSA] 2.1.5.1.2.1, for a file that was there before.
Task<NtStatus> check_access(CreateState& state) {
    Call& call = state.call;
    const vfs::FileStat& stat = state.opened.stat;
    const bool directory = stat.kind == vfs::FileKind::directory;
    const auto attributes = fsa::check_open_attributes(
        stat.attributes, directory, state.desired, state.disposition, state.request.create_options);
    if (!attributes) co_return attributes.error();
    std::uint32_t missing = (state.desired | fsa::access_added_by(state.disposition)) &
                            ~fsa::access::system_security &
                            ~access_by_mode(stat, acting_caller(call));
    const bool deletes = (state.request.create_options & fsa::option::delete_on_close) != 0;
    if ((missing & fsa::access::delete_) != 0 || deletes) {
        // DELETE comes with the right to change the directory, too.
        Task<NtStatus> asking = may_remove_name(call, state.opened.path, stat.uid);
        const NtStatus removable = co_await asking;
        if (removable == NtStatus::SUCCESS) {
            missing &= ~fsa::access::delete_;
        } else if (deletes) {
            co_return NtStatus::ACCESS_DENIED;
        }
    }
    co_return missing == 0 ? NtStatus::SUCCESS : NtStatus::ACCESS_DENIED;
}

// ---- phase 4: the other opens

// 3.3.5.9.8, 3.3.5.9.11
NtStatus join_lease(CreateState& state, bool directory) {
    if (!state.lease_request) return NtStatus::SUCCESS;
    const Call& call = state.call;
    // Only version 2 leases are for directories.
    const std::uint32_t capabilities = call.connection.negotiated.server_capabilities;
    const bool grantable =
        !directory || (state.lease_request->v2 && call.tree->policy->directory_leases &&
                       (capabilities & wire::capabilities::directory_leasing) != 0);
    if (!grantable) {
        state.lease_request.reset();
        return NtStatus::SUCCESS;
    }
    const BreakTarget target{call.session->id, call.tree->encrypt};
    state.lease =
        call.server().leases.join(call.server(), state.lease_request->key, state.lease_request->v2,
                                  state.fsa_open->file_ptr(), {state.fsa_open->id, target});
    return state.lease != nullptr ? NtStatus::SUCCESS : NtStatus::INVALID_PARAMETER;
}

NtStatus join_opens(CreateState& state, std::uint64_t rename_epoch, FsaWait& wait) {
    const vfs::FileStat& stat = state.opened.stat;
    Call& call = state.call;
    fsa::OpenArgs args;
    args.id = call.server().next_persistent_id();
    args.path = call.tree->place.in_store(state.opened.path);
    args.root = call.tree->place.root().size();
    args.granted_access = state.granted;
    args.share_access = state.request.share_access;
    args.create_options = state.request.create_options;
    args.disposition = state.disposition;
    args.attributes = stat.attributes;
    args.links = stat.links;
    args.directory = stat.kind == vfs::FileKind::directory;
    args.created = state.opened.created;
    args.rename_epoch = rename_epoch;
    args.retry = state.retry;
    if (state.lease_request) {
        args.oplock_key = state.lease_request->key;
        args.parent_oplock_key = state.lease_request->parent_key;
    }
    const fsa::Waker waker = wait.waker();
    fsa::OpenResult result = call.server().files.open({share_id(call), stat.id}, args, &waker);
    if (result.outcome == fsa::OpenOutcome::break_pending) {
        state.wait = {std::move(result.waiting), result.ticket};
        note_wait(state, result.sharing);
    }
    if (result.outcome == fsa::OpenOutcome::sharing_violation) {
        return refusal_for_sharing(state, stat.id);
    }
    if (result.outcome != fsa::OpenOutcome::granted) return fsa::to_status(result.outcome);
    state.fsa_open = std::move(result.open);
    return join_lease(state, args.directory);
}

// ---- phase 5: overwrite

Task<Result<void>> overwrite(CreateState& state) {
    Call& call = state.call;
    const auto attributes = fsa::attributes_of_overwritten_file(
        state.opened.stat.attributes, state.request.file_attributes, state.disposition);
    if (!attributes) co_return fail(attributes.error());
    vfs::File& file = *state.opened.file;
    Pending<void> truncating(call.loop());
    file.set_size(call.op(Lane::metadata), 0, truncating.done());
    if (const Result<void> done = co_await truncating; !done) co_return fail(done.error());
    vfs::StatChange change;
    change.attributes = *attributes;
    Pending<void> changing(call.loop());
    file.set_stat(call.op(Lane::metadata), change, changing.done());
    if (const Result<void> done = co_await changing; !done) co_return fail(done.error());
    if (state.allocation_size) {
        Pending<void> allocating(call.loop());
        file.allocate(call.op(Lane::metadata), *state.allocation_size, allocating.done());
        if (const Result<void> done = co_await allocating; !done) co_return fail(done.error());
    }
    Pending<vfs::FileStat> asking(call.loop());
    file.stat(call.op(Lane::metadata), asking.done());
    const Result<vfs::FileStat> stat = co_await asking;
    if (!stat) co_return fail(stat.error());
    state.opened.stat = *stat;
    state.action = state.disposition == fsa::CreateDisposition::supersede
                       ? wire::CreateAction::superseded
                       : wire::CreateAction::overwritten;
    co_return Result<void>{};
}

// ---- phase 6: the session's table

std::shared_ptr<Open> make_open(CreateState& state) {
    Call& call = state.call;
    auto open = std::make_shared<Open>();
    open->persistent_id = state.fsa_open ? state.fsa_open->id : call.server().next_persistent_id();
    open->session_id = call.session->id;
    open->connection_id = call.connection.id();
    open->tree = call.tree;
    open->caller = call.caller;
    open->file = state.opened.file;
    open->fsa = state.fsa_open;
    open->file_id = state.opened.stat.id;
    open->kind = state.opened.stat.kind;
    open->granted_access = state.granted;
    open->share_access = state.request.share_access;
    open->create_options = state.request.create_options;
    open->opened_at = filetime_now();
    open->lease = state.lease;
    if (!state.fsa_open) open->pipe_name = state.opened.path;
    if (call.connection.negotiated.smb3()) open->order.begin(call.header.channel_sequence());
    return open;
}

NtStatus enter(Call& call, const std::shared_ptr<Open>& open) {
    auto session = call.session->state.lock();
    if (session->state == SessionState::ended) return NtStatus::USER_SESSION_DELETED;
    if (call.tree->ended) return NtStatus::NETWORK_NAME_DELETED;
    if (session->opens.size() < limits::max_opens_per_session) {
        open->id = session->opens.insert(open);
    }
    return open->id != 0 ? NtStatus::SUCCESS : NtStatus::TOO_MANY_OPENED_FILES;
}

// What the client asks to cache, as far as the share allows; nullopt: nothing.
std::optional<fsa::CacheRequest> cache_request(const CreateState& state, const Open& open) {
    using L = wire::OplockLevel;
    const SharePolicy& policy = *state.call.tree->policy;
    if (!open.fsa || !policy.oplocks) return std::nullopt;
    fsa::CacheRequest request;
    request.directory = open.is_directory();
    if (state.lease) {
        request.state = state.lease_request->state;
        request.epoch = state.lease_request->epoch;
    } else {
        const L level = state.request.requested_oplock_level;
        if (request.directory || level == L::none || level == L::lease) return std::nullopt;
        request.state = level == L::ii          ? fsa::cache::read
                        : level == L::exclusive ? fsa::cache::read | fsa::cache::write
                                                : fsa::cache::all;
    }
    if (policy.level2_only) request.state &= fsa::cache::read;
    return request;
}

// [MS-FSA] 2.1.5.18, [MS-SMB2] 3.3.5.9: what the client may cache.  Last, with nothing to wait for
// before the response, so that a break follows the grant that it takes back.
void grant_cache(CreateState& state, const Open& open, const fsa::CacheRequest& request) {
    using L = wire::OplockLevel;
    Call& call = state.call;
    std::shared_ptr<fsa::CacheHolder> holder;
    if (state.lease) {
        holder = state.lease;
    } else {
        auto oplock = std::make_shared<OplockHolder>(call.server(), open.fsa->file_ptr());
        oplock->set_open(open.persistent_id, open.id, {call.session->id, call.tree->encrypt});
        holder = std::move(oplock);
    }
    state.caching = open.fsa->file().request_cache(*open.fsa, request, std::move(holder));
    if (state.lease) {
        state.response_oplock = L::lease;
        if (request.directory && state.caching.state != fsa::cache::none) {
            call.server().leases.directory_granted(state.lease, call.config().max_directory_leases);
        }
        return;
    }
    const bool writes = (state.caching.state & fsa::cache::write) != 0;
    const bool handle = (state.caching.state & fsa::cache::handle) != 0;
    state.response_oplock = writes ? (handle ? L::batch : L::exclusive)
                                   : (state.caching.state != fsa::cache::none ? L::ii : L::none);
}

Result<Response> answer(CreateState& state, const Open& open) {
    const vfs::FileStat& stat = state.opened.stat;
    wire::CreateResponse response;
    response.oplock_level = state.response_oplock;
    response.create_action = state.action;
    response.creation_time = stat.creation_time;
    response.last_access_time = stat.last_access_time;
    response.last_write_time = stat.last_write_time;
    response.change_time = stat.change_time;
    response.allocation_size = stat.allocation_size;
    response.end_of_file = stat.end_of_file;
    response.file_attributes = stat.attributes;
    response.file_id = {open.persistent_id, open.id};
    wire::CreateContextBuilder contexts;
    write_create_contexts(state, contexts);
    response.create_contexts = contexts.bytes();
    RelatedState& related = state.call.chain.related();
    related.file_persistent = open.persistent_id;
    related.file_volatile = open.id;
    related.has_file = true;
    related.create_failure = NtStatus::SUCCESS;
    return reply(state.call, response);
}

// Gives back what a CREATE that failed late has taken.
Task<Result<void>> undo(CreateState& state) {
    if (state.fsa_open) {
        const fsa::CloseDecision decision = state.call.server().files.close(*state.fsa_open);
        if (state.lease) state.call.server().leases.leave(state.lease, state.fsa_open->id);
        if (decision.kind == fsa::CloseDecision::Kind::remove_name) {
            const std::string path = state.call.tree->place.in_share(decision.path);
            Pending<void> removal(state.call.loop());
            state.call.tree->policy->backend->remove(state.call.op(Lane::metadata), path,
                                                     decision.id, removal.done());
            const Result<void> removed = co_await removal;
            state.call.server().files.removal_done(decision, removed);
            if (removed) report(state, fsa::ChangeAction::removed, name_filter(state));
        }
    }
    Task<Result<void>> closing = close_file(state.call, std::move(state.opened.file));
    co_return co_await closing;
}

// Phases 3 to 5, for a file or directory that the back end has opened.
Task<NtStatus> settle(CreateState& state, std::uint64_t rename_epoch, FsaWait& wait) {
    if (state.opened.created) {
        state.action = wire::CreateAction::created;
        report(state, fsa::ChangeAction::added, name_filter(state));
        // [MS-FSA] 2.1.5.1.1: whoever creates a file may do with it what the share allows.
        if (state.maximum_allowed) state.granted |= state.call.tree->maximal_access;
    } else {
        Task<NtStatus> checking = check_access(state);
        const NtStatus allowed = co_await checking;
        if (allowed != NtStatus::SUCCESS) co_return allowed;
    }
    if (fsa::overwrites(state.disposition) && !state.opened.created) {
        const auto attributes = fsa::attributes_of_overwritten_file(
            state.opened.stat.attributes, state.request.file_attributes, state.disposition);
        if (!attributes) co_return attributes.error();
    }
    const NtStatus joined = join_opens(state, rename_epoch, wait);
    if (joined != NtStatus::SUCCESS) co_return joined;
    if (fsa::overwrites(state.disposition) && !state.opened.created) {
        // What others could read from their caches was broken by joining the opens.
        DurableKeeper& keeper = state.call.server().durable;
        if (keeper.breaks_unrecorded()) {
            Task<bool> recording = keeper.breaks_recorded(state.call.loop());
            co_await recording;
        }
        Task<Result<void>> overwriting = overwrite(state);
        const Result<void> overwritten = co_await overwriting;
        // Whoever began to cache between the decision and the truncation, which may have been
        // done although something after it failed.
        state.fsa_open->file().break_readers(*state.fsa_open);
        if (keeper.breaks_unrecorded()) {
            Task<bool> recording = keeper.breaks_recorded(state.call.loop());
            co_await recording;
        }
        if (!overwritten) co_return overwritten.error();
        report(state, fsa::ChangeAction::modified,
               fsa::change::attributes | fsa::change::size | fsa::change::last_write);
    }
    co_return NtStatus::SUCCESS;
}

// A pipe has no share modes, attributes or access of its own: the back end opens it or not.
Task<NtStatus> open_pipe(CreateState& state) {
    Call& call = state.call;
    auto name = utf16le_to_utf8(state.request.name);
    if (!name) co_return NtStatus::OBJECT_NAME_INVALID;
    vfs::OpenRequest request;
    request.path = std::move(*name);
    request.access = vfs::access_read_data | vfs::access_write_data;
    Pending<vfs::OpenReply> opening(call.loop());
    call.tree->policy->backend->open(call.op(Lane::session), request, opening.done());
    Result<vfs::OpenReply> opened = co_await opening;
    if (!opened) co_return opened.error();
    state.opened = std::move(*opened);
    state.granted = dtyp::map_generic(state.request.desired_access);
    if ((state.granted & fsa::access::maximum_allowed) != 0) {
        state.granted = state.call.tree->maximal_access;
    }
    co_return NtStatus::SUCCESS;
}

// One attempt; if it has to wait for others, `wait` is woken when the next is worth it.
Task<NtStatus> try_open_disk(CreateState& state, FsaWait& wait) {
    const std::uint64_t rename_epoch = state.call.server().files.rename_epoch();
    Task<Result<void>> opening = open_backend(state);
    const Result<void> opened = co_await opening;
    if (!opened) co_return opened.error();
    Task<NtStatus> settling = settle(state, rename_epoch, wait);
    const NtStatus settled = co_await settling;
    if (settled != NtStatus::SUCCESS) {
        Task<Result<void>> undoing = undo(state);
        const Result<void> undone = co_await undoing;
        static_cast<void>(undone);  // the first failure is the answer
    }
    co_return settled;
}

// An open that this request does not make: its owner is back, or asks again.
Task<FoundOpen> earlier_open(CreateState& state) {
    if (state.call.tree->capabilities.is_pipe) co_return std::shared_ptr<Open>();
    if (const Result<void> read = read_durable_contexts(state); !read) {
        co_return fail(read.error());
    }
    if (state.durable.reconnects()) {
        Task<FoundOpen> reconnecting = reconnect_open(state);
        co_return co_await reconnecting;
    }
    Task<NtStatus> ending = end_other_instances(state);
    const NtStatus ended = co_await ending;
    if (ended != NtStatus::SUCCESS) co_return fail(ended);
    Task<FoundOpen> looking = find_replayed_open(state);
    co_return co_await looking;
}

Task<NtStatus> open_disk(CreateState& state) {
    if (const Result<void> read = read_request(state); !read) co_return read.error();
    while (true) {
        FsaWait wait(state.call.loop());
        state.wait = {};
        Task<NtStatus> opening = try_open_disk(state, wait);
        const NtStatus opened = co_await opening;
        if (!state.wait) co_return opened;
        // The holder may write back, close, even delete the file before it answers: then all is
        // looked at anew.
        Task<NtStatus> waiting = wait_for_break(state.call, wait, std::move(state.wait));
        const NtStatus woken = co_await waiting;
        if (woken != NtStatus::SUCCESS) co_return woken;
        state.retry = true;
    }
}

}  // namespace

Reply create(Call& call, wire::CreateRequest request) {
    CreateState state(call, request);
    Task<FoundOpen> looking = earlier_open(state);
    const FoundOpen earlier = co_await looking;
    if (!earlier) co_return fail(earlier.error());
    if (*earlier) {
        state.lease = (*earlier)->lease;
        co_return answer(state, **earlier);
    }
    if (!call.server().take_open(call.config().max_open_files)) {
        release_create_guid(state);
        co_return fail(NtStatus::TOO_MANY_OPENED_FILES);
    }
    Task<NtStatus> opening = call.tree->capabilities.is_pipe ? open_pipe(state) : open_disk(state);
    NtStatus status = co_await opening;
    if (status != NtStatus::SUCCESS) {
        call.server().return_open();
        release_create_guid(state);
        co_return fail(status);
    }
    const std::shared_ptr<Open> open = make_open(state);
    Task<bool> preparing = prepare_persistent(state, open);
    co_await preparing;
    status = enter(call, open);
    const OpenRef held(status == NtStatus::SUCCESS ? open : nullptr);
    if (status == NtStatus::SUCCESS && !held) co_return fail(NtStatus::USER_SESSION_DELETED);
    if (status != NtStatus::SUCCESS) {
        Task<Result<void>> closing = close_open(call.server(), open, call.loop());
        const Result<void> closed = co_await closing;
        static_cast<void>(closed);
        co_return fail(status);
    }
    if (state.lease && open->is_directory()) {
        // Before the grant: what the host changes from here on breaks the lease.
        Task<bool> watching =
            call.server().host_watches.start(open, call.op(Lane::metadata), false);
        co_await watching;
    }
    std::optional<fsa::CacheRequest> caching = cache_request(state, *open);
    if (caching) {
        // What is guarded before it is granted, nobody on the host misses.
        Task<bool> guarding =
            call.server().host_guards.take(*open, call.op(Lane::metadata), caching->state);
        caching->guarded = co_await guarding;
        grant_cache(state, *open, *caching);
    }
    grant_durable(state, open);
    if (open->lease) {
        Task<bool> recording = record_raised_lease(state, open);
        co_await recording;
    }
    repeat_untold_break(state, *open);
    co_return answer(state, *open);
}

}  // namespace smb3d::engine
