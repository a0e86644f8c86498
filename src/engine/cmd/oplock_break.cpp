// OPLOCK_BREAK: the acknowledgments of [MS-SMB2] 3.3.5.22.1 (oplock) and 3.3.5.22.2 (lease).
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

using fsa::CacheState;

// 3.3.5.22.1
Reply acknowledge_oplock(Call& call, wire::OplockBreakAcknowledgment request) {
    OpenRef open(
        call.session->find_open(request.file_id.volatile_id, request.file_id.persistent_id));
    if (!open) co_return fail(NtStatus::FILE_CLOSED);
    if (!open->fsa) co_return fail(NtStatus::INVALID_OPLOCK_PROTOCOL);
    fsa::File& file = open->fsa->file();
    const fsa::Caching caching = file.caching(*open->fsa);
    const bool legal = request.oplock_level == wire::OplockLevel::none ||
                       request.oplock_level == wire::OplockLevel::ii;
    if (caching.lease) co_return fail(NtStatus::INVALID_PARAMETER);
    if (!caching.breaking) {
        // Level II goes without an answer: one is against the protocol.
        co_return fail(legal ? NtStatus::INVALID_OPLOCK_PROTOCOL : NtStatus::INVALID_DEVICE_STATE);
    }
    // On disk before others go on.
    Task<NtStatus> writing = call.server().durable.write(open.shared(), call.loop());
    const NtStatus written = co_await writing;
    if (written != NtStatus::SUCCESS) call.server().durable.write_later(*open);
    const CacheState kept =
        request.oplock_level == wire::OplockLevel::ii ? fsa::cache::read : fsa::cache::none;
    Result<void> acknowledged = file.acknowledge_break(*open->fsa, kept);
    if (!acknowledged && acknowledged.error() == NtStatus::REQUEST_NOT_ACCEPTED) {
        // It asked to keep level II of what was broken to nothing: it keeps nothing.
        acknowledged = file.acknowledge_break(*open->fsa, fsa::cache::none);
        if (acknowledged) acknowledged = fail(NtStatus::INVALID_OPLOCK_PROTOCOL);
    }
    if (!acknowledged) co_return fail(acknowledged.error());
    if (!legal) {
        co_return fail(request.oplock_level == wire::OplockLevel::lease
                           ? NtStatus::INVALID_PARAMETER
                           : NtStatus::INVALID_OPLOCK_PROTOCOL);
    }
    wire::OplockBreakResponse response;
    response.oplock_level = request.oplock_level;
    response.file_id = request.file_id;
    co_return reply(call, response);
}

// 3.3.5.22.2
Reply acknowledge_lease(Call& call, wire::LeaseBreakAcknowledgment request) {
    const fsa::OplockKey key =
        oplock_key(call.connection.negotiated.client_guid, request.lease_key);
    const std::shared_ptr<Lease> lease = call.server().leases.find(key);
    const std::shared_ptr<fsa::File> file = lease ? lease->file() : nullptr;
    if (!file) co_return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    // On disk before others go on.  If that fails they go on all the same: the holder has answered,
    // and it is tried again.
    Task<NtStatus> writing = call.server().durable.write_lease(lease, call.loop());
    co_await writing;
    const Result<void> acknowledged = file->acknowledge_break(key, request.lease_state);
    call.server().durable.lease_changed(*lease);
    if (!acknowledged) {
        const bool gone = acknowledged.error() == NtStatus::INVALID_OPLOCK_PROTOCOL;
        co_return fail(gone ? NtStatus::OBJECT_NAME_NOT_FOUND : acknowledged.error());
    }
    wire::LeaseBreakResponse response;
    response.lease_key = request.lease_key;
    response.lease_state = request.lease_state;
    co_return reply(call, response);
}

Reply refuse(NtStatus status) { co_return fail(status); }

}  // namespace

Reply oplock_break(Call& call) {
    switch (wire::structure_size_of(call.message)) {
        case wire::oplock_break_structure_size: {
            const auto request = wire::parse<wire::OplockBreakAcknowledgment>(call.message);
            if (!request) return refuse(request.error());
            return acknowledge_oplock(call, *request);
        }
        case wire::lease_break_acknowledgment_structure_size: {
            const auto request = wire::parse<wire::LeaseBreakAcknowledgment>(call.message);
            if (!request) return refuse(request.error());
            return acknowledge_lease(call, *request);
        }
        default:
            return refuse(NtStatus::INVALID_PARAMETER);
    }
}

}  // namespace smb3d::engine
