#include "engine/host_guard.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "engine/change_report.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

vfs::GuardLevel level_for(fsa::CacheState wanted) {
    return (wanted & fsa::cache::write) != 0 ? vfs::GuardLevel::write : vfs::GuardLevel::read;
}

fsa::CacheState allowed_by(vfs::GuardLevel level) {
    switch (level) {
        case vfs::GuardLevel::write:
            return fsa::cache::all;
        case vfs::GuardLevel::read:
            return fsa::cache::read | fsa::cache::handle;
        case vfs::GuardLevel::none:
            break;
    }
    return fsa::cache::none;
}

}  // namespace

// ---- HostGuardListener

void HostGuardListener::guard_broken(vfs::FileId file, vfs::GuardState state) {
    if (callers_.enter()) {
        if (const auto share = share_.lock()) guards_.break_caches(share, {store_, file}, state);
    }
    callers_.leave();
}

// ---- HostGuards

struct HostGuards::Waiting {
    HostGuards* guards;
    std::shared_ptr<vfs::Share> share;
    std::shared_ptr<fsa::File> file;
    vfs::GuardState state;
};

std::shared_ptr<HostGuardListener> HostGuards::listener_for(const Tree& tree) {
    const std::shared_ptr<vfs::Share>& share = tree.policy->backend;
    const auto listeners = listeners_.lock();
    std::shared_ptr<HostGuardListener>& listener = (*listeners)[share.get()];
    if (!listener) listener = std::make_shared<HostGuardListener>(*this, share_id(tree), share);
    return listener;
}

Task<bool> HostGuards::take(Open& open, const vfs::OpContext& op, fsa::CacheState wanted) {
    const SharePolicy& policy = *open.tree->policy;
    if (!policy.guard_host || open.is_directory()) co_return false;
    if (fsa::legal_state(wanted) == fsa::cache::none) co_return false;
    vfs::GuardRequest request;
    request.level = level_for(wanted);
    request.listener = listener_for(*open.tree);
    Pending<vfs::GuardState> guarding(*op.loop);
    open.file->guard(op, request, guarding.done());
    const Result<vfs::GuardState> state = co_await guarding;
    if (state) {
        open.fsa->file().host_allows(allowed_by(state->level), state->number);
        co_return true;
    }
    if (state.error() == NtStatus::NOT_SUPPORTED) co_return false;
    log::warn(log::Component::engine, "share {}: \"{}\" cannot be guarded, so nobody caches it: {}",
              policy.name, open.path(), status_name(state.error()));
    co_return true;
}

void HostGuards::break_caches(const std::shared_ptr<vfs::Share>& share, const fsa::FileKey& key,
                              vfs::GuardState state) {
    std::shared_ptr<fsa::File> file = server_.files.find(key);
    if (file == nullptr) return share->guard_settled(key.id, state);
    auto waiting = std::make_shared<Waiting>(Waiting{this, share, std::move(file), state});
    Waiting& held = *waiting;
    waiting_.lock()->emplace(&held, std::move(waiting));
    go_on(held);
}

// Runs when the guard is broken, and again whenever a break of the file may be over.
void HostGuards::go_on(Waiting& waiting) {
    // The waker may run on another thread, and end `waiting`, before break_for_host returns.
    const std::shared_ptr<fsa::File> file = waiting.file;
    const fsa::Waker waker{[](void* context, NtStatus) {
                               auto* self = static_cast<Waiting*>(context);
                               self->guards->go_on(*self);
                           },
                           &waiting};
    if (file->break_for_host(allowed_by(waiting.state.level), waiting.state.number, waker)) return;
    waiting.share->guard_settled(file->key().id, waiting.state);
    forget(waiting);
}

void HostGuards::forget(Waiting& waiting) {
    std::shared_ptr<Waiting> gone;  // its share and file may go with it: under no lock
    const auto all = waiting_.lock();
    const auto found = all->find(&waiting);
    gone = std::move(found->second);
    all->erase(found);
}

void HostGuards::close() {
    std::vector<std::shared_ptr<HostGuardListener>> all;
    for (auto& [share, listener] : *listeners_.lock()) all.push_back(listener);
    for (const auto& listener : all) listener->close();
}

}  // namespace smb3d::engine
