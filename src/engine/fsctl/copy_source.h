// CopySource: finds the open that a server-side copy reads from, and copies ranges between opens.
//
// Purpose: what FSCTL_SRV_COPYCHUNK and its like share.
// Spec: [MS-SMB2] 3.3.5.15.5, 3.3.5.15.6.
// Thread: the request's loop.
// Lifetime: the opens are held by their OpenRefs until the copy has ended.
// Errors: NtStatus as the specification names them.
#pragma once

#include <cstdint>

#include "engine/connection.h"
#include "fscc/fsctl.h"
#include "smb3d/vfs.h"

namespace smb3d::engine {

// The key that names this open, within its session only; made at the first call.
fscc::ResumeKey resume_key(Open& open);

// Empty unless `key` is the resume key of an open of the call's session.
OpenRef find_copy_source(Call& call, const fscc::ResumeKey& key);

// How far a copy came, and what ended it: SUCCESS if it is whole.
struct Moved {
    std::uint64_t bytes{0};
    NtStatus status{NtStatus::SUCCESS};
};

// Copies from `source` to the call's open: by the back end if it can, else through a buffer.  What
// overlaps in one file comes out as if it had been read before anything was written; such a range
// is then read as a whole and should not be longer than a message.
Task<Moved> copy_range(Call& call, Open& source, vfs::CopyRequest range);

// [MS-FSA] 2.1.1.6: handles that took the times into their own hands keep them.
Task<bool> keep_copy_times(Call& call, Open& source);

}  // namespace smb3d::engine
