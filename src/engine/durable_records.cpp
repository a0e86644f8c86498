// DurableKeeper's records: what of persistent opens is on disk, and when.
#include <algorithm>

#include "engine/durable_keeper.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

void ignore(void*, Result<void>&&) {}

}  // namespace

void DurableKeeper::submit(Open& open, Urgency urgency, vfs::Done<void> done) {
    // Two changes at once must reach the disk in the order in which they were seen.
    const auto ahead = open.record_ahead.lock();
    if (ahead->gone) {
        store_->barrier(done);
        return;
    }
    if (urgency != Urgency::fresh) ahead->rewritten = true;
    const durable::Record record = record_of(open, *ahead);
    switch (urgency) {
        case Urgency::told:
            return store_->put(record, done);
        case Urgency::fresh:
            return store_->put_new(record, done);
        case Urgency::later:
            return store_->put_later(record, done);
    }
}

Task<NtStatus> DurableKeeper::write_as(std::shared_ptr<Open> open, Urgency urgency, Loop& loop) {
    if (!store_ || !open->is_persistent()) co_return NtStatus::SUCCESS;
    Pending<void> writing(loop);
    submit(*open, urgency, writing.done());
    const Result<void> written = co_await writing;
    co_return written ? NtStatus::SUCCESS : written.error();
}

Task<NtStatus> DurableKeeper::write(std::shared_ptr<Open> open, Loop& loop) {
    return write_as(std::move(open), Urgency::told, loop);
}

Task<NtStatus> DurableKeeper::write_new(std::shared_ptr<Open> open, Loop& loop) {
    arriving_.lock()->push_back(open);
    Task<NtStatus> writing = write_as(open, Urgency::fresh, loop);
    const NtStatus written = co_await writing;
    if (written == NtStatus::SUCCESS) {
        // Before the session knows of it, or its end would take it for an open like any other.
        open->replay_eligible = true;
        table.add(open);
    }
    std::erase(*arriving_.lock(), open);
    if (written != NtStatus::SUCCESS) {
        // A rename or a deletion may have written one; else there is nothing that a full disk would
        // have to be asked to erase.
        bool rewritten = false;
        {
            const auto ahead = open->record_ahead.lock();
            rewritten = ahead->rewritten;
            ahead->gone = !rewritten;
        }
        if (rewritten) {
            Task<bool> erasing = erase_record(open, loop);
            co_await erasing;
        }
    }
    co_return written;
}

void DurableKeeper::write_later(Open& open) {
    if (!store_ || !open.is_persistent()) return;
    submit(open, Urgency::later, vfs::Done<void>(ignore, nullptr));
}

void DurableKeeper::write_later(const std::vector<std::uint64_t>& persistent_ids) {
    if (!store_) return;
    for (const std::uint64_t id : persistent_ids) {
        if (const DurableTable::Found found = table.find(id); found.open) write_later(*found.open);
    }
}

std::vector<std::shared_ptr<Open>> DurableKeeper::persistent_opens(const fsa::File& file) const {
    std::vector<std::shared_ptr<Open>> opens;
    if (!store_) return opens;
    {
        // First: who leaves them is in the table by then.
        const auto arriving = arriving_.lock();
        for (const std::shared_ptr<Open>& open : *arriving) {
            if (open->fsa && &open->fsa->file() == &file) opens.push_back(open);
        }
    }
    if (!table.any_persistent()) return opens;
    for (const fsa::File::OpenView& view : file.opens()) {
        DurableTable::Found found = table.find(view.id);
        if (!found.open || !found.open->is_persistent()) continue;
        if (std::ranges::find(opens, found.open) == opens.end()) opens.push_back(found.open);
    }
    return opens;
}

Task<NtStatus> DurableKeeper::write_all(std::shared_ptr<fsa::File> file, Loop& loop) {
    NtStatus result = NtStatus::SUCCESS;
    for (const std::shared_ptr<Open>& open : persistent_opens(*file)) {
        Task<NtStatus> writing = write(open, loop);
        const NtStatus written = co_await writing;
        if (result == NtStatus::SUCCESS) result = written;
    }
    co_return result;
}

void DurableKeeper::set_next_path(const fsa::File& file, const std::string& path) {
    for (const std::shared_ptr<Open>& open : persistent_opens(file)) {
        open->record_ahead.lock()->next_path = open->tree->place.in_share(path);
    }
}

void DurableKeeper::lease_changed(Lease& lease) { write_later(lease.open_ids()); }

