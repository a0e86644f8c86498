#include "engine/durable_keeper.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

constexpr auto component = log::Component::engine;

Detached run_release(ServerImpl& server, std::shared_ptr<Open> open, Loop& loop) {
    Task<Result<void>> releasing = release_open(server, std::move(open), loop);
    co_await releasing;
    server.work_ended();
}

std::uint64_t timeout_ns(const Open& open) {
    const auto durability = open.durability.lock();
    const std::uint64_t ms =
        durability->resilient ? durability->resilient_timeout_ms : durability->timeout_ms;
    return ms * 1'000'000;
}

}  // namespace

bool keeps_handle_caching(const Open& open) {
    if (!open.fsa) return false;
    const fsa::Caching caching = open.fsa->file().caching(*open.fsa);
    return (caching.state & fsa::cache::handle) != 0 && !caching.breaking;
}

bool is_preserved(const Open& open) {
    if (!open.fsa) return false;
    bool durable = false;
    {
        const auto durability = open.durability.lock();
        if (durability->resilient || durability->persistent) return true;
        durable = durability->durable;
    }
    if (!durable || !keeps_handle_caching(open)) return false;
    // Deviation: as Windows (smbtorture smb2.durable-open.lock-noW-lease), locks stay only with one
    // who is alone with the file.
    const fsa::File& file = open.fsa->file();
    return file.lock_count(*open.fsa) == 0 ||
           (file.caching(*open.fsa).state & fsa::cache::write) != 0;
}

bool same_user(const Caller& a, const Caller& b) {
    if (a.guest || b.guest || a.anonymous || b.anonymous) return false;
    if (!a.sids.empty() && !b.sids.empty()) return a.sids.front() == b.sids.front();
    return a.user == b.user && a.domain == b.domain;
}

std::shared_ptr<Open> successor(const std::shared_ptr<Open>& old) {
    auto open = std::make_shared<Open>();
    open->persistent_id = old->persistent_id;
    open->caller = old->caller;
    open->tree = old->tree;
    open->file = old->file;
    open->fsa = old->fsa;
    open->lease = old->lease;
    open->file_id = old->file_id;
    open->kind = old->kind;
    open->granted_access = old->granted_access;
    open->share_access = old->share_access;
    open->create_options = old->create_options;
    open->create_action = old->create_action;
    open->opened_at = old->opened_at;
    // Nobody uses `old` any more, so that this needs no turn.
    open->enumeration = std::move(old->enumeration);
    const fsa::TimePins pins = *old->time_pins.lock();
    *open->time_pins.lock() = pins;
    const std::vector<std::uint8_t> numbers = old->lock_sequence.lock()->numbers();
    open->lock_sequence.lock()->set_numbers(numbers);
    open->resume_tag = old->resume_tag.load();
    const Durability durability = *old->durability.lock();
    *open->durability.lock() = durability;
    open->persistent = durability.persistent;
    open->replay_eligible = old->replay_eligible.load();
    return open;
}

DurableKeeper::DurableKeeper(ServerImpl& server, Loop& loop) : server_(server), loop_(loop) {
    scavenger_.owner = this;
    scavenger_.fire = [](Timer* timer) { static_cast<OwnedTimer*>(timer)->owner->expire(); };
}

bool DurableKeeper::begin_leaving(const Open& open) {
    if (!is_preserved(open)) return false;
    const auto config = server_.config();
    const DurableTable::Limits limits{
        config->max_disconnected_opens,
        std::min<std::size_t>(config->max_disconnected_opens, limits::max_disconnected_of_client)};
    return table.begin_leaving(open, limits);
}

Task<bool> DurableKeeper::park(std::shared_ptr<Open> open, Loop& loop) {
    Task<bool> draining = drain_open(open, loop);
    const bool drained = co_await draining;
    // The session's table gave it to one who ends it, so nobody else can have.
    if (!drained) co_return false;
    table.parked(*open, loop.now_ns() + timeout_ns(*open));
    // What happened meanwhile may have taken its reason to stay.
    if (!is_preserved(*open) && table.claim(*open)) {
        Task<Result<void>> releasing = release_open(server_, open, loop);
        co_await releasing;
        co_return false;
    }
    log::debug(component, "{} handle {:#x} waits for {}", open->durability.lock()->kind(),
               open->persistent_id, open->caller->user);
    schedule();
    co_return true;
}

void DurableKeeper::schedule() {
    post_function(loop_, [this] {
        if (stopped_.load(std::memory_order_relaxed)) return;
        const auto deadline = table.next_deadline();
        if (!deadline) {
            if (scavenger_.armed()) loop_.disarm(scavenger_);
            return;
        }
        const std::uint64_t now = loop_.now_ns();
        const std::uint64_t left = *deadline > now ? *deadline - now : 0;
        loop_.arm(scavenger_, std::chrono::nanoseconds(left) + std::chrono::milliseconds(1));
    });
}

