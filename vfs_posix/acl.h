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

#include <sys/stat.h>

#include "vfs_posix/attrib_cache.h"

namespace smb3d::vfs_posix {

// The caller's rwx (4, 2, 1) on the file that `st` describes; nullopt: the mode tells it, because
// there is no list, or the caller is root or the owner, whom a list does not concern.
// `lists`: empty for a file without one; that is known as long as its ctime stays.
std::optional<std::uint8_t> rights_by_list(AttribCache& lists, const struct ::statx& st, int fd,
                                           bool path_only);
// The same of an entry of `directory`, without opening it; not a symbolic link.
std::optional<std::uint8_t> rights_by_list_at(AttribCache& lists, const struct ::statx& st,
                                              int directory, const char* name);

}  // namespace smb3d::vfs_posix
