#include <array>

#include "engine/fsctl/fsctl.h"
#include "fsa/access.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

namespace {

using F = fscc::Fsctl;
using T = FsctlTarget;
constexpr std::uint32_t code(F fsctl) { return static_cast<std::uint32_t>(fsctl); }
namespace a = fsa::access;
constexpr bool changes = true;

constexpr std::array rows = {
    FsctlRow{code(F::validate_negotiate_info), T::server, 0, !changes,
             fsctl_validate_negotiate_info},
    FsctlRow{code(F::dfs_get_referrals), T::server, 0, !changes, fsctl_dfs_get_referrals},
    FsctlRow{code(F::dfs_get_referrals_ex), T::server, 0, !changes, fsctl_dfs_get_referrals},
    FsctlRow{code(F::query_network_interface_info), T::server, 0, !changes,
             fsctl_query_network_interface_info},
    FsctlRow{code(F::pipe_wait), T::server, 0, !changes, fsctl_pipe},
    FsctlRow{code(F::pipe_transceive), T::pipe, 0, !changes, fsctl_pipe},
    FsctlRow{code(F::pipe_peek), T::pipe, 0, !changes, fsctl_pipe},
    FsctlRow{code(F::set_sparse), T::file, a::write_data | a::append_data | a::write_attributes,
             changes, fsctl_set_sparse},
    FsctlRow{code(F::set_zero_data), T::file, a::write_data, changes, fsctl_set_zero_data},
    FsctlRow{code(F::query_allocated_ranges), T::file, a::read_data, !changes,
             fsctl_query_allocated_ranges},
    FsctlRow{code(F::get_compression), T::file, 0, !changes, fsctl_get_compression},
    FsctlRow{code(F::set_compression), T::file, a::read_data | a::write_data, changes,
             fsctl_set_compression},
    FsctlRow{code(F::create_or_get_object_id), T::file, 0, !changes, fsctl_object_id},
    FsctlRow{code(F::get_object_id), T::file, 0, !changes, fsctl_object_id},
    FsctlRow{code(F::get_reparse_point), T::file, 0, !changes, fsctl_get_reparse_point},
    FsctlRow{code(F::srv_enumerate_snapshots), T::file, 0, !changes, fsctl_enumerate_snapshots},
    FsctlRow{code(F::lmr_request_resiliency), T::file, 0, !changes, fsctl_request_resiliency},
    FsctlRow{code(F::srv_request_resume_key), T::file, 0, !changes, fsctl_request_resume_key},
    FsctlRow{code(F::srv_copychunk), T::file, a::write_data, changes, fsctl_copychunk},
    FsctlRow{code(F::srv_copychunk_write), T::file, a::write_data, changes, fsctl_copychunk},
    FsctlRow{code(F::duplicate_extents_to_file), T::file, a::write_data, changes,
             fsctl_duplicate_extents},
    FsctlRow{code(F::file_level_trim), T::file, a::write_data, changes, fsctl_file_level_trim},
    FsctlRow{code(F::is_pathname_valid), T::any_open, 0, !changes, fsctl_is_pathname_valid},
};

}  // namespace

const FsctlRow* find_fsctl(std::uint32_t wanted) {
    for (const FsctlRow& row : rows) {
        if (row.code == wanted) return &row;
    }
    return nullptr;
}

}  // namespace smb3d::engine
