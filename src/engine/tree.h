// Tree: a session's connection to a share.
//
// Spec: [MS-SMB2] 3.3.1.9 (Per Tree Connect).
// Thread: immutable but for counters; any.
// Lifetime: its Session's table; opens and requests hold references, so a tree may outlive its
//   disconnect for as long as the last of them runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/config.h"
#include "engine/share_place.h"
#include "engine/statistics.h"

namespace smb3d::engine {

struct Tree {
    std::uint32_t id{0};
    std::shared_ptr<const SharePolicy> policy;
    vfs::Capabilities capabilities;  // of the back end, asked once
    SharePlace place;
    std::uint32_t maximal_access{0};  // [MS-SMB2] 2.2.10
    // SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY: persistent handles are granted
    bool continuously_available{false};
    bool encrypt{false};                      // requests in the clear are refused
    std::uint64_t connected_at{0};            // FILETIME
    std::shared_ptr<ShareActivity> activity;  // null in tests without a server
    std::atomic<bool> ended{false};           // disconnected: no new open

    bool read_only() const { return (maximal_access & 0x2) == 0; }  // no FILE_WRITE_DATA
};

}  // namespace smb3d::engine
