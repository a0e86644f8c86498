// Information classes that can be queried: one row a class.
//
// Spec: [MS-SMB2] 3.3.5.20, [MS-FSCC] 2.4, 2.5, [MS-FSA] 2.1.5.11, 2.1.5.12.
// Thread: the request's loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/request.h"
#include "smb3d/vfs.h"

namespace smb3d::engine {

// What a row's function writes from.
struct InfoQuery {
    Call& call;
    const Open& open;
    vfs::FileStat stat;
    vfs::VolumeInfo volume;  // file-system classes only
};

struct InfoQueryRow {
    std::uint8_t info_class;
    std::uint32_t access;  // what the open must have been granted
    // Appends the structure to `out`.
    Result<void> (*fill)(const InfoQuery& query, std::vector<std::byte>& out);
};

// Null: the class cannot be queried here.
const InfoQueryRow* find_file_query(std::uint8_t info_class);
const InfoQueryRow* find_fs_query(std::uint8_t info_class);

}  // namespace smb3d::engine
