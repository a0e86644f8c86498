#include "daemon/plugin_loader.h"

#include <dlfcn.h>

#include <fmt/core.h>

namespace smb3d::daemon {

std::string version_problem(const Plugin& plugin) {
    if (plugin.major != api_major || plugin.minor != api_minor) {
        return fmt::format("was built for version {}.{} of the plug-in API; this smb3d has {}.{}",
                           plugin.major, plugin.minor, api_major, api_minor);
    }
    if (plugin.name == nullptr || *plugin.name == '\0') return "has no name";
    return "";
}

std::expected<void, std::string> PluginLoader::load(const std::string& path) {
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return std::unexpected(fmt::format("plug-in {}", ::dlerror()));
    const auto* plugin = static_cast<const Plugin*>(::dlsym(handle, plugin_symbol));
    std::string problem = plugin == nullptr ? fmt::format("does not export {}", plugin_symbol)
                                            : version_problem(*plugin);
    if (problem.empty() && !plugins_.emplace(plugin->name, plugin).second) {
        problem = fmt::format("has the name \"{}\", which another one has", plugin->name);
    }
    if (!problem.empty()) {
        ::dlclose(handle);
        return std::unexpected(fmt::format("plug-in {} {}", path, problem));
    }
    return {};
}

const Plugin* PluginLoader::find(const std::string& name) const {
    const auto it = plugins_.find(name);
    return it == plugins_.end() ? nullptr : it->second;
}

}  // namespace smb3d::daemon
