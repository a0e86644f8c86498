#include "engine/host_watch.h"

#include <vector>

#include "base/log.h"
#include "engine/change_report.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

// What a change of an inode's own data may be to a client: the kernel does not tell more.
constexpr std::uint32_t inode_change = fsa::change::whole_file & ~fsa::change::size;
constexpr std::uint8_t asked_entries = 1;
constexpr std::uint8_t asked_tree = 2;
constexpr std::uint32_t data_change = fsa::change::size | fsa::change::last_write;

}  // namespace

// ---- HostListener

void HostListener::changed(std::span<const vfs::HostChange> changes) {
    if (callers_.enter()) {
        for (const vfs::HostChange& change : changes) report(change);
    }
    callers_.leave();
}

void HostListener::report(const vfs::HostChange& change) {
    using Kind = vfs::HostChange::Kind;
    using fsa::ChangeAction;
    const std::uint32_t name = fsa::change::name(change.directory);
    const fsa::ShareId store = place_.store();
    const std::string path = place_.in_store(change.path);
    const auto tell = [&](ChangeAction action, std::uint32_t filter) {
        report_host_change(server_, store, {action, filter, path}, source_);
    };
    switch (change.kind) {
        case Kind::added:
            return tell(ChangeAction::added, name);
        case Kind::removed:
            return tell(ChangeAction::removed, name);
        case Kind::modified:
            return tell(ChangeAction::modified, data_change);
        case Kind::attributes:
            return tell(ChangeAction::modified, inode_change);
        case Kind::renamed:
            return report_host_rename(server_, store, place_.in_store(change.from), path,
                                      change.directory, source_);
        case Kind::lost:
            return report_lost(server_, store, path, change.tree);
        case Kind::gone:
            return report_gone(server_, store, path);
    }
}

// ---- HostWatches

std::shared_ptr<HostListener> HostWatches::listener_for(const Tree& tree) {
    const fsa::WatchSource source = watch_source(tree);
    const auto listeners = listeners_.lock();
    std::shared_ptr<HostListener>& listener = (*listeners)[source];
    if (!listener) listener = std::make_shared<HostListener>(server_, tree.place, source);
    return listener;
}

Task<bool> HostWatches::start(const std::shared_ptr<Open>& open, const vfs::OpContext& op,
                              bool tree) {
    if (!open->tree->policy->watch_host) co_return false;
    // A directory lease asks for the entries; a notify request may want the tree later.
    const std::uint8_t wanted = tree ? asked_tree : asked_entries;
    const std::uint8_t asked = open->host_watch_asked.fetch_or(wanted, std::memory_order_relaxed);
    if ((asked & (wanted | asked_tree)) != 0) co_return false;
    vfs::WatchRequest request;
    request.directory = open->file.get();
    request.tree = tree;
    request.listener = listener_for(*open->tree);
    Pending<std::shared_ptr<vfs::Watch>> starting(*op.loop);
    open->tree->policy->backend->watch(op, request, starting.done());
    Result<std::shared_ptr<vfs::Watch>> watch = co_await starting;
    if (!watch) {
        if (watch.error() != NtStatus::NOT_SUPPORTED) {
            log::warn(log::Component::engine,
                      "share {}: changes on the host in \"{}\" are not seen: {}",
                      open->tree->policy->name, open->path(), status_name(watch.error()));
        }
        co_return false;
    }
    open->host_watches.lock()->push_back(std::move(*watch));
    co_return true;
}

void HostWatches::stop(Open& open) {
    if (open.host_watch_asked.load(std::memory_order_relaxed) == 0) return;
    std::vector<std::shared_ptr<vfs::Watch>> watches;
    watches.swap(*open.host_watches.lock());
    for (const auto& watch : watches) watch->stop();
}

void HostWatches::close() {
    std::vector<std::shared_ptr<HostListener>> all;
    for (auto& [share, listener] : *listeners_.lock()) all.push_back(listener);
    for (const auto& listener : all) listener->close();
}

}  // namespace smb3d::engine
