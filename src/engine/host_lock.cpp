#include "engine/host_lock.h"

#include <atomic>

#include "engine/connection.h"

namespace smb3d::engine {

namespace {

vfs::HostLock host_lock(const fsa::LockElement& element) {
    return {{element.range.offset, element.range.length}, element.exclusive};
}

Task<Result<void>> unlock_one(Open& open, const vfs::OpContext& op, vfs::HostLock lock) {
    Pending<void> unlocking(*op.loop);
    open.file->host_unlock(op, lock, unlocking.done());
    co_return co_await unlocking;
}

// Set once, by the timer or by the cancellation.
struct Pause : Timer {
    explicit Pause(Loop& loop) : woken(loop) {
        fire = [](Timer* timer) { static_cast<Pause*>(timer)->wake(); };
    }
    void wake() {
        if (!over.exchange(true, std::memory_order_acq_rel)) woken.set();
    }
    Signal woken;
    std::atomic<bool> over{false};
};

}  // namespace

Task<NtStatus> lock_on_host(Open& open, const vfs::OpContext& op,
                            std::vector<fsa::LockElement> elements) {
    if (!open.tree->policy->lock_host) co_return NtStatus::SUCCESS;
    for (std::size_t i = 0; i < elements.size(); ++i) {
        const vfs::HostLock lock = host_lock(elements[i]);
        Pending<void> locking(*op.loop);
        open.file->host_lock(op, lock, locking.done());
        const Result<void> locked = co_await locking;
        if (locked || locked.error() == NtStatus::NOT_SUPPORTED) continue;
        elements.resize(i);
        Task<bool> undoing = unlock_on_host(open, op, std::move(elements));
        co_await undoing;
        co_return locked.error();
    }
    co_return NtStatus::SUCCESS;
}

Task<bool> unlock_on_host(Open& open, const vfs::OpContext& op,
                          std::vector<fsa::LockElement> elements) {
    if (!open.tree->policy->lock_host) co_return false;
    for (const fsa::LockElement& element : elements) {
        Task<Result<void>> unlocking = unlock_one(open, op, host_lock(element));
        co_await unlocking;
    }
    co_return true;
}

Task<bool> unlock_on_host(Open& open, const vfs::OpContext& op,
                          std::vector<fsa::ByteRange> ranges) {
    if (!open.tree->policy->lock_host) co_return false;
    for (const fsa::ByteRange& range : ranges) {
        Task<Result<void>> unlocking = unlock_one(open, op, host_lock({range, true}));
        const Result<void> exclusive = co_await unlocking;
        if (exclusive) continue;
        Task<Result<void>> unlocking_shared = unlock_one(open, op, host_lock({range, false}));
        co_await unlocking_shared;
    }
    co_return true;
}

Task<bool> pause(Call& call, std::chrono::nanoseconds time) {
    Pause pause(call.loop());
    WaitRegistration registration(*call.open, call.cancellation);
    const auto cancel = [](void* context) { static_cast<Pause*>(context)->wake(); };
    if (!call.cancellation.listen(cancel, &pause)) co_return false;
    call.loop().arm(pause, time);
    co_await pause.woken;
    call.cancellation.unlisten();
    if (pause.armed()) call.loop().disarm(pause);
    co_return !call.cancellation.requested();
}

}  // namespace smb3d::engine
