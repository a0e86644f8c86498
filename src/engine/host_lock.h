// Byte-range locks for others on the host as well: what clients lock is locked for local programs
// and NFS, and what they have locked is refused to clients.
//
// Spec: none; [MS-FSA] 2.1.5.8 for what a refusal is.
// Thread: the request's loop.  Lifetime: none; the back end has the locks until the file is closed.
#pragma once

#include <chrono>
#include <vector>

#include "engine/open.h"
#include "engine/request.h"
#include "engine/task.h"
#include "fsa/byte_range_lock.h"

namespace smb3d::engine {

// All or none.  LOCK_NOT_GRANTED: somebody on the host has locked it.  SUCCESS where the share does
// not want it, or its back end cannot do it.
Task<NtStatus> lock_on_host(Open& open, const vfs::OpContext& op,
                            std::vector<fsa::LockElement> elements);
// Exactly these.
Task<bool> unlock_on_host(Open& open, const vfs::OpContext& op,
                          std::vector<fsa::LockElement> elements);
// What fsa has unlocked in this order: of two locks of a range the exclusive one.
Task<bool> unlock_on_host(Open& open, const vfs::OpContext& op, std::vector<fsa::ByteRange> ranges);

// False: the request was cancelled meanwhile, or its open is being closed.
Task<bool> pause(Call& call, std::chrono::nanoseconds time);

}  // namespace smb3d::engine
