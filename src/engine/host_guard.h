// Host guards: what local programs and NFS may not do unnoticed to a file that clients cache.
//
// Purpose: before a client is allowed to cache, the back end guards the file (vfs::File::guard);
//   no more is granted than is guarded.  When somebody on the host wants the file, what clients
//   cache is broken like for another client, and he waits until they have given it up.
// Spec: none; [MS-FSA] 2.1.4.12 for what a break does.
// Thread: take() on the request's loop; the listener on any thread, what waits for breaks on
//   whatever thread ends them; close() on the control thread.
// Lifetime: the server's.  A listener outlives the server if a back end still calls it: it is then
//   closed and does nothing.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/guarded.h"
#include "engine/caller_count.h"
#include "engine/open.h"
#include "engine/task.h"
#include "fsa/file.h"
#include "smb3d/vfs.h"

namespace smb3d::engine {

class ServerImpl;
class HostGuards;

// Of one share.
class HostGuardListener final : public vfs::GuardListener {
  public:
    HostGuardListener(HostGuards& guards, fsa::ShareId store, std::weak_ptr<vfs::Share> share)
        : guards_(guards), store_(store), share_(std::move(share)) {}
    void guard_broken(vfs::FileId file, vfs::GuardState state) override;
    // After it returns nothing reaches the server.  May wait for a call under way; not on a loop.
    void close() { callers_.close(); }

  private:
    HostGuards& guards_;
    const fsa::ShareId store_;
    const std::weak_ptr<vfs::Share> share_;
    CallerCount callers_;
};

class HostGuards {
  public:
    explicit HostGuards(ServerImpl& server) : server_(server) {}

    // Guards the open's file so that `wanted` may be cached, if that can be had.  True: no more
    // than the file's guard allows may be granted (CacheRequest::guarded); false: the share has no
    // guards, or wants none.
    Task<bool> take(Open& open, const vfs::OpContext& op, fsa::CacheState wanted);

    // What clients cache is beyond what is guarded now.
    void break_caches(const std::shared_ptr<vfs::Share>& share, const fsa::FileKey& key,
                      vfs::GuardState state);
    void close();

  private:
    // Somebody on the host who waits for clients.
    struct Waiting;
    std::shared_ptr<HostGuardListener> listener_for(const Tree& tree);
    void go_on(Waiting& waiting);
    void forget(Waiting& waiting);

    ServerImpl& server_;
    // By back end.
    Guarded<std::unordered_map<const vfs::Share*, std::shared_ptr<HostGuardListener>>, Rank::leaf>
        listeners_;
    Guarded<std::unordered_map<Waiting*, std::shared_ptr<Waiting>>, Rank::leaf> waiting_;
};

}  // namespace smb3d::engine
