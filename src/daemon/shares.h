// Shares: from the configuration's share tables to the engine's policies, with their back ends.
//
// Purpose: a reload makes a new set, but a share whose table did not change keeps its SharePolicy,
// and one whose directory
//   and back-end options did not change keeps its back end: sessions on them notice nothing.
// Thread: the control thread; the loops must be running (back ends are attached to each).
// Lifetime: release() when the server has stopped; plug-ins and loops outlive it.
// Errors: a share that cannot be served is left out, with a sentence.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/plugin_loader.h"
#include "smb3d/loop.h"
#include "smb3d/vfs.h"

namespace smb3d::daemon {

class Shares {
  public:
    using Policies = std::map<std::string, std::shared_ptr<const engine::SharePolicy>>;

    Shares(std::vector<Loop*> loops, const PluginLoader& plugins)
        : loops_(std::move(loops)), plugins_(plugins) {}
    Shares(const Shares&) = delete;
    Shares& operator=(const Shares&) = delete;

    // IPC$ with this back end is part of every set.
    void set_pipe_backend(std::shared_ptr<vfs::Share> backend);

    // `problems` gets a sentence for each share left out.
    Policies build(const std::vector<ShareConfig>& shares, std::vector<std::string>& problems);
    // Detaches and drops the back ends of former sets that nobody uses any more.
    void collect();
    void release();

  private:
    struct Mounted {
        ShareConfig config;
        std::shared_ptr<vfs::Share> backend;
        std::shared_ptr<const engine::SharePolicy> policy;
    };
    std::expected<std::shared_ptr<vfs::Share>, std::string> make_backend(
        const ShareConfig& share) const;
    void attach(vfs::Share& backend);
    void detach(vfs::Share& backend);

    std::vector<Loop*> loops_;
    const PluginLoader& plugins_;
    std::shared_ptr<vfs::Share> pipe_;
    std::shared_ptr<const engine::SharePolicy> pipe_policy_;
    std::map<std::string, Mounted> mounted_;  // by folded name
    std::vector<std::shared_ptr<vfs::Share>> retired_;
};

// True if both are served by the same back end.
bool same_backend(const ShareConfig& a, const ShareConfig& b);
bool same_policy(const ShareConfig& a, const ShareConfig& b);

}  // namespace smb3d::daemon
