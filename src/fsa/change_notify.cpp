#include "fsa/change_notify.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/utf16.h"
#include "fsa/path.h"

namespace smb3d::fsa {

namespace {

constexpr std::size_t record_head = 12;  // NextEntryOffset, Action, FileNameLength
constexpr std::size_t record_alignment = 4;

std::size_t padded(std::size_t size) {
    return (size + record_alignment - 1) / record_alignment * record_alignment;
}

// Folding keeps the number of components, not the number of bytes: what comes behind the first
// `components` of `path`, without the separator.
std::string_view behind(std::string_view path, std::size_t components) {
    for (; components > 0; --components) {
        const std::size_t slash = path.find('/');
        if (slash == std::string_view::npos) return {};
        path.remove_prefix(slash + 1);
    }
    return path;
}

// The directory in which `name` is the rest of `path`.
std::string_view before(std::string_view path, std::string_view name) {
    const std::size_t size = path.size() - name.size();
    return path.substr(0, size == 0 ? 0 : size - 1);
}

std::size_t component_count(std::string_view path) {
    if (path.empty()) return 0;
    return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) + 1;
}

constexpr std::size_t share_prefix = sizeof(ShareId);

bool key_is_below(std::string_view key, std::string_view directory_key) {
    return key.substr(0, share_prefix) == directory_key.substr(0, share_prefix) &&
           is_below(key.substr(share_prefix), directory_key.substr(share_prefix));
}

}  // namespace

std::vector<Change> rename_changes(std::string_view from, std::string_view to, bool directory,
                                   bool replaced) {
    const std::uint32_t filter = change::name(directory);
    // Two names in one directory are a pair; else each directory sees its own half.
    const bool pair = fold_name(parent_path(from)) == fold_name(parent_path(to));
    if (replaced) {
        return {{ChangeAction::removed, filter, from},
                {ChangeAction::modified, change::whole_file, to}};
    }
    if (!pair) {
        return {{ChangeAction::removed, filter, from}, {ChangeAction::added, filter, to}};
    }
    return {{ChangeAction::renamed_old_name, filter, from},
            {ChangeAction::renamed_new_name, filter, to}};
}

std::size_t notify_record_size(std::string_view name) {
    return record_head + 2 * utf16_length(name);
}

// ---- watches

Guarded<ChangeNotifier::Shard, Rank::leaf>& ChangeNotifier::shard_of(ShareId share) const {
    return shards_[(share >> 4) % shard_count];
}

// Folded also for those who tell case apart: shares of one store may differ in that.
std::string ChangeNotifier::key_of(ShareId share, std::string_view path) {
    std::string key(reinterpret_cast<const char*>(&share), sizeof share);
    key.append(fold_name(path));
    return key;
}

void ChangeNotifier::index(Shard& shard, Watch& watch) {
    shard.by_path[watch.key].push_back(&watch);
}

void ChangeNotifier::unindex(Shard& shard, Watch& watch) {
    const auto entry = shard.by_path.find(watch.key);
    assert(entry != shard.by_path.end());
    std::erase(entry->second, &watch);
    if (entry->second.empty()) shard.by_path.erase(entry);
}

// [MS-FSA] 2.1.5.11: an entry is made by the first request of the open; later ones use it.
ChangeNotifier::Watch& ChangeNotifier::find_or_add(Shard& shard, const WatchArgs& args,
                                                   std::uint32_t max_length) {
    const auto [position, inserted] = shard.watches.try_emplace(args.open);
    Watch& watch = position->second;
    if (!inserted) return watch;
    watch.open = args.open;
    watch.path = args.path;
    watch.key = key_of(args.share, args.path);
    watch.source = args.source;
    watch.case_sensitive = args.case_sensitive;
    watch.tree = args.tree;
    watch.filter = args.filter;
    watch.capacity = std::min<std::size_t>(max_length, limits_.buffer);
    if (watch.tree) ++shard.trees;
    index(shard, watch);
    counter(args.share).fetch_add(1, std::memory_order_relaxed);
    return watch;
}

