// What a LeaseClient does.
#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "base/utf16.h"
#include "client/contexts.h"
#include "fsa/change_notify.h"
#include "fscc/file_info.h"
#include "fscc/info_class.h"
#include "sim/lease_client.h"
#include "wire/change_notify.h"
#include "wire/create_context.h"
#include "wire/lock.h"
#include "wire/query_directory.h"
#include "wire/set_info.h"

namespace smb3d::test {

using fsa::CacheState;
namespace cache = fsa::cache;
using wire::OplockLevel;

namespace {

constexpr std::uint32_t read_write = 0x0013019F;  // and DELETE
constexpr std::uint32_t read_only = 0x00120089;
constexpr std::uint32_t attributes_only = 0x00000080;
constexpr std::uint32_t directory_access = 0x001201BF;
constexpr unsigned closing = 100;  // added to Handle::busy
constexpr CacheState lease_states[] = {cache::read, cache::read | cache::handle,
                                       cache::read | cache::write, cache::all, cache::all};

CacheState state_of(OplockLevel level) {
    switch (level) {
        case OplockLevel::ii:
            return cache::read;
        case OplockLevel::exclusive:
            return cache::read | cache::write;
        case OplockLevel::batch:
            return cache::all;
        default:
            return cache::none;
    }
}

// The names of a FileNamesInformation listing, without "." and "..".
std::set<std::string> names_of(Bytes list) {
    std::set<std::string> names;
    std::size_t at = 0;
    while (at + 12 <= list.size()) {
        const auto next = wire::detail::from_little<std::uint32_t>(list.data() + at);
        const auto length = wire::detail::from_little<std::uint32_t>(list.data() + at + 8);
        if (length > list.size() - at - 12) break;
        if (auto name = utf16le_to_utf8(list.subspan(at + 12, length))) {
            if (*name != "." && *name != "..") names.insert(*name);
        }
        if (next == 0) break;
        at += next;
    }
    return names;
}

}  // namespace

void LeaseClient::act() {
    if (main_ == nullptr) {
        connect();
        return;
    }
    switch (world_.chance.below(32)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
        case 6:
            return open_file();
        case 7:
        case 8:
            return open_directory();
        case 9:
        case 10:
            return reopen();
        case 11:
        case 12:
        case 13:
            return close_handle();
        case 14:
        case 15:
        case 16:
            return read();
        case 17:
        case 18:
        case 19:
            return write();
        case 20:
            return list();
        case 21:
        case 22:
            return lock();
        case 23:
            return unlock();
        case 24:
            return watch();
        case 25:
            return cancel_one();
        case 26:
        case 27:
            return rename_or_remove();
        case 28:
            return world_.chance.one_in(2) ? wrong_answer() : break_by_administrator();
        case 29:
            return add_channel();
        case 30:
            return drop_channel();
        default:
            if (world_.chance.one_in(3)) lose_session(true);
    }
}

// ---- opening

// Two CREATEs of a lease may overlap, and so may two CLOSEs; a version 1 lease has no epoch to tell
// what came first.
bool LeaseClient::may_request(const wire::LeaseKey& key) {
    const LeaseModel& lease = lease_of(key);
    if (lease.closes != 0 || lease.caching.answering != 0) return false;
    return lease.v2 || (lease.creates == 0 && !lease.caching.pending);
}

void LeaseClient::open_file() {
    if (handles_.size() > 10) return close_handle();
    Create create;
    create.node = static_cast<unsigned>(world_.chance.below(first_directory));
    if (world_.chance.one_in(2)) create.node %= stable_files;
    const std::uint64_t access = world_.chance.below(10);
    create.access = access == 0 ? attributes_only : access <= 3 ? read_only : read_write;
    const std::uint64_t kind = world_.chance.below(8);
    if (kind >= 3) {
        wire::LeaseKey key{};
        key[0] = static_cast<std::uint8_t>(number_ + 1);
        key[1] = static_cast<std::uint8_t>(create.node);
        key[2] = static_cast<std::uint8_t>(1 + world_.chance.below(4) / 3);
        if (!may_request(key)) return;
        create.lease = key;
        create.state = lease_states[world_.chance.below(std::size(lease_states))];
        create.oplock = OplockLevel::lease;
    } else if (kind > 0) {
        constexpr OplockLevel levels[] = {OplockLevel::ii, OplockLevel::exclusive,
                                          OplockLevel::batch};
        create.oplock = levels[world_.chance.below(3)];
    }
    // What is closed when its owner does not come back must not change names: that is excepted from
    // breaking the lease of its directory, and nobody would know.
    create.durable = create.node < stable_files && world_.chance.one_in(2);
    create.overwrites = world_.chance.one_in(10) && !(create.lease && leases_[*create.lease].dirty);
    const auto disposition = create.overwrites ? wire::CreateDisposition::overwrite_if
                                               : wire::CreateDisposition::open_if;
    std::uint32_t options = 0;
    const bool deletes = create.node >= stable_files && create.access == read_write;
    if (deletes && world_.chance.one_in(8)) options |= wire::create_options::delete_on_close;
    send_create(std::move(create), disposition, options);
}

void LeaseClient::open_directory() {
    if (handles_.size() > 10) return close_handle();
    Create create;
    create.node = first_directory + static_cast<unsigned>(world_.chance.below(directories));
    create.access = directory_access;
    if (dialect_ >= wire::dialect::smb300 && !world_.chance.one_in(4)) {
        wire::LeaseKey key{};
        key[0] = static_cast<std::uint8_t>(number_ + 1);
        key[1] = static_cast<std::uint8_t>(create.node);
        key[2] = 1;
        if (!may_request(key)) return;
        create.lease = key;
        create.oplock = OplockLevel::lease;
        create.state = world_.chance.one_in(2) ? cache::read : cache::read | cache::handle;
    }
    send_create(std::move(create), wire::CreateDisposition::open,
                wire::create_options::directory_file);
}

void LeaseClient::reopen() {
    if (away_.empty()) return;
    const std::size_t which = world_.chance.below(away_.size());
    Create create;
    create.away = away_[which];
    const Handle& handle = create.away->handle;
    if (handle.lease && (!may_request(*handle.lease) || leases_[*handle.lease].creates != 0)) {
        return;
    }
    away_.erase(away_.begin() + static_cast<std::ptrdiff_t>(which));
    create.node = handle.node;
    create.lease = handle.lease;
    create.access = handle.access;
    create.guid = handle.create_guid;
    create.state = cache::all;
    create.oplock = handle.lease ? OplockLevel::lease : OplockLevel::batch;
    send_create(std::move(create), wire::CreateDisposition::open, 0);
}

Message LeaseClient::contexts_for(const Create& create) {
    wire::CreateContextBuilder builder;
    const bool smb3 = dialect_ >= wire::dialect::smb300;
    if (create.lease && smb3) {
        wire::LeaseV2 lease;
        lease.lease_key = *create.lease;
        lease.lease_state = create.state;
        lease.epoch = lease_of(*create.lease).epoch;
        if (create.node < first_directory) {
            lease.lease_flags = wire::lease_flags::parent_lease_key_set;
            lease.parent_lease_key = *create.lease;
            lease.parent_lease_key[1] =
                static_cast<std::uint8_t>(first_directory + create.node % directories);
            lease.parent_lease_key[2] = 1;
        }
        builder.add(wire::tag::rqls, lease);
    } else if (create.lease) {
        wire::Lease lease;
        lease.lease_key = *create.lease;
        lease.lease_state = create.state;
        builder.add(wire::tag::rqls, lease);
    }
    if (create.away && smb3) {
        wire::DurableHandleReconnectV2 request;
        request.file_id = create.away->handle.id;
        request.create_guid = create.guid;
        builder.add(wire::tag::dh2c, request);
    } else if (create.away) {
        builder.add(wire::tag::dhnc, wire::DurableHandleReconnect{create.away->handle.id});
    } else if (create.durable && smb3) {
        wire::DurableHandleRequestV2 request;
        request.create_guid = create.guid;
        builder.add(wire::tag::dh2q, request);
    } else if (create.durable) {
        builder.add(wire::tag::dhnq, wire::DurableHandleRequest{});
    }
    return {builder.bytes().begin(), builder.bytes().end()};
}

void LeaseClient::send_create(Create create, wire::CreateDisposition disposition,
                              std::uint32_t options) {
    if (!create.away) {
        create.guid.fill(static_cast<std::uint8_t>(number_ + 1));
        const std::uint64_t unique = next_value_++;
        std::memcpy(create.guid.data(), &unique, sizeof unique);
    }
    const Message contexts = contexts_for(create);
    const Message name = utf16(name_of(create.node));
    wire::CreateRequest request;
    request.desired_access = create.access;
    request.share_access = wire::share_access::all;
    if (world_.chance.one_in(10)) {
        request.share_access = static_cast<std::uint32_t>(world_.chance.below(8));
    }
    request.create_disposition = disposition;
    request.create_options = options;
    request.requested_oplock_level = create.oplock;
    request.name = name;
    request.create_contexts = Bytes(contexts);
    touched(create.node);
    create.sent = world_.now + 1;
    if (create.lease) ++leases_[*create.lease].creates;
    if (create.lease && create.overwrites) doubt(leases_[*create.lease]);
    const auto lost = [this, create] {
        if (!create.lease) return;
        --leases_[*create.lease].creates;
        leases_[*create.lease].caching.uncertain = true;
    };
    issue(
        create.away ? "reconnect" : "create", request,
        [this, create](const Reply& reply) { opened(create, reply); }, lost);
}

void LeaseClient::opened(const Create& create, const Reply& reply) {
    touched(create.node);
    if (create.lease) --leases_[*create.lease].creates;
    if (create.lease && create.overwrites) doubt(leases_[*create.lease]);
    if (!reply.ok()) return;
    ++world_.seen.opens;
    const auto response = reply.body<wire::CreateResponse>();
    if (create.away) {
        ++world_.seen.reconnected;
        if (response.file_id.persistent_id != create.away->handle.id.persistent_id) {
            world_.complain("a reconnect yields another file");
        }
    }
    if (response.create_action == wire::CreateAction::created) {
        auto& created = world_.created[create.node % directories];
        created = std::max(created, create.sent);
    }
    Handle handle;
    if (create.away) handle = create.away->handle;
    handle.id = response.file_id;
    handle.node = create.node;
    handle.access = create.access;
    handle.create_guid = create.guid;
    handle.busy = 0;
    handle.notify = false;
    handle.oplock = {};
    handle.durable = create.away.has_value() ||
                     context_of<wire::DurableHandleResponseV2>(response, wire::tag::dh2q) ||
                     context_of<wire::DurableHandleResponse>(response, wire::tag::dhnq);
    handle.lease.reset();
    if (response.oplock_level == OplockLevel::lease) {
        handle.lease = create.lease;
        ++leases_[*create.lease].handles;
        take_lease_state(*create.lease, reply, create.away.has_value());
    } else {
        handle.oplock.state = state_of(response.oplock_level);
        handle.oplock.uncertain = early_breaks_.contains(response.file_id.persistent_id);
    }
    handles_.emplace(next_serial_++, std::move(handle));
}

void LeaseClient::take_lease_state(const wire::LeaseKey& key, const Reply& reply, bool) {
    const auto response = reply.body<wire::CreateResponse>();
    LeaseModel& lease = leases_[key];
    Caching& caching = lease.caching;
    CacheState state = 0;
    std::uint32_t flags = 0;
    std::uint16_t epoch = 0;
    if (const auto v2 = context_of<wire::LeaseV2>(response, wire::tag::rqls); v2 && lease.v2) {
        state = v2->lease_state;
        flags = v2->lease_flags;
        epoch = v2->epoch;
    } else if (const auto v1 = context_of<wire::Lease>(response, wire::tag::rqls); v1) {
        state = v1->lease_state;
        flags = v1->lease_flags;
    } else {
        return world_.complain("a lease without its context");
    }
    const bool breaking = (flags & wire::lease_flags::break_in_progress) != 0;
    const auto difference = static_cast<std::int16_t>(epoch - lease.epoch);
    // Known by a break only, of a handle that was away.
    const bool fresh = lease.handles == 1 && lease.creates == 0 && !breaking;
    if (fresh && (!lease.v2 || difference >= 0)) lease.known = false;
    if (lease.known && breaking && (!lease.v2 || difference <= 0)) return;  // told already
    if (lease.known && lease.v2 && difference < 0) return;
    if (lease.known && lease.v2 && difference == 0) {
        if (caching.answering != 0 || caching.uncertain) return;
        if (caching.pending) {  // no longer breaking
            over(caching, caching.pending->not_before);
            doubt(lease);
        }
        if (state != caching.state) {
            world_.complain(fmt::format("client {}: {} has {} and is told {} in the same epoch",
                                        number_, name_of(lease.node), caching.state, state));
        }
        return;
    }
    // The notification went to an earlier connection.
    if (!lease.known && breaking) caching.uncertain = true;
    caching.pending.reset();
    if (lease.known && (caching.state & ~state) != 0) doubt(lease);
    lease.known = true;
    lease.epoch = epoch;
    caching.state = state;
}

// ---- closing

LeaseClient::Handle* LeaseClient::some_handle(bool file, std::uint64_t* serial) {
    std::vector<std::uint64_t> fitting;
    for (const auto& [number, handle] : handles_) {
        if ((handle.node < first_directory) == file) fitting.push_back(number);
    }
    if (fitting.empty()) return nullptr;
    *serial = fitting[world_.chance.below(fitting.size())];
    return &handles_[*serial];
}

void LeaseClient::close_handle() {
    std::uint64_t serial = 0;
    const Handle* handle = some_handle(!world_.chance.one_in(4), &serial);
    if (handle == nullptr) return;
    // A lock that waits ends with its handle.
    if (handle->busy >= closing || (handle->busy != 0 && !world_.chance.one_in(3))) return;
    close(serial);
}

void LeaseClient::close(std::uint64_t serial) {
    Handle& handle = handles_[serial];
    if (handle.oplock.answering != 0) return;
    if (handle.lease) {
        LeaseModel& lease = leases_[*handle.lease];
        if (lease.creates != 0 || lease.caching.answering != 0) return;
        if (lease.dirty) return flush(*handle.lease);
        if (lease.caching.pending && lease.caching.pending->answer_at == ~0U) return;
        ++lease.closes;
    }
    touched(handle.node);
    handle.busy += closing;
    wire::CloseRequest request;
    request.file_id = handle.id;
    issue(
        "close", request,
        [this, serial](const Reply& reply) {
            if (!reply.ok()) {
                world_.complain(fmt::format("CLOSE: {}", status_name(reply.status())));
            }
            closed(serial);
        },
        [this, serial] {
            const std::optional<wire::LeaseKey> key = handles_[serial].lease;
            closed(serial);
            if (key) leases_[*key].caching.uncertain = true;
        });
}

void LeaseClient::closed(std::uint64_t serial) {
    const Handle handle = handles_[serial];
    touched(handle.node);
    handles_.erase(serial);
    if (!handle.lease) return;
    LeaseModel& lease = leases_[*handle.lease];
    --lease.closes;
    if (--lease.handles != 0) return;
    lease.known = false;
    lease.caching.state = cache::none;
    lease.caching.pending.reset();
    lease.dirty = false;
    doubt(lease);
}

// ---- reading and writing

// What this client does below a directory does not break its own lease of it.
void LeaseClient::touched(unsigned node) {
    if (node >= first_directory) return;
    for (auto& [key, lease] : leases_) {
        if (lease.node == first_directory + node % directories) doubt(lease);
    }
}

void LeaseClient::read() {
    std::uint64_t serial = 0;
    const Handle* handle = some_handle(true, &serial);
    if (handle == nullptr || (handle->access & 1) == 0) return;
    if (!handle->lease) {
        wire::ReadRequest request;
        request.file_id = handle->id;
        request.length = 8;
        issue("read", request, [](const Reply&) {});
        return;
    }
    const wire::LeaseKey key = *handle->lease;
    const LeaseModel& lease = leases_[key];
    if (lease.value && !world_.chance.one_in(3)) {
        ++world_.seen.cached_reads;
        return;
    }
    wire::ReadRequest request;
    request.file_id = handle->id;
    request.length = 8;
    issue("read", request, [this, key, generation = lease.generation](const Reply& reply) {
        LeaseModel& cached = leases_[key];
        const bool good = cached.known && cached.generation == generation && !cached.dirty &&
                          (cached.caching.state & cache::read) != 0 && !cached.caching.pending;
        if (!good || !reply.ok()) return;
        const auto body = reply.body<wire::ReadResponse>();
        if (body.data.bytes.size() != sizeof(std::uint64_t)) return;
        std::uint64_t value = 0;
        std::memcpy(&value, body.data.bytes.data(), sizeof value);
        cached.value = value;
    });
}

void LeaseClient::write() {
    std::uint64_t serial = 0;
    const Handle* handle = some_handle(true, &serial);
    if (handle == nullptr || (handle->access & 2) == 0) return;
    const std::uint64_t value = std::uint64_t{number_ + 1} << 48 | next_value_++;
    const std::optional<wire::LeaseKey> key = handle->lease;
    if (key) {
        LeaseModel& lease = leases_[*key];
        const bool settled = lease.known && lease.creates == 0 && lease.closes == 0 &&
                             !lease.caching.pending && !lease.caching.uncertain &&
                             lease.caching.answering == 0;
        const bool caches = settled && (lease.caching.state & cache::write) != 0;
        if (lease.dirty || (caches && world_.chance.one_in(2))) {
            lease.value = value;
            lease.dirty = true;
            ++lease.generation;
            return;
        }
        doubt(lease);
    }
    wire::WriteRequest request;
    request.file_id = handle->id;
    request.data = Bytes(std::as_bytes(std::span(&value, 1)));
    touched(handle->node);
    const unsigned node = handle->node;
    const auto done = [this, key, node] {
        touched(node);
        if (key) doubt(leases_[*key]);
    };
    issue(
        "write", request, [done](const Reply&) { done(); },
        [this, key, done] {
            done();
            if (key) leases_[*key].caching.uncertain = true;
        });
}

void LeaseClient::list() {
    std::uint64_t serial = 0;
    const Handle* handle = some_handle(false, &serial);
    if (handle == nullptr) return;
    const Message pattern = utf16("*");
    wire::QueryDirectoryRequest request;
    request.file_id = handle->id;
    request.file_information_class = static_cast<std::uint8_t>(fscc::FileInfoClass::names);
    request.flags = 0x01;  // SMB2_RESTART_SCANS
    request.output_buffer_length = 65536;
    request.file_name = pattern;
    const std::optional<wire::LeaseKey> key = handle->lease;
    const std::uint64_t generation = key ? leases_[*key].generation : 0;
    issue("list", request, [this, key, generation](const Reply& reply) {
        if (!key || !reply.ok()) return;
        LeaseModel& lease = leases_[*key];
        if (!lease.known || lease.generation != generation || lease.caching.pending ||
            (lease.caching.state & cache::read) == 0) {
            return;
        }
        const auto body = reply.body<wire::QueryDirectoryResponse>();
        if (Clock::now() < no_listing_until_) return;
        lease.listing = names_of(body.output.bytes);
        ++world_.seen.listings;
    });
}

// ---- locks, watches

void LeaseClient::lock() {
    std::uint64_t serial = 0;
    Handle* handle = some_handle(true, &serial);
    if (handle == nullptr || handle->busy != 0 || handle->locks.size() > 5) return;
    if ((handle->access & 3) == 0) return;
    const Range range{1000 + world_.chance.below(6) * 10, world_.chance.one_in(2)};
    const bool waits = world_.chance.one_in(2);
    std::uint32_t flags =
        range.exclusive ? wire::lock_flags::exclusive_lock : wire::lock_flags::shared_lock;
    if (!waits) flags |= wire::lock_flags::fail_immediately;
    wire::LockRequest request;
    request.file_id = handle->id;
    request.locks.push_back({range.offset, 15, flags});
    ++handle->busy;
    const auto done = [this, serial](bool locked, bool lost, const Range& at) {
        const auto found = handles_.find(serial);
        if (found == handles_.end()) return;
        --found->second.busy;
        if (locked) found->second.locks.push_back(at);
        if (lost) found->second.locks_uncertain = true;
    };
    Outstanding& sent = issue(
        "lock", request,
        [this, done, range, waits](const Reply& reply) {
            if (reply.ok()) ++world_.seen.locks;
            if (reply.ok() && waits) ++world_.seen.lock_waits;
            done(reply.ok(), false, range);
        },
        [done, range] { done(false, true, range); });
    sent.may_wait = waits;
}

void LeaseClient::unlock() {
    std::uint64_t serial = 0;
    Handle* handle = some_handle(true, &serial);
    if (handle == nullptr || handle->busy != 0 || handle->locks.empty()) return;
    const std::size_t which = world_.chance.below(handle->locks.size());
    wire::LockRequest request;
    request.file_id = handle->id;
    request.locks.push_back({handle->locks[which].offset, 15, wire::lock_flags::unlock});
    handle->locks.erase(handle->locks.begin() + static_cast<std::ptrdiff_t>(which));
    ++handle->busy;
    const auto done = [this, serial](bool lost) {
        const auto found = handles_.find(serial);
        if (found == handles_.end()) return;
        --found->second.busy;
        found->second.locks_uncertain = found->second.locks_uncertain || lost;
    };
    const bool certain = !handle->locks_uncertain;
    issue(
        "unlock", request,
        [this, done, certain](const Reply& reply) {
            if (!reply.ok() && certain) {
                world_.complain(fmt::format("UNLOCK: {}", status_name(reply.status())));
            }
            done(false);
        },
        [done] { done(true); });
}

void LeaseClient::watch() {
    std::uint64_t serial = 0;
    Handle* handle = some_handle(false, &serial);
    if (handle == nullptr || handle->notify || handle->busy != 0) return;
    wire::ChangeNotifyRequest request;
    request.flags = world_.chance.one_in(2) ? wire::watch_tree : std::uint16_t{0};
    request.output_buffer_length = 4096;
    request.file_id = handle->id;
    request.completion_filter = fsa::change::file_name | fsa::change::size;
    handle->notify = true;
    const unsigned node = handle->node;
    const auto done = [this, serial] {
        const auto found = handles_.find(serial);
        if (found != handles_.end()) found->second.notify = false;
    };
    Outstanding& sent = issue(
        "watch", request,
        [this, done](const Reply& reply) {
            if (reply.ok()) ++world_.seen.notified;
            done();
        },
        done);
    sent.may_wait = true;
    // From its interim response on it must be told.
    TestClient& on = *sent.on;
    if (on.wait_interim(sent.id).lost) return;
    sent.watches = node - first_directory;
    sent.since = ++world_.now;
}

void LeaseClient::cancel_one() {
    for (Outstanding& request : outstanding_) {
        if (!request.may_wait || request.cancelled || !world_.chance.one_in(2)) continue;
        request.cancelled = true;
        // Over the channel that it came by.
        request.on->cancel(request.id);
        return;
    }
}

// ---- names

void LeaseClient::rename_or_remove() {
    std::uint64_t serial = 0;
    Handle* handle = some_handle(true, &serial);
    if (handle == nullptr || handle->node < stable_files || handle->access != read_write) return;
    wire::SetInfoRequest request;
    request.info_type = wire::InfoType::file;
    request.file_id = handle->id;
    const unsigned from = handle->node;
    const unsigned to = stable_files + static_cast<unsigned>(world_.chance.below(moving_files));
    const bool removes = world_.chance.one_in(3);
    Message data;
    const Message name = utf16(name_of(to));
    if (removes) {
        fscc::FileDispositionInformation info;
        info.delete_pending = 1;
        data = wire::to_bytes(info);
        request.file_info_class = static_cast<std::uint8_t>(fscc::FileInfoClass::disposition);
    } else {
        fscc::FileRenameInformation info;
        info.replace_if_exists = world_.chance.one_in(2) ? 1 : 0;
        info.file_name = name;
        data = wire::to_bytes(info);
        request.file_info_class = static_cast<std::uint8_t>(fscc::FileInfoClass::rename);
    }
    request.buffer = Bytes(data);
    touched(from);
    touched(to);
    const auto done = [this, from, to] {
        touched(from);
        touched(to);
    };
    issue(
        removes ? "remove" : "rename", request, [done](const Reply&) { done(); }, done);
}

// ---- answers nobody asked for

void LeaseClient::wrong_answer() {
    wire::LeaseBreakAcknowledgment answer;
    answer.lease_key.fill(0xEE);
    for (const auto& [key, lease] : leases_) {
        if (lease.handles == 0 || !world_.chance.one_in(3)) continue;
        answer.lease_key = key;
        break;
    }
    answer.lease_state = cache::all;  // more than any break leaves
    issue("wrong answer", answer, [this](const Reply& reply) {
        ++world_.seen.refused;
        if (reply.ok()) world_.complain("an answer to no break was accepted");
    });
}

void LeaseClient::break_by_administrator() {
    const auto opens = world_.server.engine().opens();
    if (opens.empty()) return;
    world_.server.engine().break_lease(opens[world_.chance.below(opens.size())].id);
}

}  // namespace smb3d::test
