// Durability: what lets an open outlive its connection.
//
// Spec: [MS-SMB2] 3.3.1.10 (Open.IsDurable, IsResilient, IsPersistent, DurableOpenTimeout,
//   ResilientOpenTimeout, CreateGuid, AppInstanceId, ApplicationInstanceVersion, DurableOwner).
// Thread: a value; each Open guards its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "wire/codec.h"

namespace smb3d::engine {

struct Durability {
    bool durable{false};
    bool resilient{false};
    bool persistent{false};
    std::uint32_t timeout_ms{0};  // DurableOpenTimeout
    std::uint32_t resilient_timeout_ms{0};
    wire::Guid client_guid{};               // Open.ClientGuid
    std::optional<wire::Guid> create_guid;  // of a version 2 request
    std::optional<wire::Guid> app_instance_id;
    std::optional<std::array<std::uint64_t, 2>> app_instance_version;  // high, low
    // Of a persistent open whose CREATE is under way: what it may get to cache at most.
    std::optional<std::uint32_t> expected_cache;

    // Something asks for this open by another name than its FileId.
    bool any() const {
        return durable || resilient || persistent || create_guid || app_instance_id;
    }
    const char* kind() const {
        return persistent ? "persistent" : resilient ? "resilient" : durable ? "durable" : "";
    }
};

}  // namespace smb3d::engine
