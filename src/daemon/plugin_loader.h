// PluginLoader: back ends from shared objects.
//
// Thread: the control thread.  Lifetime: a plug-in is loaded once and never unloaded, since its
// code may be on any stack. Errors: sentences for the administrator.
#pragma once

#include <expected>
#include <map>
#include <string>

#include "smb3d/plugin.h"

namespace smb3d::daemon {

class PluginLoader {
  public:
    std::expected<void, std::string> load(const std::string& path);
    const Plugin* find(const std::string& name) const;

  private:
    std::map<std::string, const Plugin*> plugins_;
};

// "" if a plug-in of this version may be used by this daemon.
std::string version_problem(const Plugin& plugin);

}  // namespace smb3d::daemon