void DurableKeeper::expire() {
    for (auto& open : table.take_expired(loop_.now_ns())) {
        log::info(component, "{} handle {:#x} of {} is closed: its owner did not come back",
                  open->durability.lock()->kind(), open->persistent_id, open->caller->user);
        release_detached(std::move(open));
    }
    schedule();
}

void DurableKeeper::release_detached(std::shared_ptr<Open> open) {
    server_.work_began();
    post_function(loop_, [this, open = std::move(open)]() mutable {
        run_release(server_, std::move(open), loop_);
    });
}

bool DurableKeeper::owner_is_away(const std::vector<std::uint64_t>& persistent_ids) {
    bool away = false;
    for (const std::uint64_t id : persistent_ids) {
        const DurableTable::Found found = table.find(id);
        // One that is leaving looks for itself whether it may stay, see park().
        if (!found.open || found.place == OpenPlace::connected) continue;
        away = true;
        bool kept = false;
        {
            const auto durability = found.open->durability.lock();
            kept = durability->persistent || durability->resilient;
        }
        if (!kept && table.claim(*found.open)) release_detached(found.open);
    }
    return away;
}

void DurableKeeper::end_if(const std::function<bool(const Open&)>& gone) {
    for (const auto& waiting : table.waiting()) {
        if (!gone(*waiting.open)) continue;
        if (table.claim(*waiting.open)) release_detached(waiting.open);
    }
}

Task<bool> DurableKeeper::release_all(Loop& loop) {
    for (const auto& open : table.take_waiting()) {
        if (store_ && open->is_persistent()) {
            // The next server has it from the store: what would be deleted stays until then.
            table.remove(*open);
            const fsa::CloseDecision decision = server_.files.close(*open->fsa);
            if (decision.kind == fsa::CloseDecision::Kind::remove_name) {
                server_.files.removal_done(decision, fail(NtStatus::CANCELLED));
            }
            vfs::OpContext op;
            op.caller = open->caller.get();
            op.loop = &loop;
            Pending<void> closing(loop);
            open->file->close(op, closing.done());
            const Result<void> closed = co_await closing;
            static_cast<void>(closed);
            open->file.reset();
            server_.return_open();
            continue;
        }
        Task<Result<void>> releasing = release_open(server_, open, loop);
        co_await releasing;
    }
    co_return true;
}

void DurableKeeper::stop() {
    stopped_ = true;
    if (scavenger_.armed()) loop_.disarm(scavenger_);
}

// ---- records

void DurableKeeper::submit(Open& open, vfs::Done<void> done) {
    // Two changes at once must reach the disk in the order in which they were seen.
    const auto turn = open.record_turn.lock();
    store_->put(record_of(open), done);
}

Task<NtStatus> DurableKeeper::write(std::shared_ptr<Open> open, Loop& loop) {
    if (!store_ || !open->is_persistent()) co_return NtStatus::SUCCESS;
    Pending<void> writing(loop);
    submit(*open, writing.done());
    const Result<void> written = co_await writing;
    co_return written ? NtStatus::SUCCESS : written.error();
}

void DurableKeeper::write_later(Open& open) {
    if (!store_ || !open.is_persistent()) return;
    submit(open, vfs::Done<void>([](void*, Result<void>&&) {}, nullptr));
}

void DurableKeeper::write_later(const std::vector<std::uint64_t>& persistent_ids) {
    if (!store_) return;
    for (const std::uint64_t id : persistent_ids) {
        if (const DurableTable::Found found = table.find(id); found.open) write_later(*found.open);
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
        if (written != NtStatus::SUCCESS) result = written;
    }
    co_return result;
}

Task<bool> DurableKeeper::forget(std::shared_ptr<Open> open, Loop& loop) {
    const bool was_there = table.remove(*open);
    if (!store_ || !open->is_persistent()) co_return was_there;
    // Until the record is gone, a server that starts again would hold the file for the client.
    Pending<void> erasing(loop);
    store_->erase(open->persistent_id, erasing.done());
    const Result<void> erased = co_await erasing;
    static_cast<void>(erased);  // logged by the store; it expires by itself
    co_return was_there;
}

namespace {

durable::LeaseRecord lease_record_of(const Open& open, const Durability& durability) {
    durable::LeaseRecord record;
    const fsa::Caching caching = open.fsa->file().caching(*open.fsa);
    record.state = durability.expected_cache.value_or(caching.kept);
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

durable::Record record_of(const Open& open) {
    durable::Record record;
    const Durability durability = *open.durability.lock();
    const fsa::File& file = open.fsa->file();
    record.persistent_id = open.persistent_id;
    record.share = open.tree->policy->name;
    record.path = open.path();
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
    record.lease = lease_record_of(open, durability);
    record.lock_sequence = open.lock_sequence.lock()->numbers();
    for (const auto& entry : file.locks()) {
        if (entry.owner != open.fsa->id) continue;
        record.locks.push_back(
            {entry.element.range.offset, entry.element.range.length, entry.element.exclusive});
    }
    return record;
}

}  // namespace smb3d::engine
