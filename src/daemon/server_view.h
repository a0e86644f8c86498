// What the RPC services on IPC$ tell about the server: pipe::ServerView over engine::Server.
//
// Thread: any worker; bind() and unbind() on the control thread, while no request runs.
// Lifetime: the pipe share holds it; between unbind() and its end it answers with empty lists.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "base/guarded.h"
#include "engine/server.h"
#include "pipe/server_view.h"

namespace smb3d::daemon {

class DaemonView final : public pipe::ServerView {
  public:
    void bind(engine::Server& server) { server_.store(&server, std::memory_order_release); }
    void unbind() { server_.store(nullptr, std::memory_order_release); }
    // For RPC binds that authenticate themselves.
    void set_authority(std::shared_ptr<const auth::Authority> authority) {
        *authority_.lock() = std::move(authority);
    }

    pipe::ServerIdentity identity() const override;
    std::vector<pipe::ShareEntry> shares(const Caller& caller) const override;
    std::vector<pipe::SessionEntry> sessions() const override;
    std::vector<pipe::ConnectionEntry> connections() const override;
    std::vector<pipe::OpenEntry> opens() const override;
    bool close_open(std::uint32_t id) const override;
    std::size_t end_sessions(const std::string& client, const std::string& user) const override;
    std::shared_ptr<const auth::Authority> authority() const override { return *authority_.lock(); }

  private:
    engine::Server* server() const { return server_.load(std::memory_order_acquire); }
    std::atomic<engine::Server*> server_{nullptr};
    Guarded<std::shared_ptr<const auth::Authority>, Rank::leaf> authority_;
};

}  // namespace smb3d::daemon
