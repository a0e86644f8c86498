#include "sim/durable_world.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include <fmt/core.h>

#include "fsa/oplock.h"
#include "wire/oplock_break.h"

namespace smb3d::test::durable_sim {

namespace cache = fsa::cache;

std::string file_name(unsigned file) { return "f" + std::to_string(file); }

wire::LeaseKey lease_key(const Client& client, unsigned file) {
    wire::LeaseKey key{};
    key.fill(static_cast<std::uint8_t>(0x40 + client.number));
    key[0] = static_cast<std::uint8_t>(file);
    return key;
}

World::World(std::uint64_t seed) : chance_(seed) {
    char name[] = "/tmp/smb3d-sim-XXXXXX";
    if (::mkdtemp(name) == nullptr) std::abort();
    directory_ = name;
    constexpr std::uint16_t dialects[] = {0x0311, 0x0302, 0x0210};
    for (unsigned i = 0; i < clients; ++i) {
        clients_[i].number = i;
        clients_[i].dialect = dialects[i % std::size(dialects)];
    }
    start();
    TestClient maker(*server_);
    maker.log_on();
    const std::vector<std::byte> empty(slots * slot_size);
    for (unsigned file = 0; file < files; ++file) {
        const auto made = maker.create(file_name(file)).body<wire::CreateResponse>();
        maker.write(made.file_id, 0, empty);
        maker.close(made.file_id);
    }
}

World::~World() {
    for (Client& client : clients_) client.link.reset();
    server_->stop();
    server_.reset();
    store_->close();
    std::filesystem::remove_all(directory_);
}

void World::start() {
    durable::StoreOptions options;
    options.directory = directory_ + "/handles";
    options.map_size = std::size_t{1} << 22;
    options.on_step = [this](durable::Step step) {
        // What is not waited for comes late; and what copies the store copies it whole.
        if (step == durable::Step::batch_taken) std::this_thread::sleep_for(milliseconds(1));
        if (step == durable::Step::transaction_begun) disk_.lock();
        if (step == durable::Step::committed) disk_.unlock();
    };
    auto store = durable::Store::open(std::move(options));
    if (!store) std::abort();
    store_ = std::move(*store);
    TestServerOptions server;
    server.loops = 2;
    server.configure = [](engine::ServerConfig& config) {
        config.durable_timeout_ms = static_cast<std::uint32_t>(durable_time_out.count());
    };
    server.policy = [](engine::SharePolicy& policy) { policy.continuous_availability = true; };
    server.share = share_;
    server.store = store_;
    server_ = std::make_unique<TestServer>(std::move(server));
    share_ = server_->shared_share();
    engine().break_timers.set_timeout(break_time_out);
}

void World::copy_store(const std::string& to) {
    const std::lock_guard whole(disk_);
    std::filesystem::copy(directory_ + "/handles", to);
}

// What has been answered a moment ago is on disk, too.
void World::change_and_settle() {
    Client& last = clients_[chance_.below(clients)];
    if (!last.link || !chance_.one_in(2)) return;
    if (chance_.one_in(2)) {
        open(last);
    } else {
        lock(last);
    }
    // An acknowledgment that is under way may be recorded or not.
    settled([this] {
        const bool under_way = std::any_of(clients_.begin(), clients_.end(),
                                           [](const Client& c) { return !c.answers.empty(); });
        return std::string(under_way ? "an answer to a break has no answer" : "");
    });
}

// What has not been answered may have been done or not.
void World::send_without_waiting() {
    Client& client = clients_[chance_.below(clients)];
    Handle* handle = client.link ? some_handle(client) : nullptr;
    if (handle == nullptr || handle->kind != Kind::persistent || handle->locks.size() >= 3) return;
    const unsigned slot = static_cast<unsigned>(chance_.below(slots));
    const auto on_slot = [&](const Held& each) { return each.slot == slot; };
    const auto held = std::count_if(handle->locks.begin(), handle->locks.end(), on_slot);
    if (held > 1) return;
    ++seen.interrupted;
    wire::LockRequest request;
    request.file_id = handle->id;
    // What it breaks of others is in doubt.
    for (Client& other : clients_) {
        const auto lease = other.leases.find(handle->file);
        if (lease != other.leases.end()) lease->second.touched = true;
    }
    request.locks.push_back(
        {slot * slot_size, slot_size,
         held == 1 ? wire::lock_flags::unlock
                   : wire::lock_flags::exclusive_lock | wire::lock_flags::fail_immediately});
    client.link->send(client.link->make(request));
    handle->unsure = slot;
    handle->numbered.reset();
    std::erase_if(handle->locks, on_slot);
    std::this_thread::sleep_for(std::chrono::microseconds(chance_.below(4000)));
}

// As after kill -9: what is on disk now is all that is left.
void World::restart() {
    change_and_settle();
    send_without_waiting();
    ++seen.restarts;
    const std::string at_the_crash = directory_ + "/crashed";
    copy_store(at_the_crash);
    for (Client& each : clients_) {
        each.link.reset();
        each.answers.clear();
        std::erase_if(each.handles, [](const Handle& h) { return h.kind != Kind::persistent; });
        for (const Handle& left : each.handles) {
            seen.locks_at_restarts += static_cast<unsigned>(left.locks.size());
        }
    }
    server_->stop();
    server_.reset();
    store_->close();
    std::filesystem::remove_all(directory_ + "/handles");
    std::filesystem::rename(at_the_crash, directory_ + "/handles");
    start();
    for (Client& each : clients_) {
        for (auto& [file, lease] : each.leases) {
            // A break that was not answered may be over or not have begun.
            lease.touched = lease.touched || lease.breaking_to.has_value() || lease.mute;
            lease.breaking_to.reset();
        }
        for (Handle& kept : each.handles) {
            kept.away = true;
            kept.left = Clock::now();
        }
    }
    check_restored();
}

// At once: what settles later may be gone by the handles' time-outs.
void World::check_restored() {
    std::map<std::uint64_t, engine::OpenInfo> open;
    for (engine::OpenInfo& info : server_->engine().opens()) open.emplace(info.id, info);
    for (Client& client : clients_) {
        for (Handle& handle : client.handles) {
            const auto found = open.find(handle.id.persistent_id);
            const std::string wrong =
                handle_difference(client, handle, found != open.end() ? &found->second : nullptr);
            if (!wrong.empty()) complain("after a restart: " + wrong);
        }
    }
}

void World::trace(const std::string& what) const {
    static const bool wanted = std::getenv("SMB3D_SIM_TRACE") != nullptr;
    if (wanted) fmt::print(stderr, "{}\n", what);
}

bool World::connect(Client& client) {
    if (client.link) return true;
    auto made = std::make_unique<TestClient>(*server_);
    made->keep_notices = true;
    made->client_guid.fill(static_cast<std::uint8_t>(0x10 + client.number));
    NegotiateOptions options;
    options.dialects = {client.dialect};
    options.capabilities |= wire::capabilities::leasing | wire::capabilities::persistent_handles;
    if (!made->negotiate(options).ok() || !made->session_setup("alice").ok() ||
        !made->tree_connect("data").ok()) {
        complain(fmt::format("client {} cannot log on", client.number));
        return false;
    }
    client.link = std::move(made);
    return true;
}

// ---- messages

void World::poll() {
    for (Client& client : clients_) poll(client);
}

void World::poll(Client& client) {
    if (!client.link) return;
    client.link->poll();
    while (!client.link->notices.empty()) {
        const Reply reply = std::move(client.link->notices.front());
        client.link->notices.pop_front();
        notice(client, reply);
    }
    for (auto& [file, lease] : client.leases) {
        if (!lease.breaking_to || client.mute) continue;
        if (client.slow && Clock::now() < lease.told + milliseconds(20)) continue;
        answer(client, file);
    }
    std::erase_if(client.answers, [&](std::uint64_t id) {
        const auto reply = client.link->take(id);
        if (!reply) return false;
        const bool known = reply->ok() || reply->status() == NtStatus::UNSUCCESSFUL ||
                           reply->status() == NtStatus::OBJECT_NAME_NOT_FOUND;
        if (!known) complain(fmt::format("an answer: {}", status_name(reply->status())));
        return true;
    });
}

void World::notice(Client& client, const Reply& reply) {
    if (wire::structure_size_of(reply.message) != wire::lease_break_notification_structure_size) {
        return complain("a message that is no lease break");
    }
    ++seen.breaks;
    const auto body = reply.body<wire::LeaseBreakNotification>();
    Lease& lease = client.leases[body.lease_key[0]];
    trace(fmt::format("client {}: {} is broken from {} to {}, flags {}", client.number,
                      file_name(body.lease_key[0]), body.current_lease_state, body.new_lease_state,
                      body.flags));
    if (body.current_lease_state != lease.state && !lease.breaking_to && !lease.touched) {
        complain(fmt::format("client {}: {} is broken from {} but is {}", client.number,
                             file_name(body.lease_key[0]), body.current_lease_state, lease.state));
    }
    lease.state = body.new_lease_state;
    ++lease.breaks;
    if ((body.flags & wire::break_lease_flag_ack_required) == 0) return;
    lease.breaking_to = body.new_lease_state;
    lease.breaking_from = body.current_lease_state;
    lease.told = Clock::now();
}

void World::answer(Client& client, unsigned file) {
    Lease& lease = client.leases[file];
    wire::LeaseBreakAcknowledgment body;
    body.lease_key = lease_key(client, file);
    body.lease_state = *lease.breaking_to;
    lease.breaking_to.reset();
    client.answers.push_back(client.link->send(client.link->make(body)));
}

Reply World::drive(Client& client, std::uint64_t request, const Handle* of) {
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (Clock::now() < deadline && complaint_.empty()) {
        poll(client);
        if (auto reply = client.link->take(request)) {
            // What was sent before it must have arrived; nothing is answered here.
            if (of != nullptr && reply->ok()) check_waited(client, of->file);
            return *reply;
        }
        poll();
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    complain(fmt::format("client {}: a request was not answered", client.number));
    return {};
}

// An open that another's cached writes stand in the way of waits for them.
void World::check_waited(const Client& client, unsigned file) {
    for (Client& other : clients_) {
        if (other.number == client.number) continue;
        if (other.link) {
            other.link->poll();
            while (!other.link->notices.empty()) {
                const Reply reply = std::move(other.link->notices.front());
                other.link->notices.pop_front();
                notice(other, reply);
            }
        }
        const auto found = other.leases.find(file);
        if (found == other.leases.end()) continue;
        const Lease& lease = found->second;
        if (lease.breaking_to && (lease.breaking_from & cache::write) != 0 &&
            Clock::now() < lease.told + break_time_out / 4) {
            complain(fmt::format("an open of {} did not wait for client {}", file_name(file),
                                 other.number));
        }
    }
}

// ---- what must hold

bool World::settled(const std::function<std::string()>& wrong) {
    const auto deadline = Clock::now() + std::chrono::seconds(4);
    while (complaint_.empty()) {
        poll();
        const std::string text = wrong();
        if (text.empty()) return true;
        if (Clock::now() > deadline) complain(text);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return false;
}

std::string World::difference() {
    for (const auto& file : engine().files.all()) {
        const std::string wrong = file->audit();
        if (!wrong.empty()) complain(wrong);
    }
    for (unsigned file = 0; file < files; ++file) {
        const auto content = share_->content(file_name(file));
        for (unsigned slot = 0; content && slot < slots; ++slot) {
            std::uint64_t value = 0;
            std::memcpy(&value, content->data() + slot * slot_size, sizeof value);
            if (value != content_[file][slot]) return "an acknowledged write is not there";
        }
    }
    for (const Client& client : clients_) {
        if (!client.answers.empty()) return "an answer to a break has no answer";
    }
    const std::string wrong = conflicts();
    return wrong.empty() ? handles_difference() : wrong;
}

// Nobody may cache beside somebody who caches writes.
std::string World::conflicts() {
    for (unsigned file = 0; file < files; ++file) {
        unsigned writers = 0;
        unsigned holders = 0;
        for (const Client& client : clients_) {
            const auto found = client.leases.find(file);
            if (found == client.leases.end() || !client.link || found->second.mute) continue;
            const bool present =
                std::any_of(client.handles.begin(), client.handles.end(),
                            [&](const Handle& h) { return h.file == file && h.leased && !h.away; });
            if (!present) continue;
            if (found->second.breaking_to && !client.mute) return "a break is not answered yet";
            holders += found->second.state != cache::none ? 1U : 0U;
            writers += (found->second.state & cache::write) != 0 ? 1U : 0U;
        }
        if (writers != 0 && holders > 1) return file_name(file) + ": caches that conflict";
    }
    return {};
}

std::string World::handles_difference() {
    std::map<std::uint64_t, engine::OpenInfo> open;
    for (engine::OpenInfo& info : server_->engine().opens()) open.emplace(info.id, info);
    std::set<std::uint64_t> known;
    for (Client& client : clients_) {
        for (std::size_t i = 0; i < client.handles.size();) {
            Handle& handle = client.handles[i];
            const auto found = open.find(handle.id.persistent_id);
            const engine::OpenInfo* info = found != open.end() ? &found->second : nullptr;
            const std::string wrong = handle_difference(client, handle, info);
            if (!wrong.empty()) {
                return fmt::format("client {}: {} ({:#x}): {}", client.number,
                                   file_name(handle.file), handle.id.persistent_id, wrong);
            }
            known.insert(handle.id.persistent_id);
            if (info == nullptr) {
                ++seen.expired;
                trace(fmt::format("client {} has lost {:#x} of {}", client.number,
                                  handle.id.persistent_id, file_name(handle.file)));
                closed(client, i);
            } else {
                ++i;
            }
        }
    }
    for (const auto& [id, info] : open) {
        if (!known.contains(id))
            return fmt::format("{}: a handle ({:#x}) of nobody", info.path, id);
    }
    return {};
}

std::string World::handle_difference(Client&, Handle& handle, const engine::OpenInfo* info) {
    const auto away_for = Clock::now() - handle.left;
    if (info == nullptr) {
        if (!handle.away) return "a handle is gone";
        if (away_for >= handle.time_out) return {};
        if (handle.kind == Kind::durable && handle.disturbed) return {};
        return "a handle that was promised is gone";
    }
    if (handle.away && away_for > handle.time_out + milliseconds(2500)) {
        complain("a handle outlives its time-out");
    }
    if (handle.away && !info->waiting) return "it does not wait for its owner";
    if (!handle.unsure && info->locks != handle.locks.size()) {
        return fmt::format("{} locks, not {}", info->locks, handle.locks.size());
    }
    const std::size_t most = handle.locks.size() + 1;
    if (handle.unsure && info->locks + 1 != most && info->locks != most) {
        return fmt::format("{} locks, not about {}", info->locks, handle.locks.size());
    }
    return {};
}

// Somebody has opened or used a file: what others cache of it is in doubt, and who is away may lose
// what was merely durable.
void World::touched(const Client& by, const Handle& through, bool changes) {
    trace(fmt::format("client {} {} {}{}", by.number, changes ? "changes" : "touches",
                      file_name(through.file), through.leased ? "" : " without a lease"));
    for (Client& client : clients_) {
        const bool own = client.number == by.number && through.leased;
        for (Handle& handle : client.handles) {
            if (handle.file == through.file && handle.away) {
                handle.disturbed = handle.disturbed || !own || !handle.leased;
            }
        }
        const auto found = client.leases.find(through.file);
        if (found == client.leases.end() || own) continue;
        const bool present = std::any_of(
            client.handles.begin(), client.handles.end(),
            [&](const Handle& h) { return h.file == through.file && h.leased && !h.away; });
        if (present && client.link && !found->second.mute) {
            if (!changes || client.mute) continue;
            // Its break is on its way, or was there before.
            settled([&]() -> std::string {
                const auto now = client.leases.find(through.file);
                const bool reads =
                    now != client.leases.end() && (now->second.state & cache::read) != 0;
                return reads ? file_name(through.file) + ": a break of a reader is lost" : "";
            });
        } else {
            found->second.touched = true;
            found->second.changed = found->second.changed || changes;
        }
    }
}

}  // namespace smb3d::test::durable_sim
