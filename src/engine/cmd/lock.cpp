// LOCK: [MS-SMB2] 3.3.5.14.
#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/fsa_wait.h"
#include "engine/host_lock.h"
#include "engine/server_impl.h"
#include "fsa/byte_range_lock.h"

namespace smb3d::engine {

namespace {

bool is_unlock(const wire::LockElement& element) {
    return (element.flags & wire::lock_flags::unlock) != 0;
}

// 3.3.5.14.2: every element is a shared or an exclusive lock, perhaps FAIL_IMMEDIATELY.
bool valid_lock(const wire::LockElement& element) {
    const std::uint32_t kind = element.flags & ~wire::lock_flags::fail_immediately;
    return kind == wire::lock_flags::shared_lock || kind == wire::lock_flags::exclusive_lock;
}

// How often somebody on the host is asked for what he has locked: the kernel tells nobody when a
// lock goes.
constexpr std::chrono::milliseconds host_lock_interval(50);

// What the request carries of a LOCK to its end.
struct Numbered {
    bool yes{false};
    std::uint32_t sequence{0};
    void completed(Open& open) const {
        if (yes) open.lock_sequence.lock()->completed(sequence);
    }
    void failed(Open& open) const {
        if (yes) open.lock_sequence.lock()->forget(sequence);
    }
};

// One after the other, here and on the host, until one is not locked.
Task<NtStatus> unlock_everywhere(Call& call, std::vector<fsa::ByteRange> ranges) {
    fsa::Open& open = *call.open->fsa;
    if (!call.tree->policy->lock_host) {
        const Result<void> unlocked = open.file().unlock(open, ranges);
        co_return unlocked ? NtStatus::SUCCESS : unlocked.error();
    }
    NtStatus status = NtStatus::SUCCESS;
    std::size_t done = 0;
    for (; done < ranges.size(); ++done) {
        const Result<void> unlocked = open.file().unlock(open, std::span(ranges).subspan(done, 1));
        if (unlocked) continue;
        status = unlocked.error();
        break;
    }
    ranges.resize(done);
    Task<bool> unlocking = unlock_on_host(*call.open, call.op(Lane::metadata), std::move(ranges));
    co_await unlocking;
    co_return status;
}

// Those of `ranges`, from the first on, that an unlock finds.
std::vector<fsa::ByteRange> held_ranges(const fsa::Open& open,
                                        const std::vector<fsa::ByteRange>& ranges) {
    // Sorted: a client may have 65,536 locks and give up 4,096 of them at once.
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t> held;
    for (const fsa::ByteRangeLocks::Entry& entry : open.file().locks()) {
        const fsa::ByteRange& at = entry.element.range;
        if (entry.owner == open.id) ++held[{at.offset, at.length}];
    }
    std::vector<fsa::ByteRange> found;
    for (const fsa::ByteRange& range : ranges) {
        const auto place = held.find({range.offset, range.length});
        if (place == held.end() || place->second == 0) break;
        --place->second;
        found.push_back(range);
    }
    return found;
}

// Another may have the range as soon as it is unlocked, and keep it if the server ends then: so the
// record says first that this one has it no longer.
Task<NtStatus> unlock_recorded(Call& call, std::vector<fsa::ByteRange> ranges, Numbered number) {
    DurableKeeper& keeper = call.server().durable;
    Open& open = *call.open;
    Serial::Acquire waiting(open.record_order, call.loop());
    const Serial::Held turn = co_await waiting;
    std::vector<fsa::ByteRange> held = held_ranges(*open.fsa, ranges);
    if (held.empty()) co_return NtStatus::RANGE_NOT_LOCKED;
    if (held.size() == ranges.size()) number.completed(open);
    open.record_ahead.lock()->unlocking = std::move(held);
    Task<NtStatus> writing = keeper.write(call.open.shared(), call.loop());
    NtStatus status = co_await writing;
    if (status == NtStatus::SUCCESS) {
        Task<NtStatus> unlocking = unlock_everywhere(call, std::move(ranges));
        status = co_await unlocking;
        open.record_ahead.lock()->unlocking.clear();
        if (status != NtStatus::SUCCESS) number.failed(open);
    } else {
        open.record_ahead.lock()->unlocking.clear();
        number.failed(open);
        keeper.write_later(open);
    }
    co_return status;
}

bool is_recorded(const Call& call) {
    return call.open->is_persistent() && call.server().durable.store() != nullptr;
}

Task<NtStatus> unlock_all(Call& call, const wire::LockRequest& request, Numbered number) {
    std::vector<fsa::ByteRange> ranges;
    ranges.reserve(request.locks.size());
    for (const wire::LockElement& element : request.locks) {
        if (element.flags != wire::lock_flags::unlock) break;
        ranges.push_back({element.offset, element.length});
    }
    // 3.3.5.14.1: in order; those before an element that is no unlock stay unlocked.
    if (ranges.empty()) co_return NtStatus::INVALID_PARAMETER;
    const bool all = ranges.size() == request.locks.size();
    if (!all) number.yes = false;
    NtStatus status = NtStatus::SUCCESS;
    if (is_recorded(call)) {
        Task<NtStatus> unlocking = unlock_recorded(call, std::move(ranges), number);
        status = co_await unlocking;
    } else {
        Task<NtStatus> unlocking = unlock_everywhere(call, std::move(ranges));
        status = co_await unlocking;
        if (status == NtStatus::SUCCESS) number.completed(*call.open);
    }
    if (status != NtStatus::SUCCESS) co_return status;
    co_return all ? NtStatus::SUCCESS : NtStatus::INVALID_PARAMETER;
}

// The locks are there; if the record cannot say so they go again.
Task<NtStatus> record_locks(Call& call, const std::vector<fsa::LockElement>& elements,
                            Numbered number) {
    DurableKeeper& keeper = call.server().durable;
    Open& open = *call.open;
    Serial::Acquire waiting(open.record_order, call.loop());
    const Serial::Held turn = co_await waiting;
    number.completed(open);
    Task<NtStatus> writing = keeper.write(call.open.shared(), call.loop());
    const NtStatus written = co_await writing;
    if (written == NtStatus::SUCCESS) co_return written;
    number.failed(open);
    std::vector<fsa::ByteRange> ranges;
    ranges.reserve(elements.size());
    for (const fsa::LockElement& element : elements) ranges.push_back(element.range);
    const Result<void> undone = open.fsa->file().unlock(*open.fsa, ranges);
    static_cast<void>(undone);  // an UNLOCK was faster
    Task<bool> undoing = unlock_on_host(open, call.op(Lane::metadata), elements);
    co_await undoing;
    keeper.write_later(open);
    co_return written;
}

Result<std::vector<fsa::LockElement>> elements_of(const wire::LockRequest& request) {
    std::vector<fsa::LockElement> elements;
    elements.reserve(request.locks.size());
    for (const wire::LockElement& element : request.locks) {
        if (!valid_lock(element)) return fail(NtStatus::INVALID_PARAMETER);
        // 3.3.5.14.2: several locks must not wait, none of them.
        const bool waits = (element.flags & wire::lock_flags::fail_immediately) == 0;
        if (waits && request.locks.size() > 1) return fail(NtStatus::INVALID_PARAMETER);
        const bool exclusive = (element.flags & wire::lock_flags::exclusive_lock) != 0;
        elements.push_back({{element.offset, element.length}, exclusive});
    }
    return elements;
}

// A lock request that waits: woken by fsa, or ended by CANCEL, CLOSE or the end of the connection.
struct LockCanceller {
    fsa::File* file;
    fsa::LockTicket ticket;
};

Task<NtStatus> lock_and_wait(Call& call, const fsa::LockElement& element) {
    fsa::Open& open = *call.open->fsa;
    FsaWait wait(call.loop());
    const Result<fsa::LockTicket> ticket = open.file().lock_or_wait(open, element, wait.waker());
    if (!ticket) co_return ticket.error();
    if (*ticket == 0) co_return NtStatus::SUCCESS;
    LockCanceller canceller{&open.file(), *ticket};
    const auto cancel = [](void* context) {
        auto* c = static_cast<LockCanceller*>(context);
        c->file->cancel_lock(c->ticket);
    };
    // Both before the client can know that it waits: whoever ends the session then finds it, and
    // ends it before the locks that it waits for go.
    WaitRegistration registration(*call.open, call.cancellation);
    const bool listens = call.cancellation.listen(cancel, &canceller);
    // Nothing waits inside a compound but its last part.
    const bool may_wait = call.go_async();
    if (!may_wait || !listens) open.file().cancel_lock(*ticket);
    Signal& woken = wait.woken();
    co_await woken;
    call.cancellation.unlisten();
    if (!may_wait) {
        co_return wait.status() == NtStatus::SUCCESS ? NtStatus::SUCCESS : NtStatus::INTERNAL_ERROR;
    }
    // [MS-FSA] 2.1.5.4: a handle that goes away ends its waiting locks so.
    if (wait.status() == NtStatus::CANCELLED && call.open->in_flight.closing()) {
        co_return NtStatus::RANGE_NOT_LOCKED;
    }
    co_return wait.status();
}

// Beside the other clients' locks, those of others on the host.
Task<NtStatus> lock_everywhere(Call& call, fsa::LockElement element) {
    fsa::Open& open = *call.open->fsa;
    while (true) {
        Task<NtStatus> waiting = lock_and_wait(call, element);
        const NtStatus status = co_await waiting;
        if (status != NtStatus::SUCCESS) co_return status;
        std::vector<fsa::LockElement> one(1, element);
        Task<NtStatus> locking = lock_on_host(*call.open, call.op(Lane::metadata), std::move(one));
        const NtStatus on_host = co_await locking;
        if (on_host == NtStatus::SUCCESS) co_return NtStatus::SUCCESS;
        // Waiting reserves nothing.
        const Result<void> unlocked = open.file().unlock(open, {&element.range, 1});
        static_cast<void>(unlocked);
        if (on_host != NtStatus::LOCK_NOT_GRANTED) co_return on_host;
        if (!call.go_async()) co_return NtStatus::INTERNAL_ERROR;
        Task<bool> pausing = pause(call, host_lock_interval);
        const bool goes_on = co_await pausing;
        if (goes_on) continue;
        co_return call.open->in_flight.closing() ? NtStatus::RANGE_NOT_LOCKED : NtStatus::CANCELLED;
    }
}

// All elements or none, at once.
Task<NtStatus> lock_now(Call& call, std::vector<fsa::LockElement> elements) {
    fsa::Open& open = *call.open->fsa;
    Task<NtStatus> locking = lock_on_host(*call.open, call.op(Lane::metadata), elements);
    const NtStatus on_host = co_await locking;
    if (on_host != NtStatus::SUCCESS) co_return on_host;
    const Result<void> locked = open.file().lock_all(open, elements);
    if (locked) co_return NtStatus::SUCCESS;
    Task<bool> undoing = unlock_on_host(*call.open, call.op(Lane::metadata), std::move(elements));
    co_await undoing;
    co_return locked.error();
}

// 3.3.5.14: whose clients number their lock requests, so that a repeated one is recognised.
// Deviation: Windows does so for resilient and persistent opens only (note 314 of the
// specification); we do what is specified, as smbtorture smb2.lock.replay_smb3_specification asks.
bool numbers_locks(const Call& call) {
    if (call.connection.negotiated.multichannel()) return true;
    if (call.dialect() < Dialect::smb210) return false;  // it has no such field
    const auto durability = call.open->durability.lock();
    return durability->durable || durability->resilient || durability->persistent;
}

Task<NtStatus> carry_out(Call& call, const wire::LockRequest& request, Numbered number) {
    if (is_unlock(request.locks.front())) {
        Task<NtStatus> unlocking = unlock_all(call, request, number);
        co_return co_await unlocking;
    }
    const Result<std::vector<fsa::LockElement>> elements = elements_of(request);
    if (!elements) co_return elements.error();
    const bool immediate = (request.locks.front().flags & wire::lock_flags::fail_immediately) != 0;
    Task<NtStatus> locking =
        immediate ? lock_now(call, *elements) : lock_everywhere(call, elements->front());
    const NtStatus status = co_await locking;
    if (status != NtStatus::SUCCESS) co_return status;
    if (is_recorded(call)) {
        Task<NtStatus> recording = record_locks(call, *elements, number);
        const NtStatus recorded = co_await recording;
        if (recorded != NtStatus::SUCCESS) co_return recorded;
    } else {
        number.completed(*call.open);
    }
    // [MS-FSA] 2.1.5.8: what others read from their caches is not under the lock.
    if (break_readers(call)) {
        Task<bool> breaks = call.server().durable.breaks_recorded(call.loop());
        co_await breaks;
    }
    co_return NtStatus::SUCCESS;
}

// A request that was carried out before is answered so, but not before it is on disk.
Task<bool> is_replay(Call& call, Numbered number) {
    if (!number.yes) co_return false;
    Open& open = *call.open;
    bool replay = open.lock_sequence.lock()->is_replay(number.sequence);
    if (replay && is_recorded(call)) {
        Serial::Acquire waiting(open.record_order, call.loop());
        const Serial::Held turn = co_await waiting;
        replay = open.lock_sequence.lock()->is_replay(number.sequence);
    }
    co_return replay;
}

}  // namespace

Reply lock(Call& call, wire::LockRequest request) {
    if (request.locks.empty()) co_return fail(NtStatus::INVALID_PARAMETER);
    if (!call.open->fsa) co_return fail(NtStatus::INVALID_PARAMETER);
    const Numbered number{numbers_locks(call), request.lock_sequence};
    Task<bool> looking = is_replay(call, number);
    const bool replay = co_await looking;
    if (replay) co_return reply(call, wire::LockResponse{});
    Task<NtStatus> carrying_out = carry_out(call, request, number);
    const NtStatus status = co_await carrying_out;
    if (status != NtStatus::SUCCESS) co_return fail(status);
    co_return reply(call, wire::LockResponse{});
}

}  // namespace smb3d::engine
