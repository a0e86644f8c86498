// Control codes: one row a code, which says what it needs; default deny.
//
// Spec: [MS-SMB2] 3.3.5.15, [MS-FSCC] 2.3.
// Thread: the request's loop.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/request.h"
#include "wire/ioctl.h"

namespace smb3d::engine {

struct FsctlOutput {
    // SUCCESS, a warning (BUFFER_OVERFLOW), or an error that comes with output (server-side copy).
    NtStatus status{NtStatus::SUCCESS};
    std::vector<std::byte> small;  // output that was built
    Buffer large;                  // or a buffer of the back end's
};

enum class FsctlTarget : std::uint8_t {
    server,  // FileId all ones or any: asks the server
    file,    // an open file or directory
    pipe,    // an open pipe
    any_open,
};

struct FsctlRow {
    std::uint32_t code;
    FsctlTarget target;
    std::uint32_t access;  // one of these rights must have been granted; 0: none is needed
    bool changes;          // refused on a read-only share (CVE-2026-1933)
    Task<Result<FsctlOutput>> (*run)(Call& call, const wire::IoctlRequest& request);
};

// Null: not supported.
const FsctlRow* find_fsctl(std::uint32_t code);

using FsctlReply = Task<Result<FsctlOutput>>;
// -- one file each
FsctlReply fsctl_validate_negotiate_info(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_dfs_get_referrals(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_pipe(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_set_sparse(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_set_zero_data(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_query_allocated_ranges(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_get_compression(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_set_compression(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_object_id(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_get_reparse_point(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_enumerate_snapshots(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_request_resiliency(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_query_network_interface_info(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_is_pathname_valid(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_request_resume_key(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_copychunk(Call& call, const wire::IoctlRequest& request);  // and _WRITE
FsctlReply fsctl_duplicate_extents(Call& call, const wire::IoctlRequest& request);
FsctlReply fsctl_file_level_trim(Call& call, const wire::IoctlRequest& request);

}  // namespace smb3d::engine
