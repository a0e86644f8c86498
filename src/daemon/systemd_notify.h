// SystemdNotify: readiness, reloading, stopping, status and the watchdog.
//
// Thread: the control thread.  Without systemd ($NOTIFY_SOCKET) everything is a no-op.
// Errors: none; systemd's own time limits notice a message that is lost.
#pragma once

#include <cstdint>
#include <string>

namespace smb3d::daemon {

class SystemdNotify {
  public:
    SystemdNotify();
    void ready(const std::string& status) const;
    void reloading() const;
    void stopping() const;
    void status(const std::string& text) const;
    void alive() const;  // the watchdog's ping
    // How often to ping, in milliseconds; 0: no watchdog wanted.
    std::uint64_t interval_ms() const { return interval_ms_; }

  private:
    std::uint64_t interval_ms_{0};
};

// True if standard error is a stream to the journal ($JOURNAL_STREAM names it).
bool stderr_is_journal();

}  // namespace smb3d::daemon
