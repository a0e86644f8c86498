// What a caller may do with a file whose back end stores no security descriptors: by owner, group
// and mode, or by what the back end says of a file with an access control list.
//
// Spec: [MS-FSA] 2.1.5.1.2.1 (access check of an open), [MS-SMB2] 2.2.14.2.5 (maximal access).
// Thread: pure functions, any; the coroutine on its request's loop.
#pragma once

#include <cstdint>
#include <string>

#include "engine/request.h"
#include "smb3d/caller.h"
#include "smb3d/vfs.h"

namespace smb3d::engine {

// Whose rights count on the call's share: the caller's, unless its back end acts as somebody else.
const Caller& acting_caller(const Call& call);

// Every right that owner and mode give the caller; uid 0 has all.
std::uint32_t access_by_mode(const vfs::FileStat& stat, const Caller& caller);

// The same within what the tree allows, and without the rights that a READONLY attribute takes
// away.
std::uint32_t maximal_access(const Call& call, const vfs::FileStat& stat);

// Whether the name `path` may be removed from its directory: asked when a deletion is promised,
// since at close it would be too late to tell the client.
Task<NtStatus> may_remove_name(Call& call, std::string path, std::uint32_t owner_uid);

}  // namespace smb3d::engine
