// The POSIX back end: a directory tree of a Linux file system as a vfs::Share.
//
// Purpose: stores; SMB semantics are the engine's.  Paths are resolved below the share's directory
// descriptor only
//   (openat2 with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS), under the caller's fsuid, fsgid and
//   groups.
// Spec: the completion contract of smb3d/vfs.h; [MS-FSA] 2.1.5 for the statuses; [MS-FSCC] 2.6 for
// attributes. Thread: make_posix_share from any thread; the Share's operations from any loop.  What
// the kernel answers from its
//   caches runs inline on the loop, data that is not cached on the loop's ring if it has one, the
//   rest on the pool.
// Lifetime: the Share outlives its Files (each holds a reference).
// Errors: make_posix_share gives a sentence for the administrator; operations an NtStatus
// (errno_map.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smb3d/vfs.h"

namespace smb3d::vfs_posix {

// What happens where a path leads through a symbolic link.  A link that leads out of the share
// (every absolute one does) is answered like a missing name, so that it tells nothing about what is
// outside (CVE-2021-44141).
enum class Symlinks : std::uint8_t { refuse, inside };

// On whose behalf all operations run, whoever is logged on ("force user").
struct ForcedIdentity {
    std::uint32_t uid{0};
    std::uint32_t gid{0};
    std::vector<std::uint32_t> groups;
};

struct PosixOptions {
    // How names are folded for comparison; must be what Windows clients do (smb3d::fold_name),
    // ASCII if null.
    std::string (*fold)(std::string_view){nullptr};
    bool case_sensitive{false};
    Symlinks symlinks{Symlinks::inside};
    std::uint32_t file_mode{
        0666};  // of created files; the process's umask and default ACLs still apply
    std::uint32_t directory_mode{0777};  // of created directories
    std::optional<ForcedIdentity> force_user;
    bool store_dos_attributes{true};  // in the xattr user.DOSATTRIB, as Samba does
    bool hide_dot_files{true};        // a name that begins with '.' has the attribute HIDDEN
    bool map_names{true};             // name_map.h; else names are passed as they are
    bool read_only{false};
    // Files can be guarded (vfs::File::guard) by leases of the kernel, byte ranges be locked by its
    // locks (host_lock).  Without both no account is kept of what is open.
    bool host_leases{true};
    bool host_locks{true};
    std::string volume_label;              // "": the engine's choice
    std::string file_system_name{"NTFS"};  // what clients are told; some refuse to work on another
    std::size_t name_cache_bytes{64U << 20};  // memory for folded names of directories
};

// `path` must be a directory.  Needs Linux 5.12 (openat2 with RESOLVE_CACHED; probed here).
std::expected<std::shared_ptr<vfs::Share>, std::string> make_posix_share(const std::string& path,
                                                                         PosixOptions options = {});

}  // namespace smb3d::vfs_posix