Task<NtStatus> DurableKeeper::write_lease(std::shared_ptr<Lease> lease, Loop& loop) {
    NtStatus result = NtStatus::SUCCESS;
    if (!store_) co_return result;
    for (const std::uint64_t id : lease->open_ids()) {
        const DurableTable::Found found = table.find(id);
        if (!found.open) continue;
        Task<NtStatus> writing = write(found.open, loop);
        const NtStatus written = co_await writing;
        if (written != NtStatus::SUCCESS) {
            result = written;
            write_later(*found.open);
        }
    }
    co_return result;
}

// ---- breaks

void DurableKeeper::record_breaks(const std::vector<std::uint64_t>& persistent_ids) {
    if (!store_) return;
    for (const std::uint64_t id : persistent_ids) {
        const DurableTable::Found found = table.find(id);
        if (!found.open || !found.open->is_persistent()) continue;
        unrecorded_.fetch_add(1, std::memory_order_acq_rel);
        const auto recorded = [](void* self, Result<void>&&) {
            static_cast<DurableKeeper*>(self)->break_recorded();
        };
        submit(*found.open, Urgency::later, vfs::Done<void>(recorded, this));
    }
}

Task<bool> DurableKeeper::breaks_recorded(Loop& loop) {
    if (!breaks_unrecorded()) co_return false;
    // The store works in the order of the requests.
    Pending<void> recording(loop);
    store_->barrier(recording.done());
    const Result<void> recorded = co_await recording;
    static_cast<void>(recorded);
    co_return true;
}

namespace {

// Opens that share the grant, as far as they are persistent.
std::vector<std::shared_ptr<Open>> sharers(const DurableKeeper& keeper, const fsa::File& file,
                                           const fsa::Grant& grant) {
    std::vector<std::shared_ptr<Open>> opens = keeper.persistent_opens(file);
    std::erase_if(opens, [&](const std::shared_ptr<Open>& open) {
        return file.holder(*open->fsa) != grant.holder;
    });
    return opens;
}

std::shared_ptr<Open> one_besides(const std::vector<std::shared_ptr<Open>>& opens,
                                  const std::vector<std::shared_ptr<Open>>& known) {
    for (const std::shared_ptr<Open>& open : opens) {
        if (std::find(known.begin(), known.end(), open) == known.end()) return open;
    }
    return nullptr;
}

Detached run_time_out(ServerImpl& server, Loop& loop, std::shared_ptr<fsa::File> file,
                      std::shared_ptr<fsa::Grant> grant, std::uint32_t number, bool reachable) {
    DurableKeeper& keeper = server.durable;
    std::vector<std::shared_ptr<Open>> opens;
    while (true) {
        // An owner who comes back meanwhile has another Open object.
        const std::shared_ptr<Open> open = one_besides(sharers(keeper, *file, *grant), opens);
        if (open == nullptr) break;
        opens.push_back(open);
        if (reachable) open->record_ahead.lock()->cache = fsa::cache::none;
        Task<NtStatus> writing = keeper.write(open, loop);
        const NtStatus written = co_await writing;
        static_cast<void>(written);  // logged; it is written again below
    }
    file->break_timed_out(grant, number, reachable);
    std::vector<std::uint64_t> ids;
    for (const auto& open : opens) {
        open->record_ahead.lock()->cache.reset();
        ids.push_back(open->persistent_id);
    }
    keeper.write_later(ids);
    server.work_ended();
}

}  // namespace

void DurableKeeper::time_out(std::shared_ptr<fsa::File> file, std::shared_ptr<fsa::Grant> grant,
                             std::uint32_t number, bool reachable) {
    if (sharers(*this, *file, *grant).empty()) {
        file->break_timed_out(grant, number, reachable);
        return;
    }
    server_.work_began();
    post_function(loop_, [this, file = std::move(file), grant = std::move(grant), number,
                          reachable]() mutable {
        run_time_out(server_, loop_, std::move(file), std::move(grant), number, reachable);
    });
}

// ---- the end

// A deletion that is still to be done is remembered until it is; nothing else of the handle is.
Task<bool> DurableKeeper::record_close(std::shared_ptr<Open> open, Loop& loop) {
    if (!store_ || !open->is_persistent() || !open->fsa) co_return false;
    const fsa::File& file = open->fsa->file();
    if (!file.is_delete_on_close(*open->fsa) && !file.delete_pending(*open->fsa)) {
        Task<bool> erasing = erase_record(open, loop);
        co_return co_await erasing;
    }
    open->record_ahead.lock()->closing = true;
    Task<NtStatus> writing = write(open, loop);
    const NtStatus written = co_await writing;
    co_return written == NtStatus::SUCCESS;
}

