#include "engine/server_impl.h"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <future>
#include <map>
#include <span>
#include <thread>

#include "base/filetime.h"
#include "base/log.h"
#include "base/utf16.h"
#include "engine/dispatch.h"
#include "engine/share_access.h"
#include "engine/tree_end.h"
#include "engine/unsolicited.h"
#include "wire/notification.h"

namespace smb3d::engine {

namespace {

constexpr auto component = log::Component::engine;

struct FunctionWork : Work {
    std::move_only_function<void()> function;
};

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

// A session's end that runs by itself; `server` waits for it before it goes.
Detached run_session_end(ServerImpl& server, std::shared_ptr<Session> session, Loop& loop,
                         Preserve preserve) {
    Task<bool> release = release_session(server, std::move(session), loop, preserve);
    co_await release;
    server.work_ended();
}

Detached run_tree_end(ServerImpl& server, std::shared_ptr<Session> session,
                      std::shared_ptr<Tree> tree, Loop& loop) {
    Task<bool> end = end_tree(server, std::move(session), std::move(tree), loop);
    co_await end;
    server.work_ended();
}

Detached run_close_open(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop) {
    Task<Result<void>> closing = close_open(server, std::move(open), loop);
    co_await closing;
    server.work_ended();
}

}  // namespace

void describe_caching(const fsa::Open& open, OpenInfo& info) {
    const fsa::Caching caching = open.file().caching(open);
    info.breaking = caching.breaking;
    if (caching.lease) {
        info.oplock = fmt::format("lease {}", cache_state_name(caching.state));
        info.lease_key = hexadecimal(std::span(open.oplock_key.bytes).subspan(16));
    } else if ((caching.state & fsa::cache::write) == 0) {
        info.oplock = caching.state != fsa::cache::none ? "level II" : "none";
    } else {
        info.oplock = (caching.state & fsa::cache::handle) != 0 ? "batch" : "exclusive";
    }
}

std::uint64_t monotonic_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void post_function(Loop& loop, std::move_only_function<void()> function) {
    auto* work = new FunctionWork;
    work->function = std::move(function);
    work->run = [](Work* posted) {
        const std::unique_ptr<FunctionWork> self(static_cast<FunctionWork*>(posted));
        self->function();
    };
    loop.post(*work);
}

std::unique_ptr<Server> Server::create(std::vector<Loop*> loops,
                                       std::shared_ptr<const ServerConfig> config,
                                       std::shared_ptr<const auth::Authority> authority) {
    return std::make_unique<ServerImpl>(std::move(loops), std::move(config), std::move(authority));
}

ServerImpl::ServerImpl(std::vector<Loop*> loops, std::shared_ptr<const ServerConfig> config,
                       std::shared_ptr<const auth::Authority> authority)
    : break_timers(*loops.front(),
                   [this](std::shared_ptr<fsa::File> file, std::shared_ptr<fsa::Grant> grant,
                          std::uint32_t number) {
                       durable.time_out(std::move(file), std::move(grant), number, true);
                   }),
      durable(*this, *loops.front()),
      loops_(std::move(loops)),
      config_(config),
      started_at_(filetime_now()) {
    assert(!loops_.empty());
    break_timers.set_timeout(std::chrono::seconds(config->oplock_break_seconds));
    std::size_t highest = 0;
    for (const Loop* loop : loops_) highest = std::max<std::size_t>(highest, loop->index());
    locals_.resize(highest + 1);
    for (Loop* loop : loops_) {
        auto local = std::make_unique<LoopState>(*loop);
        local->config = config;
        local->authority = authority;
        locals_[loop->index()] = std::move(local);
    }
    idle_sweep_.owner = this;
    idle_sweep_.fire = [](Timer* timer) {
        static_cast<OwnedTimer*>(timer)->owner->end_idle_sessions();
    };
    post_function(*loops_.front(), [this] { end_idle_sessions(); });
}

ServerImpl::~ServerImpl() { assert(work_.load() == 0); }

// ---- connections

Loop* ServerImpl::admit(const transport::Address& peer) {
    if (stopping_.load(std::memory_order_relaxed)) return nullptr;
    const std::shared_ptr<const ServerConfig> config = this->config();
    {
        auto peers = peers_.lock();
        if (peers->total >= config->max_connections) {
            log::warn(component, "{}: refused: max_connections ({}) is reached", peer.text,
                      config->max_connections);
            return nullptr;
        }
        std::size_t& count = peers->connections[peer.host];
        if (count >= config->max_connections_per_address) {
            log::warn(component, "{}: refused: max_connections_per_address ({}) is reached",
                      peer.text, config->max_connections_per_address);
            return nullptr;
        }
        ++count;
        ++peers->total;
    }
    Loop* best = loops_.front();
    for (Loop* loop : loops_) {
        if (local(*loop).connection_count.load(std::memory_order_relaxed) <
            local(*best).connection_count.load(std::memory_order_relaxed)) {
            best = loop;
        }
    }
    local(*best).connection_count.fetch_add(1, std::memory_order_relaxed);
    return best;
}

void ServerImpl::adopt(std::unique_ptr<transport::Link> link) {
    LoopState& state = local(link->loop());
    const std::uint64_t id = next_connection_id_.fetch_add(1, std::memory_order_relaxed);
    work_began();
    auto connection = std::make_unique<Connection>(*this, state, id, std::move(link));
    Connection& added = *connection;
    state.connections.emplace(id, std::move(connection));
    peers_.lock()->loop_of.emplace(id, &state.loop);
    added.start();
    if (stopping_.load(std::memory_order_relaxed)) added.disconnect("the server is stopping", true);
}

void ServerImpl::connection_closed(Connection& connection) {
    LoopState& state = connection.local();
    {
        auto peers = peers_.lock();
        peers->loop_of.erase(connection.id());
        --peers->total;
        auto count = peers->connections.find(connection.link().peer().host);
        if (count != peers->connections.end() && --count->second == 0)
            peers->connections.erase(count);
    }
    {
        auto clients = clients_.lock();
        const auto [first, last] = clients->equal_range(connection.negotiated.client_guid);
        const auto mine = std::find_if(
            first, last, [&](const auto& entry) { return entry.second == connection.id(); });
        if (mine != last) clients->erase(mine);
    }
    state.connection_count.fetch_sub(1, std::memory_order_relaxed);
    // Not at once: the link's on_closed() may be on the stack.
    post_function(state.loop, [this, &state, id = connection.id()] {
        state.connections.erase(id);
        work_ended();
    });
}

void ServerImpl::post_to_connection(std::uint64_t connection_id,
                                    std::move_only_function<void(Connection*)> message) {
    Loop* loop = nullptr;
    {
        auto peers = peers_.lock();
        auto it = peers->loop_of.find(connection_id);
        if (it != peers->loop_of.end()) loop = it->second;
    }
    if (loop == nullptr) {
        message(nullptr);
        return;
    }
    LoopState& state = local(*loop);
    post_function(*loop, [&state, connection_id, message = std::move(message)]() mutable {
        auto it = state.connections.find(connection_id);
        message(it != state.connections.end() ? it->second.get() : nullptr);
    });
}

Connection* ServerImpl::connection_here(std::uint64_t connection_id) {
    Loop* loop = nullptr;
    {
        auto peers = peers_.lock();
        auto it = peers->loop_of.find(connection_id);
        if (it != peers->loop_of.end()) loop = it->second;
    }
    if (loop == nullptr || !loop->in_loop_thread()) return nullptr;
    auto& here = local(*loop).connections;
    auto it = here.find(connection_id);
    return it != here.end() ? it->second.get() : nullptr;
}

void ServerImpl::client_negotiated(const ClientGuid& client, std::uint64_t connection_id) {
    clients_.lock()->emplace(client, connection_id);
}

std::vector<std::uint64_t> ServerImpl::connections_of(const ClientGuid& client) {
    std::vector<std::uint64_t> ids;
    const auto clients = clients_.lock();
    const auto [first, last] = clients->equal_range(client);
    for (auto it = first; it != last && ids.size() < limits::max_break_attempts; ++it) {
        ids.push_back(it->second);
    }
    return ids;
}

// ---- sessions, trees, opens

bool ServerImpl::detach_session(const std::shared_ptr<Session>& session,
                                std::uint64_t except_connection, bool tell) {
    if (!session_table.remove(session->id)) return false;
    std::vector<Channel> channels;
    {
        auto state = session->state.lock();
        // Of a logon under way nobody has been told, and its fields are still being written.
        tell = tell && state->state != SessionState::in_progress;
        Session::transition(*state, SessionState::ended);
        channels = std::move(state->channels);
        state->channels.clear();
    }
    // [MS-SMB2] 2.2.44.1
    std::vector<std::byte> notice;
    if (tell) notice = unsolicited(wire::ServerToClientNotification{}, session->id);
    for (const Channel& channel : channels) {
        if (channel.connection_id == except_connection) continue;
        post_to_connection(channel.connection_id, [session, notice](Connection* connection) {
            if (connection == nullptr) return;
            if (!notice.empty() && connection->negotiated.supports_notifications) {
                send_unsolicited(*connection, {session, session->encrypt_data}, notice);
            }
            connection->cancel_session(session->id);
            connection->drop_channel(session->id);
        });
    }
    return true;
}

void ServerImpl::end_session_on(const std::shared_ptr<Session>& session, Loop& loop,
                                std::uint64_t except_connection, bool tell) {
    if (!detach_session(session, except_connection, tell)) return;
    work_began();
    run_session_end(*this, session, loop, tell ? Preserve::no : Preserve::yes);
}

void ServerImpl::end_idle_sessions() {
    constexpr std::chrono::seconds interval(30);
    Loop& loop = *loops_.front();
    if (stopping_.load(std::memory_order_relaxed)) return;
    loop.arm(idle_sweep_, interval);
    const std::uint64_t minutes = local(loop).config->idle_session_minutes;
    if (minutes == 0) return;
    const std::uint64_t limit_ns = minutes * 60 * 1'000'000'000;
    for (const auto& session : session_table.all()) {
        const std::uint64_t used_ns = session->last_used_ns.load(std::memory_order_relaxed);
        if (used_ns == 0 || used_ns + limit_ns > loop.now_ns()) continue;
        // An open file is use.
        if (session->state.lock()->opens.size() != 0) continue;
        log::info(component, "session {:#x} is ended: idle for {} minutes", session->id, minutes);
        end_session_on(session, loop, 0, true);
    }
}

bool ServerImpl::take_open(std::uint32_t limit) {
    if (open_count_.fetch_add(1, std::memory_order_relaxed) < limit) return true;
    open_count_.fetch_sub(1, std::memory_order_relaxed);
    return false;
}

SharePlace ServerImpl::place_of(const SharePolicy& policy) {
    const std::shared_ptr<const vfs::Location> location = policy.backend->capabilities().location;
    // A back end that has its files for itself: its address, which is even.
    if (!location) return {reinterpret_cast<std::uintptr_t>(policy.backend.get()), nullptr};
    fsa::ShareId store = 0;
    {
        const auto stores = stores_.lock();
        store = stores->try_emplace(location->store, (stores->size() << 4U) | 1U).first->second;
    }
    files.add_root(store, location->root);
    return {store, location};
}

void ServerImpl::tree_added(const SharePolicy& policy) {
    ++(*trees_by_share_.lock())[policy.name];
    tree_count_.fetch_add(1, std::memory_order_relaxed);
}

void ServerImpl::tree_removed(const SharePolicy& policy) {
    auto trees = trees_by_share_.lock();
    auto it = trees->find(policy.name);
    if (it != trees->end() && --it->second == 0) trees->erase(it);
    tree_count_.fetch_sub(1, std::memory_order_relaxed);
}

std::size_t ServerImpl::trees_of(const std::string& share) {
    auto trees = trees_by_share_.lock();
    auto it = trees->find(share);
    return it != trees->end() ? it->second : 0;
}

// ---- configuration

std::shared_ptr<const ServerConfig> ServerImpl::config() const { return *config_.lock(); }

void ServerImpl::set_authority(std::shared_ptr<const auth::Authority> authority) {
    for (Loop* loop : loops_) {
        run_on(*loop, [this, loop, &authority] { local(*loop).authority = authority; });
    }
}

void ServerImpl::set_interfaces(std::shared_ptr<const NetworkInterfaces> interfaces) {
    *interfaces_.lock() = std::move(interfaces);
}

std::vector<std::string> ServerImpl::reconfigure(std::shared_ptr<const ServerConfig> config) {
    *config_.lock() = config;
    break_timers.set_timeout(std::chrono::seconds(config->oplock_break_seconds));
    for (Loop* loop : loops_) {
        run_on(*loop, [this, loop, &config] { local(*loop).config = config; });
    }
    std::vector<std::string> report;
    for (const auto& session : session_table.all()) {
        std::vector<std::shared_ptr<Tree>> gone;
        std::shared_ptr<const Caller> caller;
        {
            auto state = session->state.lock();
            caller = state->caller;
            state->trees.for_each([&](std::uint32_t, std::shared_ptr<Tree>& tree) {
                // A share that is not what it was to this user is connected to anew.
                const auto found = config->shares.find(fold_name(tree->policy->name));
                const bool stays = found != config->shares.end() && caller &&
                                   serves_alike(*tree->policy, *found->second, *caller);
                if (!stays) gone.push_back(tree);
            });
        }
        for (const auto& tree : gone) {
            report.push_back(
                fmt::format("share \"{}\" was changed or removed: {} was disconnected from it",
                            tree->policy->name, caller ? caller->user : "?"));
            work_began();
            post_function(*loops_.front(), [this, session, tree] {
                run_tree_end(*this, session, tree, *loops_.front());
            });
        }
    }
    end_waiting_of_gone_shares(*config);
    return report;
}

// ---- for the administrator

namespace {

struct Look {
    std::atomic<std::size_t> loops{0};
    std::move_only_function<void()> done;
};

void look(Loop& loop, unsigned turns, std::shared_ptr<Look> all) {
    post_function(loop, [&loop, turns, all = std::move(all)]() mutable {
        if (turns > 1) return look(loop, turns - 1, std::move(all));
        if (all->loops.fetch_sub(1, std::memory_order_acq_rel) == 1) all->done();
    });
}

}  // namespace

void ServerImpl::let_loops_look(std::move_only_function<void()> done) {
    // A turn runs what was posted, then waits for sockets; what it finds there is run in the next.
    constexpr unsigned turns = 3;
    auto all = std::make_shared<Look>();
    all->loops = loops_.size();
    all->done = std::move(done);
    for (Loop* loop : loops_) look(*loop, turns, all);
}

void ServerImpl::run_on(Loop& loop, std::move_only_function<void()> function) {
    assert(!loop.in_loop_thread());
    std::promise<void> done;
    post_function(loop, [&done, function = std::move(function)]() mutable {
        function();
        done.set_value();
    });
    done.get_future().wait();
}

std::vector<ConnectionInfo> ServerImpl::connections() {
    std::vector<ConnectionInfo> list;
    for (Loop* loop : loops_) {
        run_on(*loop, [this, loop, &list] {
            for (const auto& [id, connection] : local(*loop).connections) {
                ConnectionInfo info;
                info.id = id;
                info.peer = connection->peer();
                info.transport = connection->link().kind();
                info.since = connection->since();
                info.dialect =
                    connection->negotiated.done ? dialect_name(connection->negotiated.dialect) : "";
                list.push_back(std::move(info));
            }
        });
    }
    return list;
}

std::vector<SessionInfo> ServerImpl::sessions() {
    std::vector<SessionInfo> list;
    for (const auto& session : session_table.all()) {
        auto state = session->state.lock();
        if (state->state != SessionState::valid && state->state != SessionState::expired) continue;
        SessionInfo info;
        info.id = session->id;
        info.user = state->caller->user;
        info.domain = state->caller->domain;
        info.mechanism = state->mechanism;
        info.dialect = dialect_name(session->dialect);
        const bool plain = session->anonymous || session->guest;
        info.signing =
            plain ? "none"
                  : crypto::name_of(static_cast<crypto::SigningAlgorithm>(session->signing));
        info.encryption = session->keys.encryption
                              ? crypto::name_of(static_cast<crypto::Cipher>(session->cipher))
                              : "none";
        for (const Channel& channel : state->channels) {
            info.channels.push_back({channel.peer, channel.transport, channel.loop, channel.since});
        }
        state->trees.for_each([&](std::uint32_t, std::shared_ptr<Tree>& tree) {
            info.trees.push_back(tree->policy->name);
        });
        info.opens = state->opens.size();
        info.since = session->created_at;
        info.guest = session->guest;
        list.push_back(std::move(info));
    }
    return list;
}

std::vector<OpenInfo> ServerImpl::opens() {
    std::vector<OpenInfo> list;
    for (const auto& session : session_table.all()) {
        std::vector<std::shared_ptr<Open>> opens;
        std::string peer;
        {
            auto state = session->state.lock();
            if (!state->channels.empty()) peer = state->channels.front().peer;
            state->opens.for_each(
                [&](std::uint64_t, std::shared_ptr<Open>& open) { opens.push_back(open); });
        }
        for (const auto& open : opens) {
            OpenInfo info;
            info.id = open->persistent_id;
            info.session = session->id;
            info.user = open->caller->user;
            info.peer = peer;
            info.share = open->tree->policy->name;
            info.path = open->path();
            info.access = open->granted_access;
            info.share_access = open->share_access;
            info.directory = open->is_directory();
            if (open->fsa) {
                info.delete_on_close = open->fsa->file().is_delete_on_close(*open->fsa);
                info.locks = open->fsa->file().lock_count(*open->fsa);
                describe_caching(*open->fsa, info);
            }
            info.since = open->opened_at;
            info.durable = open->durability.lock()->kind();
            list.push_back(std::move(info));
        }
    }
    add_waiting(list);
    return list;
}

std::vector<ShareInfo> ServerImpl::shares() {
    std::vector<ShareInfo> list;
    for (const auto& [key, policy] : config()->shares) {
        ShareInfo info;
        info.name = policy->name;
        info.path = policy->path;
        info.comment = policy->comment;
        info.trees = trees_of(policy->name);
        info.hidden = policy->hidden;
        info.read_only = policy->read_only;
        info.encrypt = policy->encrypt;
        list.push_back(std::move(info));
    }
    return list;
}

Totals ServerImpl::totals() {
    Totals totals;
    totals.connections = peers_.lock()->total;
    totals.sessions = session_table.size();
    totals.trees = tree_count_.load(std::memory_order_relaxed);
    totals.opens = open_count_.load(std::memory_order_relaxed);
    totals.started = started_at_;
    for (Loop* loop : loops_) {
        const LoopState& state = local(*loop);
        totals.requests += state.requests.load(std::memory_order_relaxed);
        totals.bytes_read += state.bytes_read.load(std::memory_order_relaxed);
        totals.bytes_written += state.bytes_written.load(std::memory_order_relaxed);
    }
    return totals;
}

Statistics ServerImpl::statistics() {
    Statistics out;
    for (std::size_t i = 0; i < wire::command_count; ++i) {
        const CommandRow* row = find_command(static_cast<wire::Command>(i));
        ActivityTotals& totals = out.commands.emplace_back();
        totals.name = row != nullptr ? row->name : "?";
        for (Loop* loop : loops_) totals.add(local(*loop).activity.commands[i]);
    }
    out.shares = share_activities_.totals();
    std::map<std::string, ActivityTotals> transports;
    for (Loop* loop : loops_) {
        local(*loop).activity.each_transport([&](const LoopActivity::Transport& transport) {
            ActivityTotals& totals = transports[transport.kind];
            totals.name = transport.kind;
            totals.connections += transport.connections.value();
            totals.add(transport.activity);
        });
    }
    for (auto& [kind, totals] : transports) out.transports.push_back(std::move(totals));
    return out;
}

bool ServerImpl::end_session(std::uint64_t id) {
    const std::shared_ptr<Session> session = session_table.find(id);
    if (!session) return false;
    Loop& loop = *loops_.front();
    // [MS-SMB2] 3.3.4.12: what the administrator ends does not come back.
    run_on(loop, [&] { end_session_on(session, loop, 0, true); });
    return true;
}

std::size_t ServerImpl::end_user(const std::string& user) {
    std::size_t count = 0;
    for (const auto& session : session_table.all()) {
        const std::shared_ptr<const Caller> caller = session->caller();
        if (caller && equal_folded(caller->user, user) && end_session(session->id)) ++count;
    }
    return count;
}

bool ServerImpl::close_open(std::uint64_t id) {
    for (const auto& session : session_table.all()) {
        std::shared_ptr<Open> found;
        {
            auto state = session->state.lock();
            state->opens.for_each([&](std::uint64_t, std::shared_ptr<Open>& open) {
                if (open->persistent_id == id) found = open;
            });
            if (found) state->opens.take(found->id);
        }
        if (!found) continue;
        work_began();
        Loop& loop = *loops_.front();
        run_on(loop, [&] { run_close_open(*this, found, loop); });
        return true;
    }
    return close_waiting(id);
}

bool ServerImpl::break_lease(std::uint64_t open_id) {
    for (const auto& session : session_table.all()) {
        std::shared_ptr<fsa::Open> found;
        {
            auto state = session->state.lock();
            state->opens.for_each([&](std::uint64_t, std::shared_ptr<Open>& open) {
                if (open->persistent_id == open_id) found = open->fsa;
            });
        }
        if (!found) continue;
        found->file().break_own(*found);
        return true;
    }
    return false;
}

void ServerImpl::stop(std::chrono::milliseconds grace) {
    stopping_.store(true);
    run_on(*loops_.front(), [this] {
        if (idle_sweep_.armed()) loops_.front()->disarm(idle_sweep_);
        break_timers.stop();
    });
    for (Loop* loop : loops_) {
        run_on(*loop, [this, loop] {
            // A connection may leave the table while it is closed: by id.
            std::vector<std::uint64_t> ids;
            for (const auto& [id, connection] : local(*loop).connections) ids.push_back(id);
            for (const std::uint64_t id : ids) {
                auto it = local(*loop).connections.find(id);
                if (it != local(*loop).connections.end()) it->second->finish();
            }
        });
    }
    const auto deadline = std::chrono::steady_clock::now() + grace;
    bool cut = false;
    bool released = false;
    while (true) {
        if (work_.load(std::memory_order_acquire) == 0) {
            if (std::exchange(released, true)) break;
            // Only now nothing is parked any more.
            run_on(*loops_.front(), [this] {
                durable.stop();
                end_waiting();
            });
            continue;
        }
        if (!cut && std::chrono::steady_clock::now() > deadline) {
            cut = true;
            log::warn(component,
                      "requests in flight did not end within {} ms: closing all connections",
                      grace.count());
            for (Loop* loop : loops_) {
                run_on(*loop, [this, loop] {
                    for (const auto& [id, connection] : local(*loop).connections) {
                        connection->cut_off();
                    }
                });
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    for (Loop* loop : loops_) {
        run_on(*loop, [this, loop] { local(*loop).slow.stop(); });
    }
    host_watches.close();
    host_guards.close();
}

}  // namespace smb3d::engine
