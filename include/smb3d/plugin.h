// Plug-ins: a VFS back end or a transport in a shared object, loaded by the daemon at start.
//
// A plug-in exports one symbol, `smb3d_plugin`, of type Plugin.  The daemon refuses it unless the
// version is its own.  A minor version only adds virtual functions at the end of a class, fields at
// the end of a struct, or enumerators: a plug-in then builds unchanged, but it has to be built,
// since what was added is called on its objects. Lifetime: loaded once, never unloaded.  Thread:
// the factories are called on the control thread.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>

#include "smb3d/transport.h"
#include "smb3d/vfs.h"

namespace smb3d {

inline constexpr std::uint32_t api_major = 1;
inline constexpr std::uint32_t api_minor = 3;
inline constexpr const char* plugin_symbol = "smb3d_plugin";

// A share's own table from the configuration (`[share.NAME.backend]`): key -> value as text.
using PluginOptions = std::map<std::string, std::string>;

struct Plugin {
    std::uint32_t major{api_major};
    std::uint32_t minor{api_minor};
    const char* name{nullptr};
    // Either may be null.  The error is a sentence for the administrator.
    std::expected<std::shared_ptr<vfs::Share>, std::string> (*make_share)(
        const std::string& path, const PluginOptions& options){nullptr};
    std::expected<std::unique_ptr<transport::Transport>, std::string> (*make_transport)(
        const PluginOptions& options){nullptr};
};

}  // namespace smb3d