bool ChangeNotifier::request(const WatchArgs& args, std::uint32_t max_length,
                             NotifyWaiter& waiter) {
    waiter.open_ = args.open;
    waiter.max_length_ = max_length;
    const auto shard = shard_of(args.share).lock();
    Watch& watch = find_or_add(*shard, args, max_length);
    if (watch.deleted) {
        waiter.reply.status = NtStatus::DELETE_PENDING;
        return true;
    }
    // 2.1.5.11.1: first come, first served.
    if (watch.waiters.empty() && answer(watch, waiter)) return true;
    watch.waiters.push_back(&waiter);
    return false;
}

void ChangeNotifier::cancel(ShareId share, NotifyWaiter& waiter) {
    {
        const auto shard = shard_of(share).lock();
        const auto position = shard->watches.find(waiter.open_);
        if (position == shard->watches.end()) return;
        if (std::erase(position->second.waiters, &waiter) == 0) return;
        waiter.reply.status = NtStatus::CANCELLED;
    }
    waiter.done_(waiter);
}

void ChangeNotifier::close(ShareId share, std::uint64_t open) {
    Answered answered;
    {
        const auto shard = shard_of(share).lock();
        const auto position = shard->watches.find(open);
        if (position == shard->watches.end()) return;
        Watch& watch = position->second;
        answer_all(watch, NtStatus::NOTIFY_CLEANUP, answered);
        buffered_.fetch_sub(watch.used, std::memory_order_relaxed);
        if (watch.tree) --shard->trees;
        unindex(*shard, watch);
        shard->watches.erase(position);
        counter(share).fetch_sub(1, std::memory_order_relaxed);
    }
    tell(answered);
}

// ---- events

void ChangeNotifier::lose(Watch& watch) {
    buffered_.fetch_sub(watch.used, std::memory_order_relaxed);
    watch.used = 0;
    watch.events = {};
    watch.overflow = true;
}

void ChangeNotifier::add_event(Watch& watch, ChangeAction action, std::string_view name) {
    if (watch.overflow) return;
    if (!watch.events.empty() && watch.events.back().action == action &&
        watch.events.back().name == name) {
        return;
    }
    const std::size_t used = padded(watch.used) + notify_record_size(name);
    const std::size_t more = used - watch.used;
    if (used > watch.capacity || buffered_.load(std::memory_order_relaxed) + more > limits_.total) {
        return lose(watch);
    }
    buffered_.fetch_add(more, std::memory_order_relaxed);
    watch.used = used;
    watch.events.push_back({action, std::string(name)});
}

bool ChangeNotifier::answer(Watch& watch, NotifyWaiter& waiter) {
    if (watch.overflow || watch.used > waiter.max_length_) {
        lose(watch);
        watch.overflow = false;
        waiter.reply.status = NtStatus::NOTIFY_ENUM_DIR;
        return true;
    }
    if (watch.events.empty()) return false;
    waiter.reply.status = NtStatus::SUCCESS;
    waiter.reply.events = std::exchange(watch.events, {});
    buffered_.fetch_sub(std::exchange(watch.used, 0), std::memory_order_relaxed);
    return true;
}

void ChangeNotifier::answer_next(Watch& watch, Answered& answered) {
    if (watch.waiters.empty() || !answer(watch, *watch.waiters.front())) return;
    answered.push_back(watch.waiters.front());
    watch.waiters.pop_front();
}

void ChangeNotifier::answer_all(Watch& watch, NtStatus status, Answered& answered) {
    for (NotifyWaiter* waiter : watch.waiters) {
        waiter->reply.status = status;
        answered.push_back(waiter);
    }
    watch.waiters.clear();
}

void ChangeNotifier::tell(const Answered& answered) {
    for (NotifyWaiter* waiter : answered) waiter->done_(*waiter);
}

