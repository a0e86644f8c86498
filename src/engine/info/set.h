// Information classes that can be set: one row a class.
//
// Spec: [MS-SMB2] 3.3.5.21, [MS-FSCC] 2.4, [MS-FSA] 2.1.5.15.
// Thread: the request's loop.
#pragma once

#include <cstdint>

#include "engine/request.h"

namespace smb3d::engine {

struct InfoSetRow {
    std::uint8_t info_class;
    std::uint32_t access;  // what the open must have been granted
    Task<NtStatus> (*set)(Call& call, Bytes input);
};

// Null: the class cannot be set here.
const InfoSetRow* find_file_set(std::uint8_t info_class);

// -- in files of their own
Task<NtStatus> set_rename(Call& call, Bytes input);  // set_rename.cpp
Task<NtStatus> set_rename_ex(Call& call, Bytes input);
Task<NtStatus> set_link(Call& call, Bytes input);
Task<NtStatus> set_link_ex(Call& call, Bytes input);
Task<NtStatus> set_disposition(Call& call, Bytes input);  // set_disposition.cpp
Task<NtStatus> set_disposition_ex(Call& call, Bytes input);

}  // namespace smb3d::engine
