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

}  // namespace smb3d::engine
