// A security descriptor made from owner, group and mode: the answer of a share that stores no ACLs;
// and the way back.
//
// Spec: none of Microsoft's; SIDs as Samba makes them for Unix accounts without a mapping
// (S-1-22-1-uid, S-1-22-2-gid). Thread: any (pure functions, if the functions of a SidMap are).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "dtyp/security_descriptor.h"

namespace smb3d::dtyp {

// How Unix accounts are shown.
struct SidMap {
    std::function<Sid(std::uint32_t uid)> user{sids::unix_user};
    std::function<Sid(std::uint32_t gid)> group{sids::unix_group};
};

struct PosixOwner {
    std::uint32_t uid{0};
    std::uint32_t gid{0};
    std::uint32_t mode{0};  // the permission bits; others do not matter
    bool directory{false};
};

// ACEs for owner, group and Everyone, with the meaning of the mode: an owner's class counts even
// where the group's allows more (then there are deny ACEs).  The owner can always read and change
// the descriptor, the attributes, and delete.
SecurityDescriptor posix_descriptor(const PosixOwner& owner, const SidMap& map = {});

// The rights that one rwx triple stands for.
AccessMask access_of_mode(std::uint32_t rwx, bool directory, bool is_owner);

// The mode (permission bits) that comes nearest to `descriptor`'s DACL for the file's owner and
// group; nullopt without a DACL.
std::optional<std::uint32_t> mode_of_descriptor(const SecurityDescriptor& descriptor,
                                                const PosixOwner& owner, const SidMap& map = {});

}  // namespace smb3d::dtyp
