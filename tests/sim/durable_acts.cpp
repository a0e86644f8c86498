// What happens in the durable simulation.
#include <algorithm>
#include <cstring>
#include <thread>

#include <fmt/core.h>

#include "client/contexts.h"
#include "fsa/oplock.h"
#include "fscc/fsctl.h"
#include "sim/durable_world.h"
#include "wire/create_context.h"

namespace smb3d::test::durable_sim {

namespace cache = fsa::cache;

namespace {

constexpr std::uint32_t exclusive =
    wire::lock_flags::exclusive_lock | wire::lock_flags::fail_immediately;
constexpr std::uint32_t shared = wire::lock_flags::shared_lock | wire::lock_flags::fail_immediately;

void add_lease(wire::CreateContextBuilder& builder, const Client& client,
               const wire::LeaseKey& key) {
    if (client.smb3()) {
        wire::LeaseV2 lease;
        lease.lease_key = key;
        lease.lease_state = cache::all;
        builder.add(wire::tag::rqls, lease);
    } else {
        wire::Lease lease;
        lease.lease_key = key;
        lease.lease_state = cache::all;
        builder.add(wire::tag::rqls, lease);
    }
}

Message bytes_of(const wire::CreateContextBuilder& builder) {
    return {builder.bytes().begin(), builder.bytes().end()};
}

}  // namespace

void World::step() {
    ++step_;
    Client& client = clients_[chance_.below(clients)];
    const std::uint64_t what = chance_.below(40);
    trace(fmt::format("step {}: client {}, act {}", step_, client.number, what));
    if (what == 0) {
        restart();
    } else if (what == 1) {
        pass_time();
    } else if (!connect(client)) {
        return;
    } else if (what < 5) {
        disconnect(client);
    } else if (what < 11) {
        reconnect(client);
    } else if (what < 19) {
        open(client);
    } else if (what < 22) {
        close(client);
    } else if (what < 26) {
        write(client);
    } else if (what < 28) {
        read(client);
    } else if (what < 33) {
        lock(client);
    } else if (what < 36) {
        unlock(client);
    } else if (what == 36) {
        wait_for_lock(client);
    } else if (what == 37) {
        stale_write(client);
    } else {
        replay_lock(client);
    }
    settled([this] { return difference(); });
}

void World::wind_down() {
    for (Client& client : clients_) {
        if (client.link) disconnect(client);
    }
    settled([this] { return difference(); });
    const auto deadline = Clock::now() + persistent_time_out + milliseconds(3000);
    while (complaint_.empty() && !server_->engine().opens().empty()) {
        if (Clock::now() > deadline) complain("handles outlive their time-outs");
        std::this_thread::sleep_for(milliseconds(10));
    }
    settled([this] { return difference(); });
    settled([this] { return store_->load().empty() ? "" : "records of handles that are gone"; });
    settled([this] { return server_->leftovers(); });
}

Handle* World::some_handle(Client& client) {
    std::vector<Handle*> present;
    for (Handle& handle : client.handles) {
        if (!handle.away) present.push_back(&handle);
    }
    return present.empty() ? nullptr : present[chance_.below(present.size())];
}

// ---- opening

CreateOptions World::create_options(const Client& client, const Handle& handle) {
    wire::CreateContextBuilder builder;
    if (handle.kind == Kind::durable || handle.kind == Kind::persistent) {
        if (client.smb3()) {
            wire::DurableHandleRequestV2 request;
            request.create_guid = handle.guid;
            if (handle.kind == Kind::persistent) {
                request.flags = wire::dhandle_flag_persistent;
                request.timeout = static_cast<std::uint32_t>(persistent_time_out.count());
            }
            builder.add(wire::tag::dh2q, request);
        } else {
            builder.add(wire::tag::dhnq, wire::DurableHandleRequest{});
        }
    }
    if (handle.leased) add_lease(builder, client, lease_key(client, handle.file));
    if (handle.instance) {
        wire::AppInstanceId id;
        id.app_instance_id.fill(static_cast<std::uint8_t>(0xA0 + handle.file));
        builder.add(wire::tag::app_instance_id, id);
    }
    CreateOptions options;
    options.disposition = wire::CreateDisposition::open;
    options.oplock = handle.leased ? wire::OplockLevel::lease : wire::OplockLevel::none;
    options.contexts = bytes_of(builder);
    return options;
}

void World::open(Client& client) {
    if (client.handles.size() >= 5) return close(client);
    Handle handle;
    handle.file = static_cast<unsigned>(chance_.below(files));
    handle.leased = !chance_.one_in(4);
    const std::uint64_t kind = chance_.below(8);
    if (kind >= 5 && client.smb3()) {
        handle.kind = Kind::persistent;
    } else if (kind >= 2) {
        handle.kind = Kind::durable;
    } else if (kind == 1) {
        handle.kind = Kind::resilient;
    }
    handle.instance = client.smb3() && chance_.one_in(12);
    handle.guid.fill(static_cast<std::uint8_t>(client.number));
    handle.guid[0] = client.next_guid++;
    handle.guid[1] = static_cast<std::uint8_t>(step_);
    handle.guid[2] = static_cast<std::uint8_t>(step_ >> 8);
    if (handle.leased && client.leases[handle.file].mute) handle.leased = false;
    touched(client, handle, false);
    Client& other = clients_[(client.number + 1) % clients];
    other.mute = chance_.one_in(25);
    other.slow = chance_.one_in(3);
    if (handle.leased) {
        Lease& lease = client.leases[handle.file];
        lease.breaks_before = lease.breaks;
    }
    CreateOptions options = create_options(client, handle);
    const std::uint64_t request = client.link->send_create(file_name(handle.file), options);
    Reply reply = drive(client, request, &handle);
    other.slow = false;
    if (other.mute) {
        // Whom the server has given up on has nothing.
        other.mute = false;
        for (auto& [file, lease] : other.leases) {
            if (!lease.breaking_to) continue;
            ++seen.muted;
            lease.breaking_to.reset();
            lease.state = cache::none;
            lease.mute = true;
        }
    }
    if (!reply.ok()) return complain(fmt::format("an open: {}", status_name(reply.status())));
    const bool by_guid =
        client.smb3() && (handle.kind == Kind::durable || handle.kind == Kind::persistent);
    if (by_guid && chance_.one_in(4)) {
        // The client has not seen the answer, it asks again.
        options.replay = true;
        const Reply again =
            drive(client, client.link->send_create(file_name(handle.file), options));
        const bool granted =
            context_of<wire::DurableHandleResponseV2>(reply, wire::tag::dh2q).has_value();
        if (granted) {
            ++seen.create_replays;
            const auto first = reply.body<wire::CreateResponse>();
            if (!again.ok() || !(again.body<wire::CreateResponse>().file_id == first.file_id)) {
                return complain(fmt::format("a replayed CREATE: {}", status_name(again.status())));
            }
        } else if (again.ok()) {
            const auto id = again.body<wire::CreateResponse>().file_id;
            if (!(id == reply.body<wire::CreateResponse>().file_id)) client.link->close(id);
        }
    }
    opened(client, std::move(handle), reply);
}

void World::opened(Client& client, Handle handle, const Reply& reply) {
    ++seen.opens;
    const auto response = reply.body<wire::CreateResponse>();
    handle.id = response.file_id;
    if (handle.instance) {
        // The other instances of the application are ended.
        for (Client& other : clients_) {
            if (other.number == client.number) continue;
            for (std::size_t i = 0; i < other.handles.size();) {
                const Handle& each = other.handles[i];
                if (each.instance && each.file == handle.file) {
                    ++seen.instances;
                    closed(other, i);
                } else {
                    ++i;
                }
            }
        }
    }
    if (handle.leased) lease_granted(client, handle, reply, false);
    const auto v2 = context_of<wire::DurableHandleResponseV2>(reply, wire::tag::dh2q);
    const auto v1 = context_of<wire::DurableHandleResponse>(reply, wire::tag::dhnq);
    if (handle.kind == Kind::persistent) {
        if (!v2 || (v2->flags & wire::dhandle_flag_persistent) == 0) {
            return complain("a persistent handle was not granted");
        }
        ++seen.persistent;
        handle.time_out = persistent_time_out;
    } else if (handle.kind == Kind::durable) {
        if (!v1 && !v2) handle.kind = Kind::plain;
        if (v1 || v2) ++seen.durable;
        handle.time_out = durable_time_out;
    } else if (handle.kind == Kind::resilient) {
        const auto code = static_cast<std::uint32_t>(fscc::Fsctl::lmr_request_resiliency);
        const auto time = static_cast<std::uint32_t>(durable_time_out.count());
        const Reply asked = client.link->ioctl(
            handle.id, code, wire::to_bytes(fscc::NetworkResiliencyRequest{time}));
        if (!asked.ok()) return complain("resiliency was refused");
        ++seen.resilient;
        handle.time_out = durable_time_out;
    }
    client.handles.push_back(std::move(handle));
}

void World::lease_granted(Client& client, const Handle& handle, const Reply& reply, bool back) {
    std::uint32_t state = 0;
    std::uint32_t flags = 0;
    if (const auto v2 = context_of<wire::LeaseV2>(reply, wire::tag::rqls); v2 && client.smb3()) {
        state = v2->lease_state;
        flags = v2->lease_flags;
    } else if (const auto v1 = context_of<wire::Lease>(reply, wire::tag::rqls)) {
        state = v1->lease_state;
        flags = v1->lease_flags;
    } else {
        return complain("a lease without its context");
    }
    poll(client);
    Lease& lease = client.leases[handle.file];
    trace(fmt::format("client {} has {} of {} ({:#x}), flags {}, before {}{}{}{}", client.number,
                      state, file_name(handle.file), handle.id.persistent_id, flags, lease.state,
                      back ? ", back" : "", lease.touched ? ", touched" : "",
                      lease.changed ? ", changed" : ""));
    if (back) {
        // A break that waits for its owner's answer is told again.
        const bool breaking = (flags & wire::lease_flags::break_in_progress) != 0;
        if (lease.changed && (state & cache::read) != 0 && !breaking) {
            complain("a lease to read what others have changed meanwhile");
        }
        if ((state & ~lease.state) != 0 && !breaking)
            complain("a lease that has grown while its owner was away");
        if (!lease.touched && state != lease.state && !breaking) {
            complain(fmt::format("client {}: the lease of {} was {} and comes back as {}",
                                 client.number, file_name(handle.file), lease.state, state));
        }
    } else if ((lease.state & ~state) != 0 && !lease.touched) {
        complain("an open takes from its lease");
    }
    // The notification may have come, and have been answered, before this.
    if (lease.breaks == lease.breaks_before) lease.state = state;
    lease.touched = false;
    lease.changed = false;
}

// ---- closing

void World::close(Client& client) {
    const Handle* handle = some_handle(client);
    if (handle == nullptr) return;
    const auto index = static_cast<std::size_t>(handle - client.handles.data());
    wire::CloseRequest request;
    request.file_id = handle->id;
    const Reply reply = drive(client, client.link->send(client.link->make(request)));
    if (!reply.ok()) complain(fmt::format("CLOSE: {}", status_name(reply.status())));
    closed(client, index);
}

void World::closed(Client& client, std::size_t index) {
    const unsigned file = client.handles[index].file;
    client.handles.erase(client.handles.begin() + static_cast<std::ptrdiff_t>(index));
    const bool used = std::any_of(client.handles.begin(), client.handles.end(),
                                  [&](const Handle& h) { return h.leased && h.file == file; });
    if (!used) client.leases.erase(file);
}

void World::disconnect(Client& client) {
    poll(client);
    if (!complaint_.empty()) return;
    client.link.reset();
    client.answers.clear();
    for (std::size_t i = 0; i < client.handles.size();) {
        Handle& handle = client.handles[i];
        bool stays =
            handle.away || handle.kind == Kind::resilient || handle.kind == Kind::persistent;
        if (!stays && handle.kind == Kind::durable && handle.leased) {
            const Lease& lease = client.leases[handle.file];
            const bool keeps = (lease.state & cache::handle) != 0 && !lease.breaking_to;
            const bool alone = handle.locks.empty() || (lease.state & cache::write) != 0;
            stays = keeps && alone;
        }
        if (!stays) {
            closed(client, i);
            continue;
        }
        if (!handle.away) {
            handle.away = true;
            handle.disturbed = false;
            handle.left = Clock::now();
        }
        ++i;
    }
    for (auto& [file, lease] : client.leases) {
        lease.touched = lease.touched || lease.breaking_to.has_value() || lease.mute;
        lease.changed = lease.changed || lease.mute;
        lease.breaking_to.reset();
        lease.mute = false;
    }
    // Its place in the table is seen before anybody does something else.
    settled([this] { return difference(); });
}

void World::pass_time() {
    const auto until = Clock::now() + (chance_.one_in(3) ? persistent_time_out : durable_time_out) +
                       milliseconds(30);
    while (Clock::now() < until) {
        poll();
        std::this_thread::sleep_for(milliseconds(1));
    }
}

// ---- coming back

Reply World::send_reconnect(Client& client, const Handle& handle, bool persistent,
                            std::uint8_t guid, std::uint8_t key_change) {
    wire::CreateContextBuilder builder;
    if (client.smb3()) {
        wire::DurableHandleReconnectV2 request;
        request.file_id = handle.id;
        if (handle.kind != Kind::resilient) request.create_guid = handle.guid;
        request.create_guid[3] = static_cast<std::uint8_t>(request.create_guid[3] ^ guid);
        if (persistent) request.flags = wire::dhandle_flag_persistent;
        builder.add(wire::tag::dh2c, request);
    } else {
        wire::FileId id = handle.id;
        id.persistent_id += std::uint64_t{guid} << 32;
        builder.add(wire::tag::dhnc, wire::DurableHandleReconnect{id});
    }
    if (handle.leased) {
        Lease& lease = client.leases[handle.file];
        lease.breaks_before = lease.breaks;
    }
    wire::LeaseKey key = lease_key(client, handle.file);
    key[5] = static_cast<std::uint8_t>(key[5] ^ key_change);
    if (handle.leased && key_change != 0xFF) add_lease(builder, client, key);
    CreateOptions options;
    options.disposition = wire::CreateDisposition::open;
    options.oplock = handle.leased ? wire::OplockLevel::lease : wire::OplockLevel::none;
    options.contexts = bytes_of(builder);
    return drive(client, client.link->send_create(file_name(handle.file), options));
}

void World::reconnect(Client& client) {
    for (std::size_t i = 0; i < client.handles.size() && complaint_.empty(); ++i) {
        if (!client.handles[i].away || chance_.one_in(4)) continue;
        if (chance_.one_in(3)) reconnect_wrongly(client, client.handles[i]);
        const std::size_t before = client.handles.size();
        reconnect(client, i);
        if (client.handles.size() != before) --i;
    }
}

void World::reconnect_wrongly(Client& client, const Handle& handle) {
    const bool persistent = handle.kind == Kind::persistent;
    const auto refused = [&](const Reply& reply, const char* what) {
        ++seen.refused_reconnects;
        if (reply.ok()) complain(fmt::format("a reconnect with {} was accepted", what));
    };
    if (handle.kind != Kind::resilient) {
        refused(send_reconnect(client, handle, persistent, 1, 0), "another GUID");
        if (client.smb3())
            refused(send_reconnect(client, handle, !persistent, 0, 0), "other flags");
    }
    if (handle.leased) {
        refused(send_reconnect(client, handle, persistent, 0, 1), "another lease key");
        refused(send_reconnect(client, handle, persistent, 0, 0xFF), "no lease key");
    }
    TestClient stranger(*server_);
    stranger.client_guid = client.link->client_guid;
    NegotiateOptions options = client.link->negotiated_with;
    if (!stranger.negotiate(options).ok() || !stranger.session_setup("bob").ok() ||
        !stranger.tree_connect("data").ok()) {
        return complain("bob cannot log on");
    }
    wire::CreateContextBuilder builder;
    if (client.smb3()) {
        wire::DurableHandleReconnectV2 request;
        request.file_id = handle.id;
        if (handle.kind != Kind::resilient) request.create_guid = handle.guid;
        if (persistent) request.flags = wire::dhandle_flag_persistent;
        builder.add(wire::tag::dh2c, request);
    } else {
        builder.add(wire::tag::dhnc, wire::DurableHandleReconnect{handle.id});
    }
    if (handle.leased) add_lease(builder, client, lease_key(client, handle.file));
    refused(stranger.create(
                file_name(handle.file),
                {.disposition = wire::CreateDisposition::open,
                 .oplock = handle.leased ? wire::OplockLevel::lease : wire::OplockLevel::none,
                 .contexts = bytes_of(builder)}),
            "another owner");
}

void World::reconnect(Client& client, std::size_t index) {
    Handle& handle = client.handles[index];
    const Reply reply = send_reconnect(client, handle, handle.kind == Kind::persistent, 0, 0);
    if (!reply.ok()) {
        const bool over = Clock::now() - handle.left >= handle.time_out;
        const bool lost = handle.kind == Kind::durable && handle.disturbed;
        if (!over && !lost) {
            complain(fmt::format("client {}: a handle of {} does not come back: {}", client.number,
                                 file_name(handle.file), status_name(reply.status())));
        }
        ++seen.expired;
        return closed(client, index);
    }
    ++seen.reconnected;
    const auto response = reply.body<wire::CreateResponse>();
    if (response.file_id.persistent_id != handle.id.persistent_id) complain("another handle");
    handle.id = response.file_id;
    handle.away = false;
    handle.disturbed = false;
    seen.restored_locks += static_cast<unsigned>(handle.locks.size());
    if (handle.leased) lease_granted(client, handle, reply, true);
    settle_unsure(client, handle);
}

void World::settle_unsure(Client& client, Handle& handle) {
    if (!handle.unsure) return;
    const unsigned slot = *handle.unsure;
    const Reply reply = send_lock(client, handle, slot, wire::lock_flags::unlock);
    handle.unsure.reset();
    if (!reply.ok() && reply.status() != NtStatus::RANGE_NOT_LOCKED) {
        complain(fmt::format("UNLOCK after a crash: {}", status_name(reply.status())));
    }
}

// ---- data

void World::write(Client& client) {
    Handle* handle = some_handle(client);
    if (handle == nullptr) return;
    const auto slot = static_cast<unsigned>(chance_.below(slots));
    const std::uint64_t value = next_value_++;
    wire::WriteRequest request;
    request.file_id = handle->id;
    request.offset = slot * slot_size;
    request.data = Bytes(std::as_bytes(std::span(&value, 1)));
    const Reply reply = drive(client, client.link->send(client.link->make(request)));
    bool conflict = false;
    bool unsure = false;
    for (const Client& each : clients_) {
        for (const Handle& other : each.handles) {
            if (other.file != handle->file) continue;
            for (const Held& held : other.locks) {
                if (held.slot != slot) continue;
                conflict = conflict || &other != handle || !held.exclusive;
            }
            unsure = unsure || other.unsure == slot;
        }
    }
    if (reply.ok() == conflict && !unsure) {
        return complain(fmt::format("WRITE {} a lock: {}", conflict ? "under" : "without",
                                    status_name(reply.status())));
    }
    if (!reply.ok()) return;
    ++seen.writes;
    content_[handle->file][slot] = value;
    touched(client, *handle, true);
}

// A request of before a channel was lost, which comes after those that the client has sent since.
void World::stale_write(Client& client) {
    const Handle* handle = some_handle(client);
    if (handle == nullptr || !client.smb3()) return;
    ++client.link->channel_sequence;
    wire::FlushRequest flush;
    flush.file_id = handle->id;
    drive(client, client.link->send(client.link->make(flush)));
    const std::uint64_t value = next_value_++;
    wire::WriteRequest request;
    request.file_id = handle->id;
    request.data = Bytes(std::as_bytes(std::span(&value, 1)));
    --client.link->channel_sequence;
    const Reply reply = drive(client, client.link->send(client.link->make(request)));
    ++client.link->channel_sequence;
    ++seen.stale;
    if (reply.status() != NtStatus::FILE_NOT_AVAILABLE) {
        complain(fmt::format("a stale WRITE: {}", status_name(reply.status())));
    }
}

void World::read(Client& client) {
    Handle* handle = some_handle(client);
    if (handle == nullptr) return;
    const auto slot = static_cast<unsigned>(chance_.below(slots));
    wire::ReadRequest request;
    request.file_id = handle->id;
    request.offset = slot * slot_size;
    request.length = sizeof(std::uint64_t);
    const Reply reply = drive(client, client.link->send(client.link->make(request)));
    if (!reply.ok()) {
        const bool may_be =
            conflicts_with_locks(*handle, slot, false) || is_unsure(handle->file, slot);
        if (!may_be) complain("READ without a lock is refused");
        return;
    }
    std::uint64_t value = 0;
    const auto body = reply.body<wire::ReadResponse>();
    std::memcpy(&value, body.data.bytes.data(), std::min(body.data.bytes.size(), sizeof value));
    if (value != content_[handle->file][slot]) complain("READ does not yield what was written");
}

// ---- locks

bool World::is_unsure(unsigned file, unsigned slot) const {
    for (const Client& client : clients_) {
        for (const Handle& handle : client.handles) {
            if (handle.file == file && handle.unsure == slot) return true;
        }
    }
    return false;
}

// Others' locks, and own ones that do not go together with this.
bool World::conflicts_with_locks(const Handle& handle, unsigned slot, bool asked_exclusive) const {
    for (const Client& client : clients_) {
        for (const Handle& other : client.handles) {
            if (other.file != handle.file) continue;
            for (const Held& held : other.locks) {
                if (held.slot != slot) continue;
                if (asked_exclusive || (held.exclusive && &other != &handle)) return true;
            }
        }
    }
    return false;
}

Reply World::send_lock(Client& client, Handle& handle, unsigned slot, std::uint32_t flags) {
    wire::LockRequest request;
    request.file_id = handle.id;
    request.locks.push_back({slot * slot_size, slot_size, flags});
    const bool numbered = handle.kind != Kind::plain || client.smb3();
    if (numbered) {
        const std::uint32_t sequence = client.next_sequence++;
        request.lock_sequence = (sequence % 64 + 1) << 4 | (sequence / 64 % 16);
    }
    const Reply reply = drive(client, client.link->send(client.link->make(request)));
    handle.numbered.reset();
    if (numbered && reply.ok() && handle.kind != Kind::plain) handle.numbered = request;
    return reply;
}

void World::lock(Client& client) {
    Handle* handle = some_handle(client);
    if (handle == nullptr || handle->locks.size() >= 3) return;
    const auto slot = static_cast<unsigned>(chance_.below(slots));
    const bool alone = chance_.one_in(2);
    const bool conflict = conflicts_with_locks(*handle, slot, alone);
    const Reply reply = send_lock(client, *handle, slot, alone ? exclusive : shared);
    if (reply.ok() == conflict && !is_unsure(handle->file, slot)) {
        return complain(fmt::format("LOCK {} another: {}", conflict ? "beside" : "without",
                                    status_name(reply.status())));
    }
    if (!reply.ok()) {
        ++seen.lock_conflicts;
        return;
    }
    ++seen.locks;
    handle->locks.push_back({slot, alone});
    touched(client, *handle, true);
}

void World::unlock(Client& client) {
    Handle* handle = some_handle(client);
    if (handle == nullptr || handle->locks.empty()) return;
    const std::size_t which = chance_.below(handle->locks.size());
    const Reply reply =
        send_lock(client, *handle, handle->locks[which].slot, wire::lock_flags::unlock);
    if (!reply.ok()) complain(fmt::format("UNLOCK: {}", status_name(reply.status())));
    // Of several on the same slot the first goes.
    const unsigned slot = handle->locks[which].slot;
    const auto first = std::find_if(handle->locks.begin(), handle->locks.end(),
                                    [&](const Held& held) { return held.slot == slot; });
    handle->locks.erase(first);
}

// Lets everybody else's locks of the slot go, each in one of the ways that there are.
void World::release_slot(const Handle& but, unsigned slot) {
    for (Client& client : clients_) {
        for (std::size_t i = 0; i < client.handles.size() && complaint_.empty();) {
            Handle& handle = client.handles[i];
            const bool holds = std::any_of(handle.locks.begin(), handle.locks.end(),
                                           [&](const Held& held) { return held.slot == slot; });
            if (&handle == &but || handle.file != but.file || !holds) {
                ++i;
                continue;
            }
            if (chance_.one_in(2)) {
                const Reply reply = send_lock(client, handle, slot, wire::lock_flags::unlock);
                if (!reply.ok()) return complain("UNLOCK for one who waits");
                handle.locks.erase(std::find_if(handle.locks.begin(), handle.locks.end(),
                                                [&](const Held& h) { return h.slot == slot; }));
                continue;
            }
            wire::CloseRequest request;
            request.file_id = handle.id;
            const Reply reply = drive(client, client.link->send(client.link->make(request)));
            if (!reply.ok()) return complain("CLOSE for one who waits");
            closed(client, i);
        }
    }
}

void World::wait_for_lock(Client& client) {
    Handle* handle = some_handle(client);
    if (handle == nullptr || handle->locks.size() >= 3) return;
    const auto slot = static_cast<unsigned>(chance_.below(slots));
    // Another client's, who is there and can let it go.
    bool waits = false;
    if (is_unsure(handle->file, slot)) return;
    for (const Client& each : clients_) {
        for (const Handle& other : each.handles) {
            if (other.file != handle->file) continue;
            const bool holds = std::any_of(other.locks.begin(), other.locks.end(),
                                           [&](const Held& held) { return held.slot == slot; });
            if (!holds) continue;
            if (other.away || each.number == client.number) return;
            waits = true;
        }
    }
    if (!waits) return;
    wire::LockRequest request;
    request.file_id = handle->id;
    request.locks.push_back({slot * slot_size, slot_size, wire::lock_flags::exclusive_lock});
    const std::uint64_t id = client.link->send(client.link->make(request));
    const Reply interim = client.link->wait_interim(id);
    if (interim.status() != NtStatus::PENDING) return complain("a LOCK that should wait does not");
    release_slot(*handle, slot);
    const Reply reply = drive(client, id);
    if (!reply.ok()) return complain(fmt::format("who waited: {}", status_name(reply.status())));
    ++seen.lock_waits;
    handle->locks.push_back({slot, true});
    touched(client, *handle, true);
}

// Perhaps on another connection, perhaps to a server that has started again.
void World::replay_lock(Client& client) {
    Handle* handle = some_handle(client);
    if (handle == nullptr || !handle->numbered) return;
    wire::LockRequest request = *handle->numbered;
    request.file_id = handle->id;
    const Reply reply = drive(client, client.link->send(client.link->make(request)));
    ++seen.lock_replays;
    // The number of locks is compared afterwards.
    if (!reply.ok()) complain(fmt::format("a replayed LOCK: {}", status_name(reply.status())));
}

}  // namespace smb3d::test::durable_sim
