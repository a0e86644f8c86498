// The IPC$ share: named pipes with RPC services behind them, as a vfs::Share like any other.
//
// Purpose: READ, WRITE and IOCTL reach a pipe through vfs::File; the engine knows nothing of pipes.
// Spec: [MS-SMB2] 3.3.5.9 (pipe names), [MS-FSCC] 2.3.45 to 2.3.50 (FSCTL_PIPE_*),
// [MS-RPCE] 2.1.1.2 (RPC over SMB). Thread: as vfs.h says; each open pipe orders its own
// operations.  Calls run on the worker pool when the
//   OpContext has a loop, else inline.
// Lifetime: the share keeps the ServerView.
// Errors: a name that is not in the fixed table is OBJECT_NAME_NOT_FOUND, however it is spelled:
// names are compared,
//   never turned into paths (CVE-2017-7494, CVE-2023-3961).
#pragma once

#include <cstdint>
#include <memory>

#include "pipe/server_view.h"
#include "smb3d/vfs.h"

namespace smb3d::pipe {

// [MS-FSCC] 2.3: the control codes that a pipe answers.
inline constexpr std::uint32_t fsctl_pipe_peek = 0x0011400C;
inline constexpr std::uint32_t fsctl_pipe_wait = 0x00110018;
inline constexpr std::uint32_t fsctl_pipe_transceive = 0x0011C017;

// The pipes are `srvsvc`, `wkssvc`, and `lsarpc` (also as `lsass`).  The path "" opens the root,
// which takes FSCTL_PIPE_WAIT and nothing else.
std::shared_ptr<vfs::Share> make_pipe_share(std::shared_ptr<const ServerView> view);

}  // namespace smb3d::pipe
