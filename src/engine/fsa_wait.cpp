#include "engine/fsa_wait.h"

#include <optional>
#include <utility>

#include "engine/server_impl.h"

namespace smb3d::engine {

bool break_readers(Call& call) {
    if (!call.open->fsa) return false;
    call.open->fsa->file().break_readers(*call.open->fsa);
    return call.server().durable.breaks_unrecorded();
}

Task<bool> break_readers_recorded(Call& call) {
    const bool wait = break_readers(call);
    if (!wait) co_return false;
    Task<bool> recording = call.server().durable.breaks_recorded(call.loop());
    co_return co_await recording;
}

Task<NtStatus> wait_for_break(Call& call, FsaWait& wait, fsa::BreakWait what, Interim interim) {
    // Before the client can know that it waits.
    std::optional<WaitRegistration> registration;
    if (call.open) registration.emplace(*call.open, call.cancellation);
    const auto cancel = [](void* context) {
        auto* waiting = static_cast<fsa::BreakWait*>(context);
        waiting->file->cancel_break_wait(waiting->ticket);
    };
    const bool listens = call.cancellation.listen(cancel, &what);
    if (interim == Interim::sent) call.go_async();
    if (!listens) what.file->cancel_break_wait(what.ticket);
    Signal& woken = wait.woken();
    co_await woken;
    call.cancellation.unlisten();
    co_return wait.status();
}

Task<NtStatus> break_handles(Call& call) {
    const std::shared_ptr<Open> open = call.open.shared();
    fsa::FileTable& files = call.server().files;
    const fsa::OplockKey key = open->fsa->oplock_key;
    while (true) {
        FsaWait wait(call.loop());
        fsa::BreakWait what = open->fsa->file().break_handles(key, wait.waker(), open->fsa.get());
        if (!what && open->is_directory()) {
            what = files.break_handles_below(open->fsa->file().key().share, open->store_path(), key,
                                             wait.waker());
        }
        if (!what) co_return NtStatus::SUCCESS;
        Task<NtStatus> waiting = wait_for_break(call, wait, std::move(what), Interim::none);
        const NtStatus status = co_await waiting;
        if (status != NtStatus::SUCCESS) co_return status;
    }
}

Task<NtStatus> break_handles_of(Call& call, std::shared_ptr<fsa::File> file) {
    while (true) {
        FsaWait wait(call.loop());
        fsa::BreakWait what = file->break_handles(call.open->fsa->oplock_key, wait.waker());
        if (!what) co_return NtStatus::SUCCESS;
        Task<NtStatus> waiting = wait_for_break(call, wait, std::move(what), Interim::none);
        const NtStatus status = co_await waiting;
        if (status != NtStatus::SUCCESS) co_return status;
    }
}

}  // namespace smb3d::engine