// [MS-FSA] 2.1.4.1: the watches on the directory that has the name, and those on a directory above
// it that want the whole tree.
void ChangeNotifier::dispatch(Shard& shard, ShareId share, const Change& change, WatchSource source,
                              std::vector<Watch*>& touched) {
    if (change.path.empty()) return;  // the root is in no directory
    const std::string key = key_of(share, change.path);
    const std::string_view parent = parent_path(change.path);
    const std::size_t depth = component_count(parent);
    std::size_t end = share_prefix;  // of the directory's part of the key
    for (std::size_t level = 0; level <= depth; ++level) {
        if (level > 0) end = key.find('/', level == 1 ? share_prefix : end + 1);
        const bool immediate = level == depth;
        if (!immediate && shard.trees == 0) continue;
        const auto entry = shard.by_path.find(std::string_view(key).substr(0, end));
        if (entry == shard.by_path.end()) continue;
        const std::string_view name = behind(change.path, level);
        const std::string_view directory = before(change.path, name);
        for (Watch* watch : entry->second) {
            if ((watch->filter & change.filter) == 0 || !(immediate || watch->tree)) continue;
            if (source != 0 && watch->source != source) continue;
            if (watch->case_sensitive && watch->path != directory) continue;
            add_event(*watch, change.action, name);
            if (std::find(touched.begin(), touched.end(), watch) == touched.end()) {
                touched.push_back(watch);
            }
        }
    }
}

void ChangeNotifier::report(ShareId share, std::span<const Change> changes, WatchSource source) {
    if (!watching(share)) return;
    Answered answered;
    {
        const auto shard = shard_of(share).lock();
        std::vector<Watch*> touched;
        for (const Change& change : changes) {
            dispatch(*shard, share, change, source, touched);
        }
        for (Watch* watch : touched) answer_next(*watch, answered);
    }
    tell(answered);
}

void ChangeNotifier::set_delete_pending(ShareId share, std::string_view directory, bool pending) {
    if (!watching(share)) return;
    Answered answered;
    {
        const auto shard = shard_of(share).lock();
        const auto entry = shard->by_path.find(key_of(share, directory));
        if (entry == shard->by_path.end()) return;
        for (Watch* watch : entry->second) {
            if (watch->case_sensitive && watch->path != directory) continue;
            watch->deleted = pending;
            if (pending) answer_all(*watch, NtStatus::DELETE_PENDING, answered);
        }
    }
    tell(answered);
}

void ChangeNotifier::report_lost(ShareId share, std::string_view directory, bool tree) {
    if (!watching(share)) return;
    Answered answered;
    {
        const auto shard = shard_of(share).lock();
        const std::string key = key_of(share, directory);
        for (auto& [open, watch] : shard->watches) {
            const bool here = watch.key == key;
            const bool below = tree && key_is_below(watch.key, key);
            const bool above = watch.tree && key_is_below(key, watch.key);
            if (!here && !below && !above) continue;
            lose(watch);
            answer_next(watch, answered);
        }
    }
    tell(answered);
}

void ChangeNotifier::directory_renamed(ShareId share, std::string_view from, std::string_view to) {
    if (!watching(share)) return;
    const auto shard = shard_of(share).lock();
    const std::string from_key = key_of(share, from);
    const std::size_t depth = component_count(from);
    for (auto& [open, watch] : shard->watches) {
        const bool same = watch.key == from_key;
        if (!same && !key_is_below(watch.key, from_key)) continue;
        if (watch.case_sensitive && !is_within(watch.path, from)) continue;
        std::string path(to);
        if (!same) path.append("/").append(behind(watch.path, depth));
        unindex(*shard, watch);
        watch.path = std::move(path);
        watch.key = key_of(share, watch.path);
        index(*shard, watch);
    }
}

std::size_t ChangeNotifier::watch_count() const {
    std::size_t count = 0;
    for (const auto& shard : shards_) count += shard.lock()->watches.size();
    return count;
}

}  // namespace smb3d::fsa
