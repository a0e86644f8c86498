// as_server: reads the server's own files as the server, whatever identity the thread wears.
//
// Purpose: loop and worker threads keep the file-system identity of the last caller whose files
//   they opened (vfs_posix/identity.h); the account file is root's alone.
// Thread: any; the thread's identity is as before when it returns.
// Errors: none; without the privilege to switch, nothing ever wears another identity.
#pragma once

#include <sys/fsuid.h>
#include <unistd.h>

namespace smb3d::auth {

// capabilities(7): with fsuid 0 the file-system capabilities are in effect again, so that groups
// do not matter.
template <class Function>
auto as_server(Function function) {
    const auto worn = static_cast<uid_t>(::setfsuid(::geteuid()));
    auto result = function();
    if (worn != ::geteuid()) ::setfsuid(worn);
    return result;
}

}  // namespace smb3d::auth
