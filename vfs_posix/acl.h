// What a POSIX access control list gives the caller, which owner, group and mode do not tell
// ([acl(5)]).
//
// Purpose: the engine judges by owner, group and mode (dtyp/posix_sd.h).  With a list, the mode's
//   group bits are the list's mask, and those whom the list names are "others" by the mode.  Then
//   the kernel is asked for what the thread's identity may do.
// Thread: any that wears the caller's identity; see identity.h.
#pragma once

#include <cstdint>
#include <optional>

#include "smb3d/vfs.h"

namespace smb3d::vfs_posix {

// The caller's rwx (4, 2, 1) on the file that `stat` describes; nullopt: the mode tells it, because
// there is no list, or the caller is root or the owner, whom a list does not concern.
std::optional<std::uint8_t> rights_by_list(int fd, bool path_only, const vfs::FileStat& stat);
// The same of an entry of `directory`, without opening it; not a symbolic link.
std::optional<std::uint8_t> rights_by_list_at(int directory, const char* name,
                                              const vfs::FileStat& stat);

}  // namespace smb3d::vfs_posix
