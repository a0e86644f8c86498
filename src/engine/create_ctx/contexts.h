// Create contexts: one row a context, one file a family.
//
// Spec: [MS-SMB2] 2.2.13.2, 2.2.14.2, 3.3.5.9.
// Thread: the request's loop.
#pragma once

#include <string_view>

#include "engine/create_state.h"
#include "wire/create_context.h"

namespace smb3d::engine {

struct CreateContextRow {
    std::string_view tag;
    // Takes the request's context in; a status fails the CREATE.
    Result<void> (*request)(CreateState& state, Bytes data);
    // Adds the response's context; null if there is none.
    void (*response)(CreateState& state, wire::CreateContextBuilder& builder);
};

// Reads all contexts of the request.  Unknown ones are ignored; a malformed list is
// INVALID_PARAMETER.
Result<void> read_create_contexts(CreateState& state);
// Writes the response's contexts, in the order of the table.
void write_create_contexts(CreateState& state, wire::CreateContextBuilder& builder);

// -- the rows' functions
// allocation_size.cpp
Result<void> allocation_size_request(CreateState& state, Bytes data);
// maximal_access.cpp
Result<void> maximal_access_request(CreateState& state, Bytes data);
void maximal_access_response(CreateState& state, wire::CreateContextBuilder& builder);
// disk_id.cpp
Result<void> disk_id_request(CreateState& state, Bytes data);
void disk_id_response(CreateState& state, wire::CreateContextBuilder& builder);
// extended_attributes.cpp
Result<void> ea_request(CreateState& state, Bytes data);
// timewarp.cpp
Result<void> timewarp_request(CreateState& state, Bytes data);
// lease.cpp
Result<void> lease_request(CreateState& state, Bytes data);
void lease_response(CreateState& state, wire::CreateContextBuilder& builder);
// durable.cpp
Result<void> durable_request(CreateState& state, Bytes data);
void durable_response(CreateState& state, wire::CreateContextBuilder& builder);
void durable_v2_response(CreateState& state, wire::CreateContextBuilder& builder);

}  // namespace smb3d::engine
