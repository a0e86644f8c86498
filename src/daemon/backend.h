// The built-in back end for a share of the configuration.
//
// Thread: the control thread.  Errors: a sentence for the administrator.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "daemon/config.h"
#include "smb3d/vfs.h"

namespace smb3d::daemon {

std::expected<std::shared_ptr<vfs::Share>, std::string> make_file_backend(const ShareConfig& share);

}  // namespace smb3d::daemon
