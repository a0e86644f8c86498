#include "engine/lease_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/server_impl.h"
#include "engine/unsolicited.h"
#include "wire/oplock_break.h"

namespace smb3d::engine {

fsa::OplockKey oplock_key(const ClientGuid& client, const wire::LeaseKey& key) {
    fsa::OplockKey result;
    std::copy(client.begin(), client.end(), result.bytes.begin());
    std::copy(key.begin(), key.end(), result.bytes.begin() + client.size());
    return result;
}

const char* cache_state_name(fsa::CacheState state) {
    constexpr std::array names = {"", "R", "H", "RH", "W", "RW", "WH", "RWH"};
    return names[state & fsa::cache::all];
}

// ---- holders

void ClientHolder::cache_broken(const fsa::BreakNotice& notice) {
    const std::weak_ptr<fsa::File> file = file_;
    if (notice.acknowledge) server_.break_timers.watch(*this, file, notice);
    std::vector<Recipient> recipients;
    for (const BreakTarget& target : targets()) {
        std::shared_ptr<Session> session = server_.session_table.find(target.session_id);
        if (session == nullptr) continue;
        const bool encrypt = session->encrypt_data || target.encrypt;
        recipients.push_back({std::move(session), encrypt});
    }
    std::vector<std::uint64_t> opens = open_ids();
    // Before somebody else relies on it, what is left must be what a server that starts again
    // believes: an acknowledgment waits for it, and so does who breaks without one.
    server_.durable.record_breaks(opens);
    auto sent = [&server = server_, opens = std::move(opens), file, grant = notice.grant,
                 number = notice.number](std::uint64_t connection_id) {
        if (connection_id != 0) return;
        // An owner who is away loses a durable handle, but has time to answer for a better one.
        if (server.durable.owner_is_away(opens)) return;
        if (auto alive = file.lock()) server.durable.time_out(alive, grant, number, false);
    };
    SendRules how = rules();
    if (notice.acknowledge) {
        // A client that has acknowledged and gone has heard of it.
        how.still_wanted = [file, grant = notice.grant, number = notice.number] {
            const auto alive = file.lock();
            return alive && alive->is_breaking(*grant, number);
        };
    }
    send_to_sessions(server_, recipients, message(notice), how, std::move(sent));
}

void ClientHolder::break_over(std::uint32_t number) { server_.break_timers.forget(*this, number); }

void OplockHolder::set_open(std::uint64_t persistent_id, std::uint64_t volatile_id,
                            BreakTarget target) {
    *where_.lock() = {persistent_id, volatile_id, target};
}

std::vector<BreakTarget> OplockHolder::targets() { return {where_.lock()->target}; }

std::vector<std::uint64_t> OplockHolder::open_ids() { return {where_.lock()->persistent_id}; }

// [MS-SMB2] 3.3.4.6
std::vector<std::byte> OplockHolder::message(const fsa::BreakNotice& notice) const {
    wire::OplockBreakNotification body;
    body.oplock_level =
        notice.to == fsa::cache::none ? wire::OplockLevel::none : wire::OplockLevel::ii;
    {
        const auto where = where_.lock();
        body.file_id = {where->persistent_id, where->volatile_id};
    }
    return unsolicited(body);
}

wire::LeaseKey Lease::lease_key() const {
    wire::LeaseKey result;
    std::copy(key.bytes.begin() + 16, key.bytes.end(), result.begin());
    return result;
}

std::vector<BreakTarget> Lease::targets() {
    std::vector<BreakTarget> result;
    const auto users = users_.lock();
    for (const User& user : *users) {
        const bool known = std::any_of(result.begin(), result.end(), [&](const BreakTarget& t) {
            return t.session_id == user.target.session_id;
        });
        if (!known) result.push_back(user.target);
    }
    return result;
}

// [MS-SMB2] 3.3.4.7
std::vector<std::byte> Lease::message(const fsa::BreakNotice& notice) const {
    wire::LeaseBreakNotification body;
    body.new_epoch = v2 ? notice.epoch : std::uint16_t{0};
    body.flags = notice.acknowledge ? wire::break_lease_flag_ack_required : 0;
    body.lease_key = lease_key();
    body.current_lease_state = notice.from;
    body.new_lease_state = notice.to;
    return unsolicited(body);
}

void Lease::move(std::uint64_t open_id, BreakTarget target) {
    const auto users = users_.lock();
    for (User& user : *users) {
        if (user.open_id == open_id) user.target = target;
    }
}

bool Lease::remove(std::uint64_t open_id) {
    const auto users = users_.lock();
    std::erase_if(*users, [&](const User& user) { return user.open_id == open_id; });
    return users->empty();
}

std::vector<std::uint64_t> Lease::open_ids() {
    std::vector<std::uint64_t> ids;
    const auto users = users_.lock();
    for (const User& user : *users) ids.push_back(user.open_id);
    return ids;
}

// ---- LeaseTable

LeaseTable::Shard& LeaseTable::shard(const fsa::OplockKey& key) const {
    return shards_[(fsa::OplockKeyHash{}(key) >> 40) % shard_count];
}

bool LeaseTable::usable_for(const fsa::OplockKey& key, fsa::ShareId share,
                            std::string_view path) const {
    const auto leases = shard(key).lock();
    const auto found = leases->find(key);
    if (found == leases->end()) return true;
    const std::shared_ptr<fsa::File> file = found->second->file();
    return file == nullptr || (file->key().share == share && file->has_name(path));
}

std::shared_ptr<Lease> LeaseTable::join(ServerImpl& server, const fsa::OplockKey& key, bool v2,
                                        const std::shared_ptr<fsa::File>& file,
                                        const Lease::User& user) {
    const auto leases = shard(key).lock();
    std::shared_ptr<Lease>& lease = (*leases)[key];
    if (lease != nullptr && lease->file() != file) return nullptr;
    if (lease == nullptr) lease = std::make_shared<Lease>(server, file, key, v2);
    lease->add(user);
    return lease;
}

void LeaseTable::leave(const std::shared_ptr<Lease>& lease, std::uint64_t open_id) {
    bool gone = false;
    {
        const auto leases = shard(lease->key).lock();
        gone = lease->remove(open_id);
        const auto found = leases->find(lease->key);
        if (gone && found != leases->end() && found->second == lease) leases->erase(found);
    }
    if (gone) forget_directory(lease->key);
}

std::shared_ptr<Lease> LeaseTable::find(const fsa::OplockKey& key) {
    const auto leases = shard(key).lock();
    const auto found = leases->find(key);
    return found != leases->end() ? found->second : nullptr;
}

std::size_t LeaseTable::size() const {
    std::size_t count = 0;
    for (Shard& leases : shards_) count += leases.lock()->size();
    return count;
}

void LeaseTable::directory_granted(const std::shared_ptr<Lease>& lease, std::size_t limit) {
    std::vector<std::shared_ptr<Lease>> oldest;
    {
        const auto directories = directories_.lock();
        const auto [place, inserted] = directories->places.try_emplace(lease->key);
        if (!inserted) directories->order.erase(place->second);
        place->second = directories->order.insert(directories->order.end(), lease);
        while (directories->order.size() > limit) {
            std::shared_ptr<Lease> first = directories->order.front().lock();
            directories->order.pop_front();
            if (first == nullptr) continue;
            directories->places.erase(first->key);
            oldest.push_back(std::move(first));
        }
    }
    for (const auto& first : oldest) {
        if (const auto file = first->file()) file->break_lease(first->key);
    }
}

void LeaseTable::forget_directory(const fsa::OplockKey& key) {
    const auto directories = directories_.lock();
    const auto place = directories->places.find(key);
    if (place == directories->places.end()) return;
    directories->order.erase(place->second);
    directories->places.erase(place);
}

}  // namespace smb3d::engine
