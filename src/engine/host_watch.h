// Host watches: what local programs and NFS change in a directory that somebody watches.
//
// Purpose: keeps a vfs::Watch for each open that watches a directory, and reports what it tells as
//   change_report.h reports what requests do.
// Spec: none; to a client a change is a change.
// Thread: start() on the request's loop; the listener on any thread; close() on the control thread.
// Lifetime: the server's.  A listener outlives the server if a back end still calls it: it is then
//   closed and does nothing.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/guarded.h"
#include "engine/caller_count.h"
#include "engine/open.h"
#include "engine/task.h"
#include "fsa/change_notify.h"
#include "fsa/file.h"
#include "smb3d/vfs.h"

namespace smb3d::engine {

class ServerImpl;

// Reports changes of one share.
class HostListener final : public vfs::WatchListener {
  public:
    HostListener(ServerImpl& server, SharePlace place, fsa::WatchSource source)
        : server_(server), place_(std::move(place)), source_(source) {}
    void changed(std::span<const vfs::HostChange> changes) override;
    // After it returns nothing reaches the server.  May wait for a call under way; not on a loop.
    void close() { callers_.close(); }

  private:
    void report(const vfs::HostChange& change);

    ServerImpl& server_;
    const SharePlace place_;
    const fsa::WatchSource source_;
    CallerCount callers_;
};

class HostWatches {
  public:
    explicit HostWatches(ServerImpl& server) : server_(server) {}

    // Watches the directory of an open for as long as that is open; to be called by whatever wants
    // to know (further calls do nothing, unless they want the tree for the first time).  Failure
    // only means that the host's changes are not seen.
    Task<bool> start(const std::shared_ptr<Open>& open, const vfs::OpContext& op, bool tree);
    static void stop(Open& open);
    void close();

  private:
    std::shared_ptr<HostListener> listener_for(const Tree& tree);

    ServerImpl& server_;
    Guarded<std::unordered_map<fsa::WatchSource, std::shared_ptr<HostListener>>, Rank::leaf>
        listeners_;
};

}  // namespace smb3d::engine
