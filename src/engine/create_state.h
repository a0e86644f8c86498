// CreateState: a CREATE on its way through the phases of cmd/create.cpp.
//
// Spec: [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.  Thread: the request's loop.  Lifetime: the request's.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/lease_table.h"
#include "engine/request.h"
#include "fsa/access.h"
#include "fsa/path.h"
#include "smb3d/vfs.h"
#include "wire/create.h"

namespace smb3d::engine {

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
