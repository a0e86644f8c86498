#include "daemon/daemon.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "base/log.h"
#include "daemon/config_schema.h"
#include "daemon/reload.h"
#include "pipe/pipe_share.h"

namespace smb3d::daemon {

namespace {

using std::chrono::steady_clock;
constexpr auto component = log::Component::daemon;

::sigset_t control_signals() {
    ::sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
    return set;
}

unsigned cores() { return std::max(1U, std::thread::hardware_concurrency()); }

std::uint32_t open_file_limit(const Config& config) {
    // Two descriptors a file at most (its data, and the lease on them while clients cache), one a
    // connection, and the process's own.
    const std::uint64_t wanted = 2ULL * config.max_open_files + config.max_connections + 1024;
    const std::uint64_t have = raise_file_limit(wanted);
    return have < wanted ? open_files_that_fit(have, config.max_open_files) : config.max_open_files;
}

}  // namespace

void block_signals() {
    const ::sigset_t set = control_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

void apply_log_levels(const Config& config) {
    for (std::size_t i = 0; i < log::component_count; ++i) {
        const auto which = static_cast<log::Component>(i);
        const auto own = config.log_components.find(std::string(log::component_name(which)));
        log::set_level(which, own == config.log_components.end() ? config.log_level : own->second);
    }
}

Daemon::Daemon(std::shared_ptr<const Config> config, Load load, std::string config_file)
    : config_(std::move(config)), load_(std::move(load)), config_file_(std::move(config_file)) {}

Daemon::~Daemon() { stop(); }

std::expected<std::unique_ptr<Daemon>, std::string> Daemon::start(
    std::shared_ptr<const Config> config, Load load, std::string config_file) {
    std::unique_ptr<Daemon> daemon(
        new Daemon(std::move(config), std::move(load), std::move(config_file)));
    using Step = std::expected<void, std::string> (Daemon::*)();
    for (const Step step : {&Daemon::open_directories, &Daemon::start_threads,
                            &Daemon::start_server, &Daemon::start_listening}) {
        if (auto done = (daemon.get()->*step)(); !done) return std::unexpected(done.error());
    }
    return daemon;
}

std::expected<void, std::string> Daemon::open_directories() {
    if (auto made = ensure_directory(config_->runtime_dir, 0755); !made) return made;
    if (auto made = ensure_directory(config_->state_dir, 0700); !made) return made;
    auto lock = InstanceLock::take(config_->runtime_dir + "/smb3d.pid");
    if (!lock) return std::unexpected(lock.error());
    lock_.emplace(std::move(*lock));
    auto guid = server_guid(config_->state_dir + "/server.guid");
    if (!guid) return std::unexpected(guid.error());
    guid_ = *guid;
    if (const std::uint32_t fit = open_file_limit(*config_); fit < config_->max_open_files) {
        log::info(component,
                  "the system allows file descriptors for {} open files only, not for the {} of "
                  "server.max_open_files",
                  fit, config_->max_open_files);
    }
    const auto guarded = [](const ShareConfig& share) { return share.kernel_leases; };
    const std::uint64_t patience = lease_break_time_ms();
    if (patience != 0 && patience <= config_->oplock_break_timeout_ms &&
        std::any_of(config_->shares.begin(), config_->shares.end(), guarded)) {
        log::warn(component,
                  "a local program that opens what a client caches waits for {} s only "
                  "(/proc/sys/fs/lease-break-time), the client has server.oplock_break_timeout to "
                  "write back: the latter should be shorter",
                  patience / 1000);
    }
    // Modes of what clients create are the shares' own (file_mode, directory_mode).
    ::umask(0);
    return {};
}

std::unique_ptr<loop::EventLoop> Daemon::make_loop(unsigned index, std::string& problem) {
    loop::LoopOptions options;
    options.buffers = buffers_.get();
    options.pool = &workers_;
    options.trimmed = index == 0 ? buffers_.get() : nullptr;
    if (config_->io != IoMethod::epoll) {
        std::string why_not;
        if (loop::uring_works(why_not)) {
            if (auto made = loop::make_uring_loop(index, options, why_not)) return made;
        }
        if (config_->io == IoMethod::uring) {
            problem = fmt::format("server.io = \"uring\": {}", why_not);
            return nullptr;
        }
        if (index == 0)
            log::info(component, "io_uring is not to be had, taking epoll: {}", why_not);
    }
    return loop::make_epoll_loop(index, options, problem);
}

std::expected<void, std::string> Daemon::start_threads() {
    BufferPoolOptions pool;
    pool.ceiling = config_->max_memory;
    pool.shared_cache = std::min<std::size_t>(pool.shared_cache, config_->max_memory / 4);
    buffers_ = std::make_unique<SizedBufferPool>(pool);
    const unsigned workers = config_->workers != 0 ? config_->workers : std::max(8U, 4 * cores());
    worker_count_ = workers_.start(workers, "worker");
    if (worker_count_ == 0) return std::unexpected("cannot start worker threads");
    const unsigned count = config_->loops != 0 ? config_->loops : cores();
    for (unsigned i = 0; i < count; ++i) {
        std::string problem;
        auto made = make_loop(i, problem);
        if (!made) return std::unexpected(fmt::format("cannot make an event loop: {}", problem));
        loops_.push_back(std::move(made));
    }
    for (unsigned i = 0; i < count; ++i) {
        loop_threads_.push_back(std::make_unique<loop::LoopThread>());
        loop_threads_.back()->start(*loops_[i], fmt::format("loop {}", i));
    }
    turns_.assign(count, 0);
    return {};
}

std::vector<Loop*> Daemon::loop_pointers() const {
    std::vector<Loop*> all;
    for (const auto& loop : loops_) all.push_back(loop.get());
    return all;
}

std::expected<std::shared_ptr<const auth::LocalAuthority>, std::string> Daemon::make_authority(
    const Config& config) const {
    const std::string host = host_name();
    auth::AuthOptions options;
    options.netbios_name = netbios_name_of(config.name.empty() ? host : config.name);
    options.dns_name = host;
    options.guest_account = config.guest_account;
    options.allow_guest = config.guest;
    options.allow_anonymous = config.anonymous;
    options.failed_logon_burst = config.failed_logon_burst;
    options.failed_logons_per_minute = config.failed_logons_per_minute;
    auto made = auth::LocalAuthority::create(account_path(config), std::move(options));
    if (!made) return std::unexpected(made.error());
    return std::shared_ptr<const auth::LocalAuthority>(std::move(*made));
}

std::shared_ptr<const engine::ServerConfig> Daemon::server_config(const Config& config,
                                                                  Shares::Policies shares) const {
    auto made = std::make_shared<engine::ServerConfig>();
    const std::string host = host_name();
    made->guid = guid_;
    made->netbios_name = netbios_name_of(config.name.empty() ? host : config.name);
    made->dns_name = host;
    made->domain = config.workgroup;
    made->comment = config.comment;
    made->min_dialect = config.min_dialect;
    made->max_dialect = config.max_dialect;
    made->signing_required = config.signing == Signing::required;
    made->encryption = config.encryption;
    made->multi_protocol_negotiate = config.multi_protocol_negotiate;
    made->ciphers = config.ciphers;
    made->signing_algorithms = config.signing_algorithms;
    made->crypto = crypto_.provider;
    made->max_transact = static_cast<std::uint32_t>(config.max_transact);
    made->max_credits = static_cast<std::uint16_t>(config.max_credits);
    made->copy_max_chunks = config.copy_max_chunks;
    made->copy_max_chunk_size = static_cast<std::uint32_t>(config.copy_max_chunk_size);
    made->copy_max_request_size = static_cast<std::uint32_t>(config.copy_max_request_size);
    made->max_connections = config.max_connections;
    made->max_connections_per_address = config.max_connections_per_address;
    made->authentication_seconds = static_cast<std::uint32_t>(
        std::max<std::uint64_t>(1, config.authentication_timeout_ms / 1000));
    // Rounded up: a time limit below a minute is not "never".
    made->idle_session_minutes =
        static_cast<std::uint32_t>((config.idle_session_timeout_ms + 59999) / 60000);
    made->max_sessions = config.max_sessions;
    made->max_open_files = open_file_limit(config);
    made->multichannel = config.multichannel;
    made->max_channels_per_session = config.max_channels;
    made->leases = config.leases;
    made->directory_leases = config.directory_leases;
    made->max_directory_leases = config.max_directory_leases;
    made->oplock_break_seconds = static_cast<std::uint32_t>(
        std::max<std::uint64_t>(1, config.oplock_break_timeout_ms / 1000));
    made->persistent_handles = store_ != nullptr;
    made->durable_timeout_ms = static_cast<std::uint32_t>(config.durable_timeout_ms);
    made->max_disconnected_opens = config.max_disconnected_opens;
    made->shares = std::move(shares);
    return made;
}

std::expected<void, std::string> Daemon::choose_crypto() {
    auto choice = crypto::choose_provider(config_->crypto_provider);
    if (!choice) {
        return std::unexpected(
            "crypto.provider: the provider is not there: smb3d was built without it, or the "
            "processor lacks what it needs");
    }
    crypto_ = std::move(*choice);
    for (const crypto::Choice::Row& row : crypto_.rows) {
        log::info(component, "{} by {}: {:.1f} GiB/s a core", row.algorithm, row.provider,
                  row.gib_per_second);
    }
    return {};
}

std::expected<void, std::string> Daemon::start_server() {
    if (auto chosen = choose_crypto(); !chosen) return chosen;
    for (const std::string& path : config_->plugins) {
        if (auto loaded = plugins_.load(path); !loaded) return loaded;
    }
    auto authority = make_authority(*config_);
    if (!authority) return std::unexpected(authority.error());
    authority_ = std::move(*authority);
    open_store();
    shares_ = std::make_unique<Shares>(loop_pointers(), plugins_);
    view_ = std::make_shared<DaemonView>();
    view_->set_authority(authority_);
    shares_->set_pipe_backend(pipe::make_pipe_share(view_));
    std::vector<std::string> problems;
    auto policies = shares_->build(config_->shares, problems);
    for (const std::string& problem : problems) log::error(component, "{}", problem);
    server_ = engine::Server::create(loop_pointers(), server_config(*config_, std::move(policies)),
                                     authority_);
    view_->bind(*server_);
    if (store_) {
        server_->use_store(store_);
        const engine::RestoreReport report = server_->restore();
        if (report.restored + report.dropped != 0) {
            log::info(component, "{} persistent handles wait for their clients, {} are lost",
                      report.restored, report.dropped);
        }
    }
    return {};
}

// Without it the server serves, but gives nobody a persistent handle.
void Daemon::open_store() {
    durable::StoreOptions options;
    options.directory = config_->state_dir + "/handles";
    auto store = durable::Store::open(std::move(options));
    if (store) {
        store_ = std::move(*store);
    } else {
        log::error(component, "no persistent handles: {}", store.error());
    }
}

std::expected<void, std::string> Daemon::start_listening() {
    transport_ = transport::SocketTransport({.warn = [](const std::string& text) {
        log::warn(log::Component::transport, "{}", text);
    }});
    engine::Server* server = server_.get();
    listeners_ = std::make_unique<Listeners>(
        transport_, loop_pointers(), transport::Limits{},
        [server](const transport::Address& peer) { return server->admit(peer); },
        [server](std::unique_ptr<transport::Link> link) { server->adopt(std::move(link)); });
    const auto problems = listeners_->open_new(config_->listen);
    for (const std::string& problem : problems) log::error(component, "{}", problem);
    // A machine without IPv6 must come up on the default addresses.
    if (problems.size() == config_->listen.size()) return std::unexpected(problems.front());
    if (auto watched = interfaces_.open(); !watched) {
        log::warn(component, "clients will not learn of further addresses: {}", watched.error());
    }
    tell_interfaces();
    return admin_.open(socket_path(*config_),
                       [this](const std::string& request) { return commands_.run(request); });
}

// [MS-SMB2] 3.3.5.15.11: what clients that ask for the network interfaces are told from now on.
void Daemon::tell_interfaces() {
    auto list = std::make_shared<const engine::NetworkInterfaces>(
        list_interfaces(interfaces_.table(), config_->interfaces, listeners_->served(),
                        [](const std::string& name) { return read_hardware("/sys", name); }));
    if (told_interfaces_ && *told_interfaces_ == *list) return;
    for (const engine::NetworkInterface& entry : *list) {
        log::info(component, "multichannel: {} (interface {}, {} Mbit/s{}{})", address_text(entry),
                  entry.name, entry.speed / 1'000'000, entry.rss ? ", RSS" : "",
                  entry.rdma ? ", RDMA" : "");
    }
    told_interfaces_ = list;
    server_->set_interfaces(std::move(list));
}

DaemonStatus Daemon::status() {
    DaemonStatus status;
    status.version = SMB3D_VERSION;
    status.pid = ::getpid();
    status.io = loops_.front()->kind();
    status.loops = loops_.size();
    status.workers = worker_count_;
    status.listen = listeners_->addresses();
    const BufferPoolStats stats = buffers_->stats();
    status.buffer_bytes = stats.in_use + stats.cached;
    status.buffer_ceiling = buffers_->ceiling();
    if (store_) {
        const durable::StoreStatistics records = store_->statistics();
        status.handle_record_failures = records.failures;
        status.handle_records_owed = records.owed;
    }
    for (const crypto::Choice::Row& row : crypto_.rows) {
        status.crypto.push_back(
            fmt::format("{} {} {:.1f} GiB/s", row.algorithm, row.provider, row.gib_per_second));
    }
    status.config_file = config_file_;
    status.last_reload = last_reload_;
    return status;
}

std::string Daemon::accounts_changed() {
    const auto done = authority_->reload();
    return done ? "" : done.error();
}

ReloadReport Daemon::reload() {
    notify_.reloading();
    ReloadReport report;
    const LoadedConfig loaded = load_();
    if (loaded.config) {
        report = apply(*loaded.config);
    } else {
        for (const ConfigError& error : loaded.errors) report.errors.push_back(error.text());
    }
    note_reload(report);
    notify_.ready(status_line());
    return report;
}

// What can fail comes first; from the engine's reconfigure() on nothing does.
ReloadReport Daemon::apply(const Config& wanted) {
    ReloadReport report;
    const Difference difference = compare(*config_, wanted);
    auto config = std::make_shared<const Config>(in_force(*config_, wanted));

    std::shared_ptr<const auth::LocalAuthority> authority = authority_;
    if (difference.auth_changed) {
        auto made = make_authority(*config);
        if (!made) {
            report.errors.push_back(made.error());
            return report;
        }
        authority = std::move(*made);
    }
    report.errors = listeners_->open_new(config->listen);
    if (!report.errors.empty()) {
        listeners_->close_others(config_->listen);
        return report;
    }
    std::vector<std::string> left_out;
    auto policies = shares_->build(config->shares, left_out);
    report.warnings.insert(report.warnings.end(), left_out.begin(), left_out.end());
    report.changes = difference.lines();
    if (authority != authority_) {
        authority_ = std::move(authority);
        server_->set_authority(authority_);
        view_->set_authority(authority_);
    }
    const auto told = server_->reconfigure(server_config(*config, std::move(policies)));
    report.changes.insert(report.changes.end(), told.begin(), told.end());
    listeners_->close_others(config->listen);
    if (const auto problem = accounts_changed(); !problem.empty())
        report.warnings.push_back(problem);
    if (difference.log_changed) apply_log_levels(*config);
    config_ = std::move(config);
    tell_interfaces();
    shares_->collect();
    report.ok = true;
    return report;
}

void Daemon::note_reload(const ReloadReport& report) {
    for (const auto& line : report.changes) log::info(log::Component::config, "reload: {}", line);
    for (const auto& line : report.warnings) log::warn(log::Component::config, "reload: {}", line);
    for (const auto& line : report.errors) log::error(log::Component::config, "reload: {}", line);
    if (report.ok) {
        last_reload_ = fmt::format("applied, {} change(s)", report.changes.size());
        log::info(log::Component::config, "configuration reloaded: {} change(s)",
                  report.changes.size());
    } else {
        last_reload_ =
            fmt::format("refused: {}", report.errors.empty() ? "" : report.errors.front());
        log::error(log::Component::config,
                   "the new configuration has errors; the running one stays as it is");
    }
}

void Daemon::handle_signal(int fd) {
    ::signalfd_siginfo info{};
    if (::read(fd, &info, sizeof info) != static_cast<::ssize_t>(sizeof info)) return;
    if (info.ssi_signo == SIGHUP) {
        reload();
        return;
    }
    log::info(component, "stopping: {}", ::strsignal(static_cast<int>(info.ssi_signo)));
    stopping_ = true;
}

// True if every loop has turned since the last call: what the watchdog's ping vouches for.
bool Daemon::loops_turn() {
    bool all = true;
    for (std::size_t i = 0; i < loops_.size(); ++i) {
        const std::uint64_t now = loops_[i]->turns();
        if (now == turns_[i]) all = false;
        turns_[i] = now;
    }
    return all;
}

std::string Daemon::status_line() {
    const engine::Totals totals = server_->totals();
    return fmt::format("{} connections, {} sessions, {} open files", totals.connections,
                       totals.sessions, totals.opens);
}

void Daemon::tick(steady_clock::time_point now) {
    const auto interval = std::chrono::milliseconds(notify_.interval_ms());
    if (interval.count() > 0 && now >= next_ping_) {
        // A loop turns at least once a second; more often than that nothing can be said.
        if (loops_turn()) notify_.alive();
        next_ping_ =
            now + std::max<std::chrono::milliseconds>(interval, std::chrono::milliseconds(1500));
    }
    if (now >= next_status_) {
        notify_.status(status_line());
        shares_->collect();
        heap_.trim();
        next_status_ = now + std::chrono::seconds(30);
    }
}

int Daemon::poll_timeout_ms(bool admin_clients) const {
    if (admin_clients) return 1000;
    const bool watched = notify_.interval_ms() > 0;
    return watched ? static_cast<int>(std::min<std::uint64_t>(notify_.interval_ms(), 30000))
                   : 30000;
}

int Daemon::run() {
    const ::sigset_t set = control_signals();
    const int signals = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) {
        log::error(component, "cannot wait for signals: {}", std::strerror(errno));
        return 1;
    }
    for (const std::string& address : listeners_->addresses()) {
        log::info(component, "listening on {}", address);
    }
    log::info(component, "smb3d {} is ready: {} loops ({}), {} workers, {} shares", SMB3D_VERSION,
              loops_.size(), loops_.front()->kind(), worker_count_, config_->shares.size());
    notify_.ready(status_line());
    while (!stopping_) {
        // poll() passes over a descriptor of -1.
        std::vector<::pollfd> fds{{signals, POLLIN, 0}, {interfaces_.fd(), POLLIN, 0}};
        admin_.add_to(fds);
        const int ready = ::poll(fds.data(), fds.size(), poll_timeout_ms(fds.size() > 3));
        if (ready < 0 && errno != EINTR) break;
        if (ready > 0) {
            if (fds[0].revents != 0) handle_signal(signals);
            if (fds[1].revents != 0 && interfaces_.read()) tell_interfaces();
            if (!stopping_) admin_.handle(fds);
        }
        const auto now = steady_clock::now();
        admin_.expire(now);
        tick(now);
    }
    ::close(signals);
    stop();
    log::info(component, "stopped");
    return 0;
}

// Safe at any stage of start(), and twice.
void Daemon::stop() {
    notify_.stopping();
    admin_.close();
    interfaces_.close();
    if (listeners_) {
        listeners_->stop_all();
        listeners_.reset();
    }
    if (server_) {
        server_->stop(std::chrono::milliseconds(config_->stop_timeout_ms));
        view_->unbind();
        server_.reset();
    }
    if (store_) {
        store_->close();
        store_.reset();
    }
    if (shares_) {
        shares_->release();
        shares_.reset();
    }
    for (auto& thread : loop_threads_) thread->stop();
    loop_threads_.clear();
    workers_.stop();
    loops_.clear();
    authority_.reset();
    buffers_.reset();
    lock_.reset();
}

}  // namespace smb3d::daemon
