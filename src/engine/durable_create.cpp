#include "engine/durable_create.h"

#include <algorithm>

#include "base/log.h"
#include "base/utf16.h"
#include "engine/connection.h"
#include "engine/lease_table.h"
#include "engine/server_impl.h"
#include "fsa/path.h"
#include "wire/negotiate.h"

namespace smb3d::engine {

namespace {

constexpr auto component = log::Component::engine;

template <class T>
Result<void> read(std::optional<T>& to, Bytes data) {
    auto parsed = wire::parse<T>(data);
    if (!parsed) return fail(parsed.error());
    to = std::move(*parsed);
    return {};
}

Result<void> read_lease(DurableContexts& contexts, Bytes data) {
    // A lease context of another size is refused where leases are granted.
    if (data.size() == wire::lease_v1_size) {
        const auto lease = wire::parse<wire::Lease>(data);
        if (!lease) return fail(lease.error());
        contexts.lease_key = lease->lease_key;
        contexts.lease_version = 1;
    } else if (data.size() == wire::lease_v2_size) {
        const auto lease = wire::parse<wire::LeaseV2>(data);
        if (!lease) return fail(lease.error());
        contexts.lease_key = lease->lease_key;
        contexts.lease_version = 2;
    }
    return {};
}

Result<void> read_context(DurableContexts& to, const wire::CreateContext& context, bool smb3,
                          bool smb311) {
    if (context.is(wire::tag::dhnq)) {
        const auto parsed = wire::parse<wire::DurableHandleRequest>(context.data);
        if (!parsed) return fail(parsed.error());
        to.request_v1 = true;
        return {};
    }
    if (context.is(wire::tag::dhnc)) return read(to.reconnect_v1, context.data);
    if (context.is(wire::tag::rqls)) return read_lease(to, context.data);
    if (!smb3) return {};
    if (context.is(wire::tag::dh2q)) return read(to.request_v2, context.data);
    if (context.is(wire::tag::dh2c)) return read(to.reconnect_v2, context.data);
    if (context.is(wire::tag::app_instance_id)) {
        const auto id = wire::parse<wire::AppInstanceId>(context.data);
        if (!id) return fail(id.error());
        to.app_instance_id = id->app_instance_id;
    } else if (context.is(wire::tag::app_instance_version) && smb311) {
        const auto version = wire::parse<wire::AppInstanceVersion>(context.data);
        if (!version) return fail(version.error());
        to.app_instance_version = {version->app_instance_version_high,
                                   version->app_instance_version_low};
    }
    return {};
}

bool same_share(const Open& open, const Call& call) {
    return open.tree->policy->backend == call.tree->policy->backend;
}

bool names(const CreateState& state, const Open& open) {
    const auto name = fsa::parse_name(state.request.name);
    return name && fold_name(name->path) == fold_name(open.path());
}

// What both kinds of reconnect ask of the lease: [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12.
NtStatus check_lease(const CreateState& state, const Open& open, const Durability& durability) {
    const DurableContexts& asked = state.durable;
    if (!open.lease) {
        const bool wrong = asked.lease_key && !durability.resilient;
        return wrong ? NtStatus::OBJECT_NAME_NOT_FOUND : NtStatus::SUCCESS;
    }
    // Open.ClientGuid is asked for an open with a lease only.
    if (durability.client_guid != state.call.connection.negotiated.client_guid) {
        return NtStatus::OBJECT_NAME_NOT_FOUND;
    }
    if (!asked.lease_key || asked.lease_version != (open.lease->v2 ? 2 : 1) ||
        *asked.lease_key != open.lease->lease_key()) {
        return NtStatus::OBJECT_NAME_NOT_FOUND;
    }
    // Open.Lease.FileName; a file that goes away with its last handle has no name to compare.
    const bool deleted = open.fsa->file().is_delete_on_close(*open.fsa) ||
                         open.fsa->file().delete_pending(*open.fsa);
    if (!deleted && !names(state, open)) return NtStatus::INVALID_PARAMETER;
    return NtStatus::SUCCESS;
}

NtStatus check_reconnect(const CreateState& state, const Open& open) {
    const Durability durability = *open.durability.lock();
    const DurableContexts& asked = state.durable;
    if (!same_share(open, state.call)) return NtStatus::OBJECT_NAME_NOT_FOUND;
    if (asked.reconnect_v2) {
        const bool persistent = (asked.reconnect_v2->flags & wire::dhandle_flag_persistent) != 0;
        if (durability.persistent && !persistent) return NtStatus::OBJECT_NAME_NOT_FOUND;
        if (!durability.persistent && persistent) return NtStatus::OBJECT_NAME_NOT_FOUND;
        if (durability.create_guid.value_or(wire::Guid{}) != asked.reconnect_v2->create_guid) {
            return NtStatus::OBJECT_NAME_NOT_FOUND;
        }
    } else if (durability.persistent) {
        return NtStatus::OBJECT_NAME_NOT_FOUND;
    }
    if (!durability.durable && !durability.resilient && !durability.persistent) {
        return NtStatus::OBJECT_NAME_NOT_FOUND;
    }
    if (const NtStatus lease = check_lease(state, open, durability); lease != NtStatus::SUCCESS) {
        return lease;
    }
    // Open.DurableOwner
    if (!same_user(*open.caller, *state.call.caller)) return NtStatus::ACCESS_DENIED;
    return NtStatus::SUCCESS;
}

// [MS-SMB2] 3.3.5.9.12: a client that never saw the answer to its CREATE knows only the GUID.
DurableTable::Found find_for_reconnect(const CreateState& state) {
    DurableTable& table = state.call.server().durable.table;
    const DurableContexts& asked = state.durable;
    const std::uint64_t id = asked.reconnect_v2 ? asked.reconnect_v2->file_id.persistent_id
                                                : asked.reconnect_v1->data.persistent_id;
    DurableTable::Found found = table.find(id);
    if (found.open || !asked.reconnect_v2 || !state.call.tree->continuously_available ||
        (asked.reconnect_v2->flags & wire::dhandle_flag_persistent) == 0) {
        return found;
    }
    if (const auto open = table.find_persistent(asked.reconnect_v2->create_guid)) {
        found = table.find(open->persistent_id);
    }
    return found;
}

// A client that has lost its connection may be back before the loop of the old one has seen its
// end: then the open looks connected.
Task<bool> let_loops_look(const Call& call) {
    Signal looked(call.loop());
    call.server().let_loops_look([&looked] { looked.set(); });
    co_await looked;
    co_return true;
}

// Takes the open for this request, or says why not.
Task<FoundOpen> claim_open(CreateState& state) {
    DurableTable& table = state.call.server().durable.table;
    bool looked = false;
    while (true) {
        const DurableTable::Found found = find_for_reconnect(state);
        if (!found.open) co_return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
        const NtStatus status = check_reconnect(state, *found.open);
        if (status != NtStatus::SUCCESS) co_return fail(status);
        if (found.place == OpenPlace::waiting && table.claim(*found.open)) co_return found.open;
        if (found.place == OpenPlace::connected) {
            // Open.Session is not NULL.
            if (looked) co_return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
            Task<bool> looking = let_loops_look(state.call);
            looked = co_await looking;
            continue;
        }
        // Its old connection is just being taken down.
        Signal changed(state.call.loop());
        if (table.watch(found.open->persistent_id, changed)) co_await changed;
    }
}

// What the response tells of the open's oplock or lease as it is.
void describe_cache(CreateState& state, const Open& open) {
    using L = wire::OplockLevel;
    state.caching = open.fsa->file().caching(*open.fsa);
    const fsa::CacheState cached = state.caching.state;
    if (!open.lease) {
        const bool writes = (cached & fsa::cache::write) != 0;
        const bool handle = (cached & fsa::cache::handle) != 0;
        state.response_oplock = writes ? (handle ? L::batch : L::exclusive)
                                       : (cached != fsa::cache::none ? L::ii : L::none);
        return;
    }
    LeaseRequest lease;
    lease.lease_key = open.lease->lease_key();
    lease.v2 = open.lease->v2;
    const fsa::OplockKey& parent = open.fsa->parent_oplock_key;
    if (!parent.empty()) {
        lease.has_parent = true;
        std::copy(parent.bytes.begin() + 16, parent.bytes.end(), lease.parent_lease_key.begin());
    }
    state.lease = open.lease;
    state.lease_request = lease;
    state.response_oplock = L::lease;
}

// Breaks reach the client on its new session from now on.
void move_holder(const Call& call, const Open& open) {
    const BreakTarget target{call.session->id, call.tree->encrypt};
    if (open.lease) {
        open.lease->move(open.persistent_id, target);
        return;
    }
    const auto holder = std::dynamic_pointer_cast<OplockHolder>(open.fsa->file().holder(*open.fsa));
    if (holder) holder->set_open(open.persistent_id, open.id, target);
}

// A break that could not be told while the owner was away; after the response.
void repeat_break(const CreateState& state, const Open& open) {
    if (!state.caching.breaking) return;
    post_function(state.call.loop(), [fsa = open.fsa] { fsa->file().repeat_break(*fsa); });
}

NtStatus enter_session(Call& call, const std::shared_ptr<Open>& open) {
    auto session = call.session->state.lock();
    if (session->state == SessionState::ended) return NtStatus::USER_SESSION_DELETED;
    if (call.tree->ended) return NtStatus::NETWORK_NAME_DELETED;
    if (session->opens.size() < limits::max_opens_per_session) {
        open->id = session->opens.insert(open);
    }
    return open->id != 0 ? NtStatus::SUCCESS : NtStatus::TOO_MANY_OPENED_FILES;
}

}  // namespace

Result<void> read_durable_contexts(CreateState& state) {
    if (state.request.create_contexts.empty()) return {};
    DurableContexts& to = state.durable;
    const Dialect dialect = state.call.dialect();
    wire::CreateContextReader reader(state.request.create_contexts);
    wire::CreateContext context;
    while (reader.next(context)) {
        SMB3D_TRY(
            read_context(to, context, dialect >= Dialect::smb300, dialect == Dialect::smb311));
    }
    if (!reader.ok()) return fail(NtStatus::INVALID_PARAMETER);
    // 3.3.5.9.6, .7, .10, .12: those of version 2 stand alone; a request beside a reconnect of
    // version 1 is ignored.
    const int version_2 = (to.request_v2 ? 1 : 0) + (to.reconnect_v2 ? 1 : 0);
    const int version_1 = (to.request_v1 ? 1 : 0) + (to.reconnect_v1 ? 1 : 0);
    if (version_2 > 1 || (version_2 == 1 && version_1 > 0)) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if (to.reconnect_v1) to.request_v1 = false;
    return {};
}

namespace {

// Enters a claimed open into the request's session.
Task<FoundOpen> take_over(CreateState& state, std::shared_ptr<Open> old) {
    Call& call = state.call;
    ServerImpl& server = call.server();
    // 3.3.5.9.7: Open.Connection, Session and TreeConnect become those of the request, FileId is
    // new.
    std::shared_ptr<Open> open = successor(old);
    open->session_id = call.session->id;
    open->connection_id = call.connection.id();
    open->tree = call.tree;
    open->caller = call.caller;
    open->order.begin(call.header.channel_sequence());
    server.durable.table.connected_again(*old, open);
    const NtStatus entered = enter_session(call, open);
    if (entered != NtStatus::SUCCESS) {
        Task<bool> leaving = leave_open(server, open, call.loop(), Preserve::yes);
        co_await leaving;
        co_return fail(entered);
    }
    OpenRef held(open);
    if (!held) co_return fail(NtStatus::FILE_CLOSED);
    move_holder(call, *open);
    Pending<vfs::FileStat> asking(call.loop());
    open->file->stat(call.op(Lane::metadata), asking.done());
    const Result<vfs::FileStat> stat = co_await asking;
    if (!stat) co_return fail(stat.error());
    state.opened.stat = *stat;
    state.granted = open->granted_access;
    state.fsa_open = open->fsa;
    state.action = wire::CreateAction::opened;
    describe_cache(state, *open);
    repeat_break(state, *open);
    log::debug(component, "{}: {} is back for handle {:#x}", call.connection.peer(),
               call.caller->user, open->persistent_id);
    co_return open;
}

}  // namespace

Task<FoundOpen> reconnect_open(CreateState& state) {
    Task<FoundOpen> claiming = claim_open(state);
    FoundOpen old = co_await claiming;
    if (!old) co_return old;
    Task<FoundOpen> taking = take_over(state, std::move(*old));
    co_return co_await taking;
}

// ---- replay

namespace {

// [MS-SMB2] 3.3.5.9.10, the open was found and the request says that it is a replay.
NtStatus check_replay(const CreateState& state, const Open& open) {
    const Durability durability = *open.durability.lock();
    const DurableContexts& asked = state.durable;
    const bool persistent = (asked.request_v2->flags & wire::dhandle_flag_persistent) != 0;
    if (!durability.persistent && open.session_id != state.call.session->id) {
        return NtStatus::DUPLICATE_OBJECTID;
    }
    if (!same_share(open, state.call)) return NtStatus::DUPLICATE_OBJECTID;
    if (!same_user(*open.caller, *state.call.caller)) return NtStatus::ACCESS_DENIED;
    if (durability.persistent && !persistent) return NtStatus::ACCESS_DENIED;
    if ((open.lease != nullptr) != asked.lease_key.has_value()) return NtStatus::ACCESS_DENIED;
    if (open.lease && open.lease->lease_key() != *asked.lease_key) return NtStatus::ACCESS_DENIED;
    return NtStatus::SUCCESS;
}

void answer_from(CreateState& state, const Open& open) {
    const Durability durability = *open.durability.lock();
    state.granted = open.granted_access;
    state.fsa_open = open.fsa;
    state.action = static_cast<wire::CreateAction>(open.create_action);
    describe_cache(state, open);
    state.durable.granted_v2 = durability.durable || durability.persistent;
    if (!open.lease) {
        // As Windows: the level that is asked for now, and durable if that would have been; the
        // open keeps what it has (smbtorture smb2.replay.replay-dhv2-oplock2).
        state.response_oplock = state.request.requested_oplock_level;
        const bool batch = state.response_oplock == wire::OplockLevel::batch;
        state.durable.granted_v2 = durability.persistent || (durability.durable && batch);
    }
    state.durable.granted_persistent = durability.persistent;
    state.durable.granted_timeout_ms = durability.timeout_ms;
}

}  // namespace

Task<FoundOpen> find_replayed_open(CreateState& state) {
    Call& call = state.call;
    if (!state.durable.request_v2) co_return std::shared_ptr<Open>();
    const bool replay = call.header.is(wire::header_flags::replay_operation);
    DurableTable& table = call.server().durable.table;
    const DurableTable::Reservation found = table.reserve(call.connection.negotiated.client_guid,
                                                          state.durable.request_v2->create_guid);
    if (found.fresh) {
        state.durable.reserved = true;
        // Its replay on another channel asks for its outcome.
        call.outlives_channel = true;
        co_return std::shared_ptr<Open>();
    }
    if (!replay) co_return fail(NtStatus::DUPLICATE_OBJECTID);
    // The first one is still on its way: the client asks again.
    // Deviation: not STATUS_FILE_NOT_AVAILABLE but what Windows says (smbtorture
    // smb2.replay.dhv2-pending*-windows).
    if (!found.open) {
        co_return fail(found.sharing ? NtStatus::SHARING_VIOLATION : NtStatus::ACCESS_DENIED);
    }
    const NtStatus status = check_replay(state, *found.open);
    if (status != NtStatus::SUCCESS) co_return fail(status);
    // A persistent handle whose owner was away: the replay is how it comes back, too (smbtorture
    // smb2.replay.replay5).
    if (found.open->is_persistent() && table.claim(*found.open)) {
        Task<FoundOpen> taking = take_over(state, found.open);
        FoundOpen back = co_await taking;
        if (back) answer_from(state, **back);
        co_return back;
    }
    if (found.open->session_id != call.session->id) co_return fail(NtStatus::DUPLICATE_OBJECTID);
    OpenRef held(found.open);
    if (!held) co_return fail(NtStatus::FILE_NOT_AVAILABLE);
    Pending<vfs::FileStat> asking(call.loop());
    found.open->file->stat(call.op(Lane::metadata), asking.done());
    const Result<vfs::FileStat> stat = co_await asking;
    if (!stat) co_return fail(stat.error());
    state.opened.stat = *stat;
    answer_from(state, *found.open);
    co_return found.open;
}

void note_wait(const CreateState& state, bool sharing) {
    if (!state.durable.reserved) return;
    state.call.server().durable.table.waits(state.call.connection.negotiated.client_guid,
                                            state.durable.request_v2->create_guid, sharing);
}

void release_create_guid(CreateState& state) {
    if (!std::exchange(state.durable.reserved, false)) return;
    state.call.server().durable.table.release(state.call.connection.negotiated.client_guid,
                                              state.durable.request_v2->create_guid);
}

// ---- application instances

namespace {

// [MS-SMB2] 3.3.5.9.13: has the open been made by a later instance than this one?
bool is_newer(const Durability& durability, const DurableContexts& asked) {
    if (!asked.app_instance_version || !durability.app_instance_version) return false;
    return *durability.app_instance_version >= *asked.app_instance_version;
}

}  // namespace

Task<NtStatus> end_other_instances(CreateState& state) {
    Call& call = state.call;
    ServerImpl& server = call.server();
    if (!state.durable.app_instance_id || call.tree->capabilities.is_pipe) {
        co_return NtStatus::SUCCESS;
    }
    std::vector<std::shared_ptr<Open>> others;
    for (auto& open : server.durable.table.instances(*state.durable.app_instance_id)) {
        const Durability durability = *open->durability.lock();
        if (!open->fsa || !same_share(*open, call) || !names(state, *open) ||
            durability.client_guid == call.connection.negotiated.client_guid) {
            continue;
        }
        if (is_newer(durability, state.durable)) co_return NtStatus::FILE_FORCED_CLOSED;
        others.push_back(std::move(open));
    }
    for (const auto& open : others) {
        Task<bool> ending = end_open(server, open, call.loop());
        co_await ending;
    }
    co_return NtStatus::SUCCESS;
}

// ---- grant

namespace {

constexpr std::uint32_t max_timeout_ms = 300'000;

// 3.3.5.9.10: what the client asks for, within reason.
std::uint32_t granted_timeout(const CreateState& state) {
    const std::uint32_t usual = state.call.config().durable_timeout_ms;
    if (!state.durable.request_v2 || state.durable.request_v2->timeout == 0) return usual;
    return std::min(state.durable.request_v2->timeout, max_timeout_ms);
}

// Nobody can prove to be the same guest; a directory's handle is not kept (3.3.5.9.10).
bool may_be_durable(const CreateState& state, const Open& open) {
    const Caller& caller = *state.call.caller;
    return open.fsa && !open.is_directory() && !caller.guest && !caller.anonymous;
}

Durability asked_for(const CreateState& state) {
    const DurableContexts& asked = state.durable;
    Durability durability;
    durability.client_guid = state.call.connection.negotiated.client_guid;
    if (asked.request_v2) durability.create_guid = asked.request_v2->create_guid;
    durability.app_instance_id = asked.app_instance_id;
    durability.app_instance_version = asked.app_instance_version;
    return durability;
}

// 3.3.5.9.10: TreeConnect.Share.IsCA, and the connection has the capability.
bool may_be_persistent(const CreateState& state, const Open& open) {
    if (!state.durable.request_v2 || !may_be_durable(state, open)) return false;
    return (state.durable.request_v2->flags & wire::dhandle_flag_persistent) != 0 &&
           state.call.tree->continuously_available &&
           (state.call.connection.negotiated.server_capabilities &
            wire::capabilities::persistent_handles) != 0 &&
           state.call.server().durable.store() != nullptr;
}

// What the request may get at most.
fsa::CacheState asked_cache(const CreateState& state) {
    using L = wire::OplockLevel;
    if (state.lease) return state.lease_request->state & fsa::cache::all;
    const L level = state.request.requested_oplock_level;
    if (level == L::batch) return fsa::cache::all;
    if (level == L::exclusive) return fsa::cache::read | fsa::cache::write;
    return level == L::ii ? fsa::cache::read : fsa::cache::none;
}

}  // namespace

Task<bool> prepare_persistent(CreateState& state, std::shared_ptr<Open> open) {
    if (!may_be_persistent(state, *open)) co_return false;
    DurableKeeper& keeper = state.call.server().durable;
    Durability durability = asked_for(state);
    durability.persistent = true;
    durability.timeout_ms = granted_timeout(state);
    durability.expected_cache = asked_cache(state);
    *open->durability.lock() = durability;
    open->persistent = true;
    Task<NtStatus> writing = keeper.write_new(open, state.call.loop());
    const NtStatus written = co_await writing;
    if (written != NtStatus::SUCCESS) {
        log::warn(component, "{}: a persistent handle is not granted: {}",
                  state.call.connection.peer(), status_name(written));
        open->persistent = false;
        *open->durability.lock() = Durability{};
        co_return false;
    }
    state.durable.reserved = false;
    co_return true;
}

void grant_durable(CreateState& state, const std::shared_ptr<Open>& open) {
    DurableKeeper& keeper = state.call.server().durable;
    open->create_action = static_cast<std::uint32_t>(state.action);
    const bool persistent = open->is_persistent();
    open->durability.lock()->expected_cache.reset();
    Durability durability = asked_for(state);
    durability.persistent = persistent;
    durability.timeout_ms = granted_timeout(state);
    // 3.3.5.9.6, 3.3.5.9.10: a batch oplock, or a lease with HANDLE_CACHING.
    durability.durable = (state.durable.request_v1 || state.durable.request_v2) &&
                         may_be_durable(state, *open) && keeps_handle_caching(*open);
    if (!open->fsa || !durability.any()) {
        release_create_guid(state);
        return;
    }
    *open->durability.lock() = durability;
    if (persistent) {
        keeper.write_later(*open);
    } else {
        open->replay_eligible = durability.create_guid.has_value();
        keeper.table.add(open);
        state.durable.reserved = false;
    }
    state.durable.granted_persistent = persistent;
    state.durable.granted_v1 = durability.durable && state.durable.request_v1;
    state.durable.granted_v2 =
        (durability.durable || persistent) && state.durable.request_v2.has_value();
    state.durable.granted_timeout_ms = durability.timeout_ms;
}

Task<bool> record_raised_lease(CreateState& state, std::shared_ptr<Open> open) {
    DurableKeeper& keeper = state.call.server().durable;
    // Its own record has all that it asked for.
    const std::vector<std::uint64_t> users = open->lease->open_ids();
    if (keeper.store() == nullptr || users.size() < 2) co_return false;
    Task<NtStatus> writing = keeper.write_lease(open->lease, state.call.loop());
    const NtStatus written = co_await writing;
    co_return written == NtStatus::SUCCESS;
}

void repeat_untold_break(const CreateState& state, const Open& open) {
    if (!state.caching.breaking || !open.lease) return;
    const DurableTable& table = state.call.server().durable.table;
    for (const std::uint64_t id : open.lease->open_ids()) {
        const DurableTable::Found found = table.find(id);
        if (found.open && found.place != OpenPlace::connected) return repeat_break(state, open);
    }
}

NtStatus refusal_for_sharing(CreateState& state, vfs::FileId id) {
    ServerImpl& server = state.call.server();
    const std::shared_ptr<fsa::File> file = server.files.find({state.call.tree->place.store(), id});
    if (!file || server.durable.table.waiting_count() == 0) return NtStatus::SHARING_VIOLATION;
    for (const auto& view : file->opens()) {
        const DurableTable::Found found = server.durable.table.find(view.id);
        if (found.open && found.place != OpenPlace::connected && found.open->is_persistent()) {
            return NtStatus::FILE_NOT_AVAILABLE;
        }
    }
    return NtStatus::SHARING_VIOLATION;
}

}  // namespace smb3d::engine
