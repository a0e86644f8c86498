// LOCK: [MS-SMB2] 3.3.5.14.
#include <chrono>
#include <vector>

#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/fsa_wait.h"
#include "engine/host_lock.h"
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

Task<NtStatus> unlock_all(Call& call, const wire::LockRequest& request) {
    std::vector<fsa::ByteRange> ranges;
    ranges.reserve(request.locks.size());
    for (const wire::LockElement& element : request.locks) {
        if (element.flags != wire::lock_flags::unlock) break;
        ranges.push_back({element.offset, element.length});
    }
    // 3.3.5.14.1: in order; those before an element that is no unlock stay unlocked.
    if (ranges.empty()) co_return NtStatus::INVALID_PARAMETER;
    fsa::Open& open = *call.open->fsa;
    const bool whole = ranges.size() == request.locks.size();
    const bool on_host = call.tree->policy->lock_host;
    Result<void> unlocked;
    if (!on_host) {
        unlocked = open.file().unlock(open, ranges);
    } else {
        std::size_t done = 0;
        for (; done < ranges.size(); ++done) {
            unlocked = open.file().unlock(open, std::span(ranges).subspan(done, 1));
            if (!unlocked) break;
        }
        ranges.resize(done);
        Task<bool> unlocking =
            unlock_on_host(*call.open, call.op(Lane::metadata), std::move(ranges));
        co_await unlocking;
    }
    if (!unlocked) co_return unlocked.error();
    co_return whole ? NtStatus::SUCCESS : NtStatus::INVALID_PARAMETER;
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
    // Nothing waits inside a compound but its last part.
    const bool may_wait = call.go_async();
    WaitRegistration registration(*call.open, call.cancellation);
    const auto cancel = [](void* context) {
        auto* c = static_cast<LockCanceller*>(context);
        c->file->cancel_lock(c->ticket);
    };
    if (!may_wait || !call.cancellation.listen(cancel, &canceller)) {
        open.file().cancel_lock(*ticket);
    }
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

Task<NtStatus> carry_out(Call& call, const wire::LockRequest& request) {
    if (is_unlock(request.locks.front())) {
        Task<NtStatus> unlocking = unlock_all(call, request);
        co_return co_await unlocking;
    }
    const Result<std::vector<fsa::LockElement>> elements = elements_of(request);
    if (!elements) co_return elements.error();
    const bool immediate = (request.locks.front().flags & wire::lock_flags::fail_immediately) != 0;
    fsa::Open& open = *call.open->fsa;
    Task<NtStatus> locking =
        immediate ? lock_now(call, *elements) : lock_everywhere(call, elements->front());
    const NtStatus status = co_await locking;
    if (status != NtStatus::SUCCESS) co_return status;
    // [MS-FSA] 2.1.5.8: what others read from their caches is not under the lock.
    open.file().break_readers(open);
    co_return NtStatus::SUCCESS;
}

}  // namespace

Reply lock(Call& call, wire::LockRequest request) {
    if (request.locks.empty()) co_return fail(NtStatus::INVALID_PARAMETER);
    if (!call.open->fsa) co_return fail(NtStatus::INVALID_PARAMETER);
    const bool numbered = numbers_locks(call);
    if (numbered && call.open->lock_sequence.lock()->is_replay(request.lock_sequence)) {
        co_return reply(call, wire::LockResponse{});
    }
    Task<NtStatus> carrying_out = carry_out(call, request);
    const NtStatus status = co_await carrying_out;
    if (status != NtStatus::SUCCESS) co_return fail(status);
    if (numbered) call.open->lock_sequence.lock()->completed(request.lock_sequence);
    co_return reply(call, wire::LockResponse{});
}

}  // namespace smb3d::engine
