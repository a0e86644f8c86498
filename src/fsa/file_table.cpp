#include "fsa/file_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/utf16.h"
#include "fsa/attributes.h"
#include "fsa/path.h"

namespace smb3d::fsa {

namespace {

std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
    return value ^ (value >> 31);
}

// FNV-1a, so that the hash of every ancestor comes out on the way through a path.
std::uint64_t path_hash_seed(ShareId share) { return mix(share) ^ 0xCBF29CE484222325; }
std::uint64_t path_hash_step(std::uint64_t hash, char c) {
    return (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
}

}  // namespace

// ---- NameIndex

std::string NameIndex::name_key(ShareId share, std::string_view path) {
    std::string key(reinterpret_cast<const char*>(&share), sizeof share);
    key.append(fold_name(path));
    return key;
}

bool NameIndex::same_name(std::string_view a, std::string_view b) {
    return a == b || fold_name(a) == fold_name(b);
}

void NameIndex::add_pending(ShareId share, std::string_view path) {
    std::string key = name_key(share, path);
    const auto names = pending_.lock();
    names->insert(std::move(key));
    pending_count_.store(names->size(), std::memory_order_release);
}

void NameIndex::remove_pending(ShareId share, std::string_view path) {
    const std::string key = name_key(share, path);
    const auto names = pending_.lock();
    const auto name = names->find(key);
    if (name != names->end()) names->erase(name);
    pending_count_.store(names->size(), std::memory_order_release);
}

bool NameIndex::is_pending(ShareId share, std::string_view path) const {
    if (!any_pending()) return false;
    const std::string key = name_key(share, path);
    const auto names = pending_.lock();
    return names->contains(key);
}

void NameIndex::count_open(ShareId share, std::string_view path, std::size_t root,
                           std::uint32_t difference) {
    std::uint64_t hash = path_hash_seed(share);
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '/' && (root == 0 || i > root)) {
            open_below_[mix(hash) % counters].fetch_add(difference, std::memory_order_acq_rel);
        }
        hash = path_hash_step(hash, path[i]);
    }
}

void NameIndex::add_root(ShareId share, std::string_view root) {
    if (root.empty()) return;
    const auto roots = roots_.lock();
    const auto same = [&](const auto& known) {
        return known.first == share && known.second == root;
    };
    if (std::ranges::none_of(*roots, same)) roots->emplace_back(share, root);
}

bool NameIndex::has_root_within(ShareId share, std::string_view directory) const {
    const auto roots = roots_.lock();
    return std::ranges::any_of(*roots, [&](const auto& known) {
        return known.first == share && is_within(known.second, directory);
    });
}

bool NameIndex::may_have_below(ShareId share, std::string_view directory) const {
    if (directory.empty() || has_root_within(share, directory)) return true;
    std::uint64_t hash = path_hash_seed(share);
    for (const char c : directory) hash = path_hash_step(hash, c);
    return open_below_[mix(hash) % counters].load(std::memory_order_acquire) != 0;
}

// ---- FileTable

std::size_t FileTable::KeyHash::operator()(const FileKey& key) const noexcept {
    std::uint64_t hash = mix(key.id.inode + 0x9E3779B97F4A7C15);
    hash = mix(hash ^ key.id.generation);
    hash = mix(hash ^ key.id.volume);
    return static_cast<std::size_t>(mix(hash ^ key.share));
}

FileTable::Shard& FileTable::shard_of(const FileKey& key) const {
    // The map inside a shard uses the low bits of the same hash.
    return shards_[(KeyHash{}(key) >> 40) % shard_count];
}

OpenResult FileTable::open(const FileKey& key, const OpenArgs& args, const Waker* waker) {
    BreakList notices;
    OpenResult result;
    {
        const auto shard = shard_of(key).lock();
        const auto [position, inserted] = shard->try_emplace(key);
        if (inserted) position->second = std::make_shared<File>(key, names_);
        result = position->second->open(args, waker, notices);
        if (result.outcome == OpenOutcome::granted) {
            opens_.fetch_add(1, std::memory_order_relaxed);
        } else if (inserted) {
            shard->erase(position);
        }
    }
    tell(notices);
    return result;
}

