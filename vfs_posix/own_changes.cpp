#include "vfs_posix/own_changes.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace smb3d::vfs_posix {
namespace {

std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds(1));
}

}  // namespace

OwnChanges::OwnChanges() : touches_(std::make_unique<std::array<Touch, touch_count>>()) {}

bool OwnChanges::matches(const Note& note, Monitor monitor, std::string_view name, bool added) {
    return note.added == added && note.name == name &&
           std::ranges::find(note.unused, monitor) != note.unused.end();
}

std::shared_ptr<OwnChanges> OwnChanges::of_process() {
    static Locked<std::weak_ptr<OwnChanges>> known;
    const auto present = known.lock();
    std::shared_ptr<OwnChanges> own = present->lock();
    if (!own) *present = own = std::make_shared<OwnChanges>();
    return own;
}

void OwnChanges::watch(Monitor monitor, const DirKey& directory) {
    const auto directories = directories_.lock();
    std::vector<Monitor>& watched = (*directories)[directory].watched;
    if (std::ranges::find(watched, monitor) != watched.end()) return;
    watched.push_back(monitor);
    watched_.fetch_add(1);
}

void OwnChanges::unwatch(Monitor monitor, const DirKey& directory) {
    const auto directories = directories_.lock();
    const auto found = directories->find(directory);
    if (found == directories->end() || std::erase(found->second.watched, monitor) == 0) return;
    watched_.fetch_sub(1);
    if (found->second.under_way == 0 && found->second.watched.empty()) directories->erase(found);
}

bool OwnChanges::under_way(const DirKey& directory) {
    const auto directories = directories_.lock();
    const auto found = directories->find(directory);
    return found != directories->end() && found->second.under_way != 0;
}

bool OwnChanges::take(Monitor monitor, const DirKey& directory, std::string_view name, bool added) {
    const auto directories = directories_.lock();
    const auto found = directories->find(directory);
    if (found == directories->end()) return false;
    std::vector<Note>& notes = found->second.notes;
    const auto match = std::ranges::find_if(
        notes, [&](const Note& note) { return matches(note, monitor, name, added); });
    if (match == notes.end()) return false;
    std::erase(match->unused, monitor);
    if (match->unused.empty()) notes.erase(match);
    return true;
}

bool OwnChanges::noted(Monitor monitor, const DirKey& directory, std::string_view name,
                       bool added) {
    const auto directories = directories_.lock();
    const auto found = directories->find(directory);
    return found != directories->end() &&
           std::ranges::any_of(found->second.notes, [&](const Note& note) {
               return matches(note, monitor, name, added);
           });
}

void OwnChanges::note(Monitor monitor, const DirKey& directory, std::string_view name, bool added) {
    const auto directories = directories_.lock();
    const auto found = directories->find(directory);
    if (found != directories->end()) add_note(found->second, name, added, {monitor});
}

void OwnChanges::add_note(Directory& directory, std::string_view name, bool added,
                          std::vector<Monitor> monitors) {
    if (monitors.empty()) return;
    const std::uint64_t now = now_ns();
    std::vector<Note>& notes = directory.notes;
    // Oldest first.
    const auto alive = std::ranges::find_if(
        notes, [now](const Note& note) { return now - note.at_ns <= note_life_ns; });
    notes.erase(notes.begin(), alive);
    notes.push_back({std::string(name), added, now, std::move(monitors)});
}

bool OwnChanges::begin(const DirKey& directory) {
    if (!active()) return false;
    const auto directories = directories_.lock();
    ++(*directories)[directory].under_way;
    return true;
}

void OwnChanges::end(const DirKey& directory, const DirCache::Change* changes, std::size_t count) {
    const auto directories = directories_.lock();
    const auto found = directories->find(directory);
    if (found == directories->end()) return;
    Directory& entry = found->second;
    for (std::size_t i = 0; i < count; ++i) {
        add_note(entry, changes[i].name, changes[i].add, entry.watched);
    }
    if (--entry.under_way == 0 && entry.watched.empty()) directories->erase(found);
}

void OwnChanges::remember(const DirKey& file) {
    Touch& touch = place(*touches_, tag(file));
    touch.at_ns.store(now_ns(), std::memory_order_relaxed);
    touch.file.store(tag(file), std::memory_order_release);
}

void OwnChanges::forget(const DirKey& file) {
    if (!active()) return;
    std::uint64_t expected = tag(file);
    place(*touches_, expected).file.compare_exchange_strong(expected, 0);
}

bool OwnChanges::touched_lately(const DirKey& file, std::uint64_t then_ns,
                                std::uint64_t born_ns) const {
    const Touch& touch = place(*touches_, tag(file));
    if (touch.file.load(std::memory_order_acquire) != tag(file)) return false;
    const std::uint64_t at_ns = touch.at_ns.load(std::memory_order_relaxed);
    if (born_ns > at_ns + birth_error_ns) return false;
    return then_ns <= at_ns || then_ns - at_ns <= touch_window_ns;
}

}  // namespace smb3d::vfs_posix
