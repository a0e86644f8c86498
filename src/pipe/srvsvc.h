// The operations of the Server Service, by group; srvsvc.cpp has the table.
//
// Spec: [MS-SRVS] 3.1.4.
// Thread: any (no state).
// Errors: Fault::bad_stub_data for parameters that cannot be read; all else is in the reply.
#pragma once

#include <string>
#include <vector>

#include "pipe/interface.h"

namespace smb3d::pipe::srvsvc {

// srvsvc_share.cpp
Fault share_add(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault share_enum(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault share_enum_sticky(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault share_get_info(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault share_set_info(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault share_del(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault share_check(Call& call, ndr::Reader& in, ndr::Writer& out);

// srvsvc_use.cpp
Fault connection_enum(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault file_enum(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault file_get_info(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault file_close(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault session_enum(Call& call, ndr::Reader& in, ndr::Writer& out);
Fault session_del(Call& call, ndr::Reader& in, ndr::Writer& out);

// [MS-SRVS] 2.2.2.4 share types.
enum ShareType : std::uint32_t {
    stype_disktree = 0x00000000,
    stype_ipc = 0x00000003,
    stype_special = 0x80000000,
};
inline std::uint32_t share_type(bool ipc, std::string_view name) {
    const bool special = !name.empty() && name.back() == '$';
    return (ipc ? stype_ipc : stype_disktree) | (special ? stype_special : 0U);
}

// Someone with an account: not a guest, not anonymous.
inline bool authenticated(const Caller& caller) { return !caller.guest && !caller.anonymous; }

}  // namespace smb3d::pipe::srvsvc
