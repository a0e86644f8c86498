// What a CREATE does for durable handles: reconnect, replay, application instances, the grant.
//
// Spec: [MS-SMB2] 3.3.5.9.6, .7, .10, .12, .13, .16.
// Thread: the request's loop.
#pragma once

#include <memory>

#include "engine/create_state.h"
#include "engine/task.h"

namespace smb3d::engine {

using FoundOpen = Result<std::shared_ptr<Open>>;

// Before anything else of the request is looked at: a reconnect ignores nearly all of it.
Result<void> read_durable_contexts(CreateState& state);

// state.durable.reconnects(): the open of the client who is back, entered into this session.
Task<FoundOpen> reconnect_open(CreateState& state);

// The open that an earlier CREATE with the same GUID made, if this one is its replay; null: there
// is none, and the GUID is reserved until grant_durable() or release_create_guid().
Task<FoundOpen> find_replayed_open(CreateState& state);
void release_create_guid(CreateState& state);
// The CREATE waits for others: `sharing`: for their share modes to go.
void note_wait(const CreateState& state, bool sharing);

// Closes what another instance of the application has left open.
Task<NtStatus> end_other_instances(CreateState& state);

// The open was made, its session does not know of it yet: a persistent handle is on disk after
// this, with the caching that it asks for and at most gets.
Task<bool> prepare_persistent(CreateState& state, std::shared_ptr<Open> open);
// The open has what it may cache; the caller holds it, so that it is not closed meanwhile.
void grant_durable(CreateState& state, const std::shared_ptr<Open>& open);

// The lease that this open may have raised is on disk with the persistent handles that share it.
Task<bool> record_raised_lease(CreateState& state, std::shared_ptr<Open> open);

// The open has joined a lease whose break could not be told, because the opens that it had were
// away: it is told after the response, as to an owner who comes back.
void repeat_untold_break(const CreateState& state, const Open& open);

// A sharing violation with a persistent handle whose owner is away is no final answer.
NtStatus refusal_for_sharing(CreateState& state, vfs::FileId file);

}  // namespace smb3d::engine
