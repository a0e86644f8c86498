// AdminCommands: what smb3dctl can ask for, as JSON in and JSON out.
//
// Request: {"command": "session.list", "arguments": {...}}
// Reply: {"schema_version": 1, "ok": true, "result": ...} or {"schema_version": 1, "ok": false,
// "error": "sentence"} Thread: the control thread.  Errors: in the reply; nothing is thrown.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "engine/server.h"

namespace smb3d::daemon {

inline constexpr int admin_schema_version = 1;

struct ReloadReport {
    bool ok{false};
    std::vector<std::string>
        errors;  // why it was refused; then the running configuration is as it was
    std::vector<std::string> changes;
    std::vector<std::string> warnings;  // applied, but
};

struct DaemonStatus {
    std::string version;
    int pid{0};
    std::string io;  // "io_uring", "epoll"
    std::size_t loops{0};
    std::size_t workers{0};
    std::vector<std::string> listen;
    std::vector<std::string> crypto;  // "AES-128-GCM OpenSSL 4.9 GiB/s"
    std::uint64_t buffer_bytes{0};
    std::uint64_t buffer_ceiling{0};
    std::uint64_t handle_record_failures{0};  // of persistent handles, since the start
    std::uint64_t handle_records_owed{0};     // at present: tried again until the disk takes them
    std::string config_file;
    std::string last_reload;  // "" or what the last one said
};

// What the commands act on; the daemon, or a test's own.
class Control {
  public:
    virtual ~Control() = default;
    virtual engine::Server& server() = 0;
    virtual DaemonStatus status() = 0;
    virtual std::shared_ptr<const Config> config() = 0;
    virtual ReloadReport reload() = 0;
    // Reads the accounts anew; the error is a sentence, "" if it went well.
    virtual std::string accounts_changed() = 0;
};

class AdminCommands {
  public:
    explicit AdminCommands(Control& control) : control_(control) {}
    // One request, without its newline; the reply is one line, without a newline.
    std::string run(const std::string& request);

  private:
    Control& control_;
};

// FILETIME as RFC 3339 in UTC; "" for 0.
std::string time_text(std::uint64_t filetime);

}  // namespace smb3d::daemon
