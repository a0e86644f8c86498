// Config: everything that the configuration file says, typed; and where each value came from.
//
// Purpose: what the loader (config_file.h) makes, the daemon runs on, and `smb3dctl config show`
// prints. Thread: immutable once loaded, shared as `shared_ptr<const Config>`. Lifetime: a reload
// makes a new one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "crypto/provider.h"
#include "daemon/interface_watch.h"
#include "daemon/toml_reader.h"
#include "engine/config.h"

namespace smb3d::daemon {

enum class IoMethod : std::uint8_t { automatic, uring, epoll };
enum class LogTarget : std::uint8_t { automatic, standard_error, journal };
enum class Signing : std::uint8_t { offered, required };
enum class Symlinks : std::uint8_t { inside, never };
enum class HostChanges : std::uint8_t { watch, none };

struct ShareConfig {
    std::string name;
    std::string path;
    std::string comment;
    bool hidden{};
    bool read_only{};
    bool encrypt{};
    bool guest{};
    bool anonymous{};
    std::vector<std::string> users;
    std::vector<std::string> deny_users;
    std::vector<std::string> read_only_users;
    bool access_based_enumeration{};
    engine::OfflineCaching caching{};
    bool oplocks{};
    bool level2_oplocks_only{};
    bool directory_leases{};
    bool continuous_availability{};
    std::uint32_t max_connections{};
    bool case_sensitive{};
    Symlinks symlinks{};
    std::uint32_t file_mode{};
    std::uint32_t directory_mode{};
    bool hide_dot_files{};
    HostChanges host_changes{};
    bool kernel_leases{};
    bool posix_locks{};
    std::string force_user;  // empty: files are accessed as the user who is logged on
    std::string plugin;      // empty: the built-in POSIX back end
    std::map<std::string, std::string> options;  // for the plug-in
    Place place;                                 // its table in the file, for messages
};

// One value as it is in force, for the administrator.
struct Setting {
    std::string path;    // "server.listen", "share.photos.path"
    std::string value;   // as TOML
    std::string source;  // "default" or "FILE:LINE"
    bool reloadable{};
};

struct Config {
    std::vector<std::string> listen;
    std::string state_dir;
    std::string runtime_dir;
    std::string name;  // NetBIOS name; empty: the host's
    std::string workgroup;
    std::string comment;
    engine::Dialect min_dialect{};
    engine::Dialect max_dialect{};
    bool multi_protocol_negotiate{};
    Signing signing{};
    engine::Encryption encryption{};
    std::vector<engine::Cipher> ciphers;
    std::vector<engine::SigningAlgorithm> signing_algorithms;
    std::uint32_t max_connections{};
    std::uint32_t max_connections_per_address{};
    std::uint32_t max_sessions{};
    std::uint32_t max_open_files{};
    bool multichannel{};
    std::uint32_t max_channels{};
    InterfaceRules interfaces;
    bool leases{};
    bool directory_leases{};
    std::uint32_t max_directory_leases{};
    std::uint64_t oplock_break_timeout_ms{};
    std::uint64_t durable_timeout_ms{};
    std::uint32_t max_disconnected_opens{};
    std::uint64_t authentication_timeout_ms{};
    std::uint64_t idle_session_timeout_ms{};
    std::uint64_t stop_timeout_ms{};
    std::uint32_t loops{};    // 0: one a core
    std::uint32_t workers{};  // 0: by the number of cores
    IoMethod io{};
    crypto::Preference crypto_provider{};
    std::uint64_t max_memory{};
    std::uint64_t max_transact{};
    std::uint32_t max_credits{};
    std::uint32_t copy_max_chunks{};
    std::uint64_t copy_max_chunk_size{};
    std::uint64_t copy_max_request_size{};

    bool guest{};
    bool anonymous{};
    std::string guest_account;
    std::uint32_t failed_logon_burst{};
    std::uint32_t failed_logons_per_minute{};

    log::Level log_level{};
    std::map<std::string, log::Level> log_components;
    LogTarget log_target{};

    std::vector<std::string> plugins;  // shared objects to load

    std::vector<ShareConfig> shares;  // in the order of their folded names
    std::vector<Setting> settings;
};

}  // namespace smb3d::daemon
