#include "engine/change_report.h"

#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

constexpr std::uint64_t write_interval_ns = 1'000'000'000;

}  // namespace

ChangeOrigin origin_of(const Open& open) {
    ChangeOrigin origin;
    origin.open = open.persistent_id;
    if (open.fsa) origin.parent_lease = open.fsa->parent_oplock_key;
    return origin;
}

bool changes_wanted(const ServerImpl& server, fsa::ShareId share) {
    return server.notifier.watching(share) || server.files.any_leased();
}

void report_change(ServerImpl& server, fsa::ShareId share, const fsa::Change& change,
                   const ChangeOrigin& origin) {
    if (!changes_wanted(server, share)) return;
    server.files.entries_changed(share, change.path, origin.parent_lease);
    server.notifier.report(share, std::span(&change, 1));
}

void report_change(ServerImpl& server, const Open& open, fsa::ChangeAction action,
                   std::uint32_t filter) {
    if (!open.fsa || filter == 0) return;
    const fsa::ShareId share = share_id(*open.tree);
    if (!changes_wanted(server, share)) return;
    const std::string path = open.store_path();
    report_change(server, share, {action, filter, path}, origin_of(open));
}

void report_rename(ServerImpl& server, const Open& open, std::string_view from, std::string_view to,
                   bool replaced) {
    const fsa::ShareId share = share_id(*open.tree);
    if (!changes_wanted(server, share)) return;
    const std::vector<fsa::Change> changes =
        fsa::rename_changes(from, to, open.is_directory(), replaced);
    const fsa::OplockKey key = origin_of(open).parent_lease;
    server.files.entries_changed(share, from, key);
    server.files.entries_changed(share, to, key);
    server.notifier.report(share, changes);
    if (open.is_directory()) server.notifier.directory_renamed(share, from, to);
}

void report_host_change(ServerImpl& server, fsa::ShareId share, const fsa::Change& change,
                        fsa::WatchSource source) {
    if (!changes_wanted(server, share)) return;
    server.files.entries_changed(share, change.path, {});
    server.notifier.report(share, std::span(&change, 1), source);
}

void report_host_rename(ServerImpl& server, fsa::ShareId share, std::string_view from,
                        std::string_view to, bool directory, fsa::WatchSource source) {
    if (!changes_wanted(server, share)) return;
    server.files.entries_changed(share, from, {});
    server.files.entries_changed(share, to, {});
    server.notifier.report(share, fsa::rename_changes(from, to, directory, false), source);
    if (directory) server.notifier.directory_renamed(share, from, to);
}

void report_lost(ServerImpl& server, fsa::ShareId share, std::string_view directory, bool tree) {
    if (!changes_wanted(server, share)) return;
    server.files.tree_changed(share, directory);
    server.notifier.report_lost(share, directory, tree);
}

void report_gone(ServerImpl& server, fsa::ShareId share, std::string_view directory) {
    if (!changes_wanted(server, share)) return;
    server.files.tree_changed(share, directory);
    server.notifier.set_delete_pending(share, directory, true);
}

void report_disposition(ServerImpl& server, const Open& open) {
    const fsa::ShareId share = share_id(*open.tree);
    if (!open.is_directory() || !changes_wanted(server, share)) return;
    const fsa::File& file = open.fsa->file();
    server.notifier.set_delete_pending(share, file.path(*open.fsa), file.delete_pending(*open.fsa));
}

void report_write(ServerImpl& server, Open& open, const Loop& loop) {
    if (!open.fsa) return;
    open.entry_outdated.store(true, std::memory_order_relaxed);
    if (!server.notifier.watching(share_id(*open.tree))) return;
    constexpr std::uint32_t filter = fsa::change::size | fsa::change::last_write;
    const std::uint64_t now = loop.now_ns();
    std::uint64_t last = open.write_reported_ns.load(std::memory_order_relaxed);
    const bool due = last == 0 || now - last >= write_interval_ns;
    // Of several writes at once, one reports.
    if (due && open.write_reported_ns.compare_exchange_strong(last, now)) {
        const std::string path = open.store_path();
        const fsa::Change change{fsa::ChangeAction::modified, filter, path};
        server.notifier.report(share_id(*open.tree), std::span(&change, 1));
    } else {
        report_later(open, filter);
    }
}

void report_later(Open& open, std::uint32_t filter) {
    open.held_back_changes.fetch_or(filter, std::memory_order_relaxed);
}

void report_held_back(ServerImpl& server, Open& open) {
    if (open.held_back_changes.load(std::memory_order_relaxed) == 0) return;
    const std::uint32_t filter = open.held_back_changes.exchange(0, std::memory_order_relaxed);
    const fsa::ShareId share = share_id(*open.tree);
    if (!server.notifier.watching(share)) return;
    const std::string path = open.store_path();
    const fsa::Change change{fsa::ChangeAction::modified, filter, path};
    server.notifier.report(share, std::span(&change, 1));
}

void report_closed(ServerImpl& server, Open& open) {
    report_held_back(server, open);
    if (!open.entry_outdated.load(std::memory_order_relaxed) || !server.files.any_leased()) return;
    server.files.entries_changed(share_id(*open.tree), open.store_path(),
                                 origin_of(open).parent_lease);
}

}  // namespace smb3d::engine
