// Listeners: the addresses that the server listens on, changed as a difference.
//
// Thread: the control thread; the loops must be running.  Accepting runs on the loops.
// Lifetime: stop_all() before it is destroyed; loops outlive it.
// Errors: sentences for the administrator, from the transport.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/interface_watch.h"
#include "smb3d/loop.h"
#include "smb3d/transport.h"

namespace smb3d::daemon {

class Listeners {
  public:
    Listeners(transport::Transport& transport, std::vector<Loop*> loops, transport::Limits limits,
              transport::AdmitFunction admit, transport::AcceptFunction accept);
    Listeners(const Listeners&) = delete;
    Listeners& operator=(const Listeners&) = delete;
    ~Listeners();

    // Listens on those of `addresses` that are new; what failed is told.  Nothing is closed.
    std::vector<std::string> open_new(const std::vector<std::string>& addresses);
    // Stops listening on what is not in `addresses`; returns what was closed.
    std::vector<std::string> close_others(const std::vector<std::string>& addresses);
    void stop_all() { close_others({}); }

    bool has(const std::string& address) const { return open_.contains(address); }
    std::vector<std::string> addresses() const;  // as the system has them
    std::vector<ServedAddress> served() const;

  private:
    struct Open {
        Loop* loop;
        std::unique_ptr<transport::Listener> listener;
    };
    transport::Transport& transport_;
    std::vector<Loop*> loops_;
    transport::Limits limits_;
    transport::AdmitFunction admit_;
    transport::AcceptFunction accept_;
    std::map<std::string, Open> open_;
    std::size_t next_loop_{0};
};

}  // namespace smb3d::daemon