Task<bool> DurableKeeper::erase_record(std::shared_ptr<Open> open, Loop& loop) {
    {
        const auto ahead = open->record_ahead.lock();
        if (std::exchange(ahead->gone, true)) co_return false;
    }
    Pending<void> erasing(loop);
    store_->erase(open->persistent_id, erasing.done());
    const Result<void> erased = co_await erasing;
    // If it failed it is logged and tried again by the store, and expires by itself.
    co_return erased.has_value();
}

Task<bool> DurableKeeper::forget(std::shared_ptr<Open> open, Loop& loop) {
    const bool was_there = table.remove(*open);
    if (!store_ || !open->is_persistent()) co_return was_there;
    // Until the record is gone, a server that starts again would hold the file for the client.
    Task<bool> erasing = erase_record(open, loop);
    co_await erasing;
    co_return was_there;
}

namespace {

durable::LeaseRecord lease_record_of(const Open& open, const Durability& durability,
                                     const Open::RecordAhead& ahead) {
    durable::LeaseRecord record;
    const fsa::Caching caching = open.fsa->file().caching(*open.fsa);
    record.state = durability.expected_cache.value_or(ahead.cache.value_or(caching.kept));
    if (ahead.closing) record.state = fsa::cache::none;
    record.epoch = caching.epoch;
    if (!open.lease) {
        if (record.state != fsa::cache::none) record.kind = durable::Caching::oplock;
        return record;
    }
    record.kind = durable::Caching::lease;
    record.key = open.lease->lease_key();
    record.version = open.lease->v2 ? 2 : 1;
    const fsa::OplockKey& parent = open.fsa->parent_oplock_key;
    if (!parent.empty()) std::copy_n(parent.bytes.begin() + 16, 16, record.parent_key.begin());
    return record;
}

}  // namespace

namespace {

std::vector<durable::LockRange> locks_of(const Open& open, const Open::RecordAhead& ahead) {
    std::vector<durable::LockRange> locks;
    if (ahead.closing) return locks;
    std::vector<fsa::ByteRange> without = ahead.unlocking;
    for (const auto& entry : open.fsa->file().locks()) {
        if (entry.owner != open.fsa->id) continue;
        const fsa::ByteRange& range = entry.element.range;
        const auto going =
            std::find_if(without.begin(), without.end(), [&](const fsa::ByteRange& each) {
                return each.offset == range.offset && each.length == range.length;
            });
        if (going != without.end()) {
            without.erase(going);
            continue;
        }
        locks.push_back({range.offset, range.length, entry.element.exclusive});
    }
    return locks;
}

}  // namespace

durable::Record record_of(const Open& open, const Open::RecordAhead& ahead) {
    durable::Record record;
    const Durability durability = *open.durability.lock();
    const fsa::File& file = open.fsa->file();
    record.persistent_id = open.persistent_id;
    record.share = open.tree->policy->name;
    record.path = open.path();
    if (ahead.next_path != record.path) record.next_path = ahead.next_path;
    record.volume = open.file_id.volume;
    record.inode = open.file_id.inode;
    record.generation = open.file_id.generation;
    record.directory = open.is_directory();
    record.user = open.caller->user;
    record.domain = open.caller->domain;
    record.uid = open.caller->uid;
    record.gid = open.caller->gid;
    record.groups = open.caller->groups;
    record.sids = open.caller->sids;
    record.privileges = open.caller->privileges;
    record.client_guid = durability.client_guid;
    record.create_guid = durability.create_guid.value_or(durable::Id16{});
    record.app_instance_id = durability.app_instance_id;
    record.app_instance_version = durability.app_instance_version;
    record.granted_access = open.granted_access;
    record.share_access = open.share_access;
    record.create_options = open.create_options;
    record.timeout_ms = durability.timeout_ms;
    record.opened_at = open.opened_at;
    record.delete_on_close = file.is_delete_on_close(*open.fsa);
    record.delete_pending = file.delete_pending(*open.fsa);
    record.lease = lease_record_of(open, durability, ahead);
    record.lock_sequence = open.lock_sequence.lock()->numbers();
    record.locks = locks_of(open, ahead);
    return record;
}

}  // namespace smb3d::engine
