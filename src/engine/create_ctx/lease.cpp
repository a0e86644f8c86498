// SMB2_CREATE_REQUEST_LEASE, _V2: [MS-SMB2] 3.3.5.9.8, 3.3.5.9.11.
#include "engine/connection.h"
#include "engine/create_ctx/contexts.h"
#include "engine/lease_table.h"
#include "wire/negotiate.h"

namespace smb3d::engine {

namespace {

bool leases_offered(const CreateState& state) {
    const Negotiated& negotiated = state.call.connection.negotiated;
    return (negotiated.server_capabilities & wire::capabilities::leasing) != 0 &&
           state.call.tree->policy->oplocks;
}

fsa::OplockKey key_of(const CreateState& state, const wire::LeaseKey& key) {
    return oplock_key(state.call.connection.negotiated.client_guid, key);
}

}  // namespace

Result<void> lease_request(CreateState& state, Bytes data) {
    // The context counts only if the level says so, and only where leases are offered.
    if (state.request.requested_oplock_level != wire::OplockLevel::lease) return {};
    if (!leases_offered(state)) return {};
    if (data.size() == wire::lease_v1_size) {
        const auto lease = wire::parse<wire::Lease>(data);
        if (!lease) return fail(lease.error());
        LeaseRequest request;
        request.lease_key = lease->lease_key;
        request.key = key_of(state, lease->lease_key);
        request.state = lease->lease_state;
        state.lease_request = request;
        return {};
    }
    if (data.size() != wire::lease_v2_size) return fail(NtStatus::INVALID_PARAMETER);
    if (!state.call.connection.negotiated.smb3()) return {};
    const auto lease = wire::parse<wire::LeaseV2>(data);
    if (!lease) return fail(lease.error());
    LeaseRequest request;
    request.lease_key = lease->lease_key;
    request.key = key_of(state, lease->lease_key);
    request.state = lease->lease_state;
    request.v2 = true;
    request.epoch = lease->epoch;
    if ((lease->lease_flags & wire::lease_flags::parent_lease_key_set) != 0) {
        request.has_parent = true;
        request.parent_lease_key = lease->parent_lease_key;
        request.parent_key = key_of(state, lease->parent_lease_key);
    }
    state.lease_request = request;
    return {};
}

void lease_response(CreateState& state, wire::CreateContextBuilder& builder) {
    if (!state.lease_request || state.response_oplock != wire::OplockLevel::lease) return;
    const LeaseRequest& request = *state.lease_request;
    const std::uint32_t flags =
        state.caching.breaking ? wire::lease_flags::break_in_progress : std::uint32_t{0};
    // 3.3.5.9.8, 3.3.5.9.11: in the version that the lease was made with.
    const bool v2 = state.lease != nullptr ? state.lease->v2 : request.v2;
    if (!v2) {
        wire::Lease lease;
        lease.lease_key = request.lease_key;
        lease.lease_state = state.caching.state;
        lease.lease_flags = flags;
        builder.add(wire::tag::rqls, lease);
        return;
    }
    wire::LeaseV2 lease;
    lease.lease_key = request.lease_key;
    lease.lease_state = state.caching.state;
    lease.lease_flags = flags;
    if (request.has_parent) {
        lease.lease_flags |= wire::lease_flags::parent_lease_key_set;
        lease.parent_lease_key = request.parent_lease_key;
    }
    lease.epoch = state.caching.epoch;
    builder.add(wire::tag::rqls, lease);
}

}  // namespace smb3d::engine
