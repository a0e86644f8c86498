// CreateState: a CREATE on its way through the phases of cmd/create.cpp.
//
// Spec: [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.  Thread: the request's loop.  Lifetime: the request's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/lease_table.h"
#include "engine/request.h"
#include "fsa/access.h"
#include "fsa/path.h"
#include "smb3d/vfs.h"
#include "wire/create.h"
#include "wire/create_context.h"

namespace smb3d::engine {

// The contexts that make an open durable or give it back, and what became of them.
struct DurableContexts {
    bool request_v1{false};
    std::optional<wire::DurableHandleRequestV2> request_v2;
    std::optional<wire::DurableHandleReconnect> reconnect_v1;
    std::optional<wire::DurableHandleReconnectV2> reconnect_v2;
    std::optional<wire::Guid> app_instance_id;
    std::optional<std::array<std::uint64_t, 2>> app_instance_version;  // high, low
    std::optional<wire::LeaseKey> lease_key;                           // what RqLs names
    std::uint8_t lease_version{0};
    bool reconnects() const { return reconnect_v1 || reconnect_v2; }

    bool reserved{false};  // the create GUID
    bool granted_v1{false};
    bool granted_v2{false};
    bool granted_persistent{false};
    std::uint32_t granted_timeout_ms{0};
};

// SMB2_CREATE_REQUEST_LEASE, _V2.
struct LeaseRequest {
    wire::LeaseKey lease_key{};
    fsa::OplockKey key;
    std::uint32_t state{0};
    bool v2{false};
    std::uint16_t epoch{0};
    bool has_parent{false};
    wire::LeaseKey parent_lease_key{};
    fsa::OplockKey parent_key;
};

struct CreateState {
    CreateState(Call& call_, const wire::CreateRequest& request_)
        : call(call_), request(request_) {}

    Call& call;
    const wire::CreateRequest& request;

    // Phase 1: what the request says.
    fsa::ParsedName name;
    fsa::CreateDisposition disposition{fsa::CreateDisposition::open};
    std::uint32_t desired{0};  // generic bits expanded, without MAXIMUM_ALLOWED
    bool maximum_allowed{false};
    std::uint32_t new_attributes{0};  // for a file that gets created

    // From the create contexts.
    std::optional<std::uint64_t> allocation_size;
    bool wants_maximal_access{false};
    std::uint64_t maximal_access_timestamp{0};
    bool wants_disk_id{false};
    std::optional<LeaseRequest> lease_request;

    DurableContexts durable;

    // What the phases found and did.
    vfs::OpenReply opened;
    std::uint32_t granted{0};
    std::shared_ptr<fsa::Open> fsa_open;
    std::shared_ptr<Lease> lease;
    bool retry{false};
    fsa::BreakWait wait;  // not empty: others must give up what they cache first
    fsa::Caching caching;
    wire::OplockLevel response_oplock{wire::OplockLevel::none};
    wire::CreateAction action{wire::CreateAction::opened};
};

}  // namespace smb3d::engine
