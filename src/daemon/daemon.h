// Daemon: the process: threads, engine, listeners, signals, reload.
//
// Purpose: puts the folders together in the order in which they need each other, and takes them
// apart the other way round. Thread: the control thread (the one that calls start and run). Signals
// must be blocked before start (block_signals). Lifetime: one a process. Errors: start: a sentence.
// run: the exit code.
#pragma once

#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/local_authority.h"
#include "base/buffer_pool.h"
#include "base/heap.h"
#include "daemon/admin_commands.h"
#include "daemon/admin_socket.h"
#include "daemon/config_file.h"
#include "daemon/directories.h"
#include "daemon/listeners.h"
#include "daemon/plugin_loader.h"
#include "daemon/server_view.h"
#include "daemon/shares.h"
#include "daemon/systemd_notify.h"
#include "loop/loop.h"
#include "loop/worker_pool.h"
#include "transport/socket/socket_transport.h"

namespace smb3d::daemon {

inline std::string socket_path(const Config& config) { return config.runtime_dir + "/smb3d.sock"; }
inline std::string account_path(const Config& config) {
    return config.state_dir + "/accounts.toml";
}

void apply_log_levels(const Config& config);
// The control thread's signals, for the whole process; SIGPIPE is ignored.
void block_signals();

class Daemon final : public Control {
  public:
    using Load = std::function<LoadedConfig()>;  // reads the configuration again

    // `config_file` is for display.
    static std::expected<std::unique_ptr<Daemon>, std::string> start(
        std::shared_ptr<const Config> config, Load load, std::string config_file);
    ~Daemon() override;

    // Serves until SIGTERM or SIGINT.
    int run();

    engine::Server& server() override { return *server_; }
    DaemonStatus status() override;
    std::shared_ptr<const Config> config() override { return config_; }
    ReloadReport reload() override;
    std::string accounts_changed() override;

  private:
    Daemon(std::shared_ptr<const Config> config, Load load, std::string config_file);

    std::expected<void, std::string> open_directories();
    std::expected<void, std::string> start_threads();
    std::expected<void, std::string> choose_crypto();
    std::expected<void, std::string> start_server();
    std::expected<void, std::string> start_listening();
    std::unique_ptr<loop::EventLoop> make_loop(unsigned index, std::string& problem);
    std::shared_ptr<const engine::ServerConfig> server_config(const Config& config,
                                                              Shares::Policies shares) const;
    std::expected<std::shared_ptr<const auth::LocalAuthority>, std::string> make_authority(
        const Config& config) const;
    std::vector<Loop*> loop_pointers() const;

    ReloadReport apply(const Config& wanted);
    void note_reload(const ReloadReport& report);
    void tell_interfaces();
    void handle_signal(int fd);
    void tick(std::chrono::steady_clock::time_point now);
    bool loops_turn();
    std::string status_line();
    int poll_timeout_ms(bool admin_clients) const;
    void stop();
    void open_store();

    std::shared_ptr<const Config> config_;
    Load load_;
    std::string config_file_;
    std::string last_reload_;
    std::array<std::uint8_t, 16> guid_{};
    std::optional<InstanceLock> lock_;
    SystemdNotify notify_;

    // In the order of construction; stop() releases them in the opposite one.
    std::unique_ptr<SizedBufferPool> buffers_;
    loop::WorkerThreads workers_;
    unsigned worker_count_{0};
    crypto::Choice crypto_;
    std::vector<std::unique_ptr<loop::EventLoop>> loops_;
    std::vector<std::unique_ptr<loop::LoopThread>> loop_threads_;
    PluginLoader plugins_;
    std::unique_ptr<Shares> shares_;
    std::shared_ptr<DaemonView> view_;
    std::shared_ptr<const auth::LocalAuthority> authority_;
    std::shared_ptr<durable::Store> store_;
    std::unique_ptr<engine::Server> server_;
    transport::SocketTransport transport_;
    std::unique_ptr<Listeners> listeners_;
    AdminCommands commands_{*this};
    AdminSocket admin_;

    HeapTrimmer heap_;
    InterfaceWatch interfaces_;
    std::shared_ptr<const engine::NetworkInterfaces> told_interfaces_;

    bool stopping_{false};
    std::vector<std::uint64_t> turns_;  // of each loop, when last seen
    std::chrono::steady_clock::time_point next_ping_{};
    std::chrono::steady_clock::time_point next_status_{};
};

}  // namespace smb3d::daemon