CloseDecision FileTable::close(Open& open) {
    const std::shared_ptr<File> file = open.file_ptr();
    WakeList wakes;
    File::Closed closed;
    {
        const auto shard = shard_of(file->key()).lock();
        closed = file->close(open, wakes);
        if (closed.first) opens_.fetch_sub(1, std::memory_order_relaxed);
        if (closed.unused) shard->erase(file->key());
    }
    closed.over.tell();
    tell(closed.notices);
    for (const Wake& wake : wakes) wake.waker(wake.status);
    return std::move(closed.decision);
}

void FileTable::removal_done(const CloseDecision& decision, const Result<void>& removed) {
    assert(decision.kind == CloseDecision::Kind::remove_name);
    const FileKey& key = decision.file->key();
    // A name that is no longer there (or names another file by now) is as good as removed.
    const bool gone = removed || removed.error() == NtStatus::OBJECT_NAME_NOT_FOUND ||
                      removed.error() == NtStatus::OBJECT_PATH_NOT_FOUND;
    WakeList wakes;
    {
        const auto shard = shard_of(key).lock();
        decision.file->removal_done(*decision.link, gone, wakes);
        if (decision.file->unused()) shard->erase(key);
    }
    for (const Wake& wake : wakes) wake.waker(wake.status);
}

Result<RenameTicket> FileTable::prepare_rename(Open& open) {
    File& file = open.file();
    Result<RenameTicket> ticket = file.prepare_rename(open);
    if (!ticket || !open.directory) return ticket;
    // [MS-FSA] 2.1.5.15.11: a directory with open files below cannot be renamed.
    if (has_opens_below(file.key().share, ticket->from)) {
        file.finish_rename(open, fail(NtStatus::ACCESS_DENIED), 0);
        return fail(NtStatus::ACCESS_DENIED);
    }
    return ticket;
}

void FileTable::finish_rename(Open& open, const Result<std::string>& new_path) {
    File& file = open.file();
    // The epoch moves after the rename took place in the back end: an open that saw the new number
    // before it resolved its path resolved it to the new name.
    const std::uint64_t epoch =
        new_path ? rename_epoch_.fetch_add(1, std::memory_order_acq_rel) + 1 : 0;
    const std::string old_path = file.finish_rename(open, new_path, epoch);
    if (!new_path || !open.directory || *new_path == old_path) return;
    // Files below that were opened while the directory was on its way.
    if (!names_.may_have_below(file.key().share, old_path)) return;
    for (Shard& shard : shards_) {
        const auto files = shard.lock();
        for (const auto& [key, other] : *files) {
            if (key.share == file.key().share) other->rename_below(old_path, *new_path);
        }
    }
}

Result<void> FileTable::check_target(const FileKey& target, std::uint32_t attributes,
                                     bool directory, bool posix, bool ignore_readonly) const {
    // [MS-FSA] 2.1.5.15.11: what a target must not be, to be replaced.
    if (directory) return fail(NtStatus::ACCESS_DENIED);
    if ((attributes & attribute::readonly) != 0 && !ignore_readonly) {
        return fail(NtStatus::ACCESS_DENIED);
    }
    if (posix) return {};
    const std::shared_ptr<File> file = find(target);
    if (file != nullptr && file->in_use()) return fail(NtStatus::ACCESS_DENIED);
    return {};
}

Result<void> FileTable::check_target_directory(const FileKey& directory, bool source_is_directory,
                                               bool for_link) const {
    const std::shared_ptr<File> file = find(directory);
    if (file == nullptr) return {};
    const std::uint32_t shared = for_link ? share::all : share::read | share::write;
    return file->may_take_name(parent_access_to_create(source_is_directory), shared);
}

std::shared_ptr<File> FileTable::find(const FileKey& key) const {
    const auto shard = shard_of(key).lock();
    const auto position = shard->find(key);
    return position == shard->end() ? nullptr : position->second;
}

bool FileTable::has_opens_below(ShareId share, std::string_view directory) const {
    if (!names_.may_have_below(share, directory)) return false;
    for (Shard& shard : shards_) {
        const auto files = shard.lock();
        for (const auto& [key, file] : *files) {
            if (key.share == share && file->has_link_below(directory)) return true;
        }
    }
    return false;
}

std::vector<std::shared_ptr<File>> FileTable::all() const {
    std::vector<std::shared_ptr<File>> result;
    for (Shard& shard : shards_) {
        const auto files = shard.lock();
        for (const auto& [key, file] : *files) result.push_back(file);
    }
    return result;
}

std::size_t FileTable::file_count() const {
    std::size_t count = 0;
    for (Shard& shard : shards_) count += shard.lock()->size();
    return count;
}

}  // namespace smb3d::fsa
