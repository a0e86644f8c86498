// File's side of oplocks: what [MS-FSA] has in its open, write, rename, close and acknowledge.
#include <algorithm>
#include <utility>

#include "fsa/file.h"
#include "fsa/file_table.h"

namespace smb3d::fsa {

namespace {

void run(const WakeList& wakes) {
    for (const Wake& wake : wakes) wake.waker(wake.status);
}

Caching caching_of(const Grant& grant) {
    return {grant.state, grant.is_lease(), grant.breaking, grant.epoch,
            grant.breaking ? grant.required & grant.break_to : grant.state};
}

// [MS-FSA] 2.1.4.12, OPEN: opens for these rights only look at a file from outside.
constexpr std::uint32_t looking =
    access::read_attributes | access::write_attributes | access::synchronize;
constexpr bool only_looks(std::uint32_t granted) { return (granted & ~looking) == 0; }
constexpr bool only_looks_or_reads_security(std::uint32_t granted) {
    return (granted & ~(looking | access::read_control)) == 0;
}

}  // namespace

void tell(const BreakList& notices) {
    for (const BreakNotice& notice : notices) notice.grant->holder->cache_broken(notice);
}

void File::update_oplock_flag(State& state) {
    const bool any = state.oplocks != nullptr && !state.oplocks->grants().empty();
    has_oplocks_.store(any, std::memory_order_release);
    // An Oplocks without grants is kept while somebody waits at it.
    if (!any && state.oplocks != nullptr && !state.oplocks->anybody_waits()) state.oplocks.reset();
}

// A directory is found by its name when something below it changes.
void File::index_leases(State& state) {
    const bool any = state.oplocks != nullptr && !state.oplocks->grants().empty();
    for (const std::shared_ptr<Link>& link : state.links) {
        if (link->leased == any) continue;
        link->leased = any;
        if (any) {
            names_->add_leased(key_.share, link->path, weak_from_this());
        } else {
            names_->remove_leased(key_.share, link->path);
        }
    }
}

// ---- open

// True if the open must wait.
bool File::break_for_open(State& state, const OpenArgs& args, bool conflict, BreakList& notices) {
    if (state.oplocks == nullptr) return false;
    const bool overwriting = !args.created && overwrites(args.disposition);
    BreakReason reason = BreakReason::open;
    if (conflict) {
        reason = BreakReason::open_break_h;
    } else if (overwriting) {
        reason = BreakReason::overwrite;
    } else if (only_looks(args.granted_access)) {
        return false;
    } else if (only_looks_or_reads_security(args.granted_access)) {
        reason = BreakReason::open_security;
    }
    const bool waits = state.oplocks->conflict(reason, args.oplock_key, nullptr, notices);
    return waits || (args.retry && state.oplocks->others_breaking(args.oplock_key));
}

bool File::opened_by_others(const State& state, const Open& open) const {
    return std::any_of(state.opens.begin(), state.opens.end(), [&](const auto& other) {
        if (other.get() == &open) return false;
        if (!open.oplock_key.empty() && other->oplock_key == open.oplock_key) return false;
        // One that reads the security descriptor breaks no lease, but is in the way of a new one
        // (smbtorture smb2.durable-v2-open.nonstat-and-lease).
        return !only_looks(other->granted_access);
    });
}

Caching File::request_cache(Open& open, const CacheRequest& request,
                            std::shared_ptr<CacheHolder> holder) {
    const auto state = state_.lock();
    if (open.closed_) return {};
    if (state->oplocks == nullptr) state->oplocks = std::make_unique<Oplocks>();
    CacheObstacles obstacles;
    obstacles.other_opens = opened_by_others(*state, open);
    obstacles.byte_range_locks = state->locks != nullptr && state->locks->granted() != 0;
    if (request.guarded) obstacles.host_allows = state->host_allows;
    open.grant_ = state->oplocks->request(request, open.oplock_key, std::move(holder), obstacles);
    grant_requests_.fetch_add(1, std::memory_order_acq_rel);
    update_oplock_flag(*state);
    if (open.directory) index_leases(*state);
    return open.grant_ != nullptr ? caching_of(*open.grant_) : Caching{};
}

Caching File::caching(const Open& open) const {
    const auto state = state_.lock();
    return open.grant_ != nullptr ? caching_of(*open.grant_) : Caching{};
}

std::shared_ptr<CacheHolder> File::holder(const Open& open) const {
    const auto state = state_.lock();
    return open.grant_ != nullptr ? open.grant_->holder : nullptr;
}

void File::repeat_break(const Open& open) {
    BreakNotice notice;
    {
        const auto state = state_.lock();
        if (open.grant_ == nullptr || !open.grant_->breaking || open.closed_) return;
        const Grant& grant = *open.grant_;
        notice = {open.grant_, grant.state, grant.break_to, grant.epoch, true, grant.break_number};
    }
    notice.grant->holder->cache_broken(notice);
}

// ---- changes

void File::break_readers(Open& open) {
    if (!has_oplocks_.load(std::memory_order_acquire)) return;
    const std::uint64_t requests = grant_requests_.load(std::memory_order_acquire);
    if (open.changed_at_.load(std::memory_order_relaxed) == requests) return;
    BreakList notices;
    {
        const auto state = state_.lock();
        if (state->oplocks == nullptr) return;
        state->oplocks->conflict(BreakReason::change, open.oplock_key, open.grant_.get(), notices);
        // Whatever there is now goes down to nothing; only a new request changes that, or the end
        // of a break.
        open.changed_at_.store(requests, std::memory_order_relaxed);
    }
    tell(notices);
}

void File::break_caches(BreakReason reason, const OplockKey& except) {
    if (!has_oplocks_.load(std::memory_order_acquire)) return;
    BreakList notices;
    {
        const auto state = state_.lock();
        if (state->oplocks == nullptr) return;
        state->oplocks->conflict(reason, except, nullptr, notices);
    }
    tell(notices);
}

void File::break_lease(const OplockKey& key) {
    BreakList notices;
    {
        const auto state = state_.lock();
        const auto grant = state->oplocks != nullptr ? state->oplocks->find(key) : nullptr;
        if (grant != nullptr) state->oplocks->take_back(grant, notices);
    }
    tell(notices);
}

void File::break_own(const Open& open) {
    BreakList notices;
    {
        const auto state = state_.lock();
        const bool granted = open.grant_ != nullptr && open.grant_->listed;
        if (granted && state->oplocks != nullptr) state->oplocks->take_back(open.grant_, notices);
    }
    tell(notices);
}

BreakWait File::break_handles(const OplockKey& except, Waker waker, const Open* self) {
    if (!has_oplocks_.load(std::memory_order_acquire)) return {};
    BreakList notices;
    BreakWait wait;
    {
        const auto state = state_.lock();
        if (state->oplocks == nullptr) return {};
        const Grant* own = self != nullptr ? self->grant_.get() : nullptr;
        if (state->oplocks->conflict(BreakReason::delete_or_rename, except, own, notices)) {
            wait = {shared_from_this(), state->oplocks->wait(waker)};
        }
    }
    tell(notices);
    return wait;
}

void File::cancel_break_wait(LockTicket ticket) {
    WakeList wakes;
    {
        const auto state = state_.lock();
        if (state->oplocks == nullptr) return;
        state->oplocks->cancel(ticket, wakes);
        update_oplock_flag(*state);
    }
    run(wakes);
}

// ---- the host

void File::host_allows(CacheState most, std::uint64_t number) {
    const auto state = state_.lock();
    if (number < state->host_number) return;
    state->host_number = number;
    state->host_allows = most;
}

BreakWait File::break_for_host(CacheState most, std::uint64_t number, Waker waker) {
    const bool reads = (most & cache::read) != 0;
    const BreakReason reason = reads ? BreakReason::host_read : BreakReason::host_write;
    BreakList notices;
    BreakWait wait;
    {
        const auto state = state_.lock();
        if (number < state->host_number) return {};
        state->host_number = number;
        state->host_allows = most;
        if (state->oplocks == nullptr) return {};
        if (state->oplocks->conflict(reason, {}, nullptr, notices)) {
            wait = {shared_from_this(), state->oplocks->wait(waker)};
        }
    }
    tell(notices);
    return wait;
}

// ---- the end of a break

// `find` yields the grant or null: then the answer is `absent`.
template <class Find, class End>
Result<void> File::end_break(Find find, NtStatus absent, End end) {
    BreakList notices;
    WakeList wakes;
    BreakEnd over;
    Result<void> result;
    {
        const auto state = state_.lock();
        if (state->oplocks == nullptr) return fail(NtStatus::INVALID_OPLOCK_PROTOCOL);
        const std::shared_ptr<Grant> grant = find(*state->oplocks);
        if (grant == nullptr) return fail(absent);
        const bool breaking = grant->breaking;
        const std::uint32_t number = grant->break_number;
        result = end(*state->oplocks, grant, notices, wakes);
        if (breaking && (!grant->breaking || grant->break_number != number)) over = {grant, number};
        // What is left may be what a change takes away: a level II oplock also from the very open
        // that changes the file, which kept its batch oplock while it did so before.
        grant_requests_.fetch_add(1, std::memory_order_acq_rel);
        update_oplock_flag(*state);
    }
    over.tell();
    tell(notices);
    run(wakes);
    return result;
}

Result<void> File::acknowledge_break(Open& open, CacheState cached) {
    return end_break(
        [&](Oplocks&) {
            const bool granted = open.grant_ != nullptr && open.grant_->listed;
            return granted ? open.grant_ : nullptr;
        },
        NtStatus::INVALID_OPLOCK_PROTOCOL,
        [&](Oplocks& oplocks, const std::shared_ptr<Grant>& grant, BreakList& notices,
            WakeList& wakes) { return oplocks.acknowledge(grant, cached, notices, wakes); });
}

Result<void> File::acknowledge_break(const OplockKey& key, CacheState cached) {
    return end_break(
        [&](Oplocks& oplocks) { return oplocks.find(key); }, NtStatus::OBJECT_NAME_NOT_FOUND,
        [&](Oplocks& oplocks, const std::shared_ptr<Grant>& grant, BreakList& notices,
            WakeList& wakes) { return oplocks.acknowledge(grant, cached, notices, wakes); });
}

void File::break_timed_out(const std::shared_ptr<Grant>& broken, std::uint32_t number,
                           bool reachable) {
    const Result<void> ended =
        end_break([&](Oplocks&) { return broken; }, NtStatus::INVALID_OPLOCK_PROTOCOL,
                  [&](Oplocks& oplocks, const std::shared_ptr<Grant>& grant, BreakList&,
                      WakeList& wakes) -> Result<void> {
                      oplocks.time_out(grant, number, reachable, wakes);
                      return {};
                  });
    static_cast<void>(ended);  // the file may have lost its last open meanwhile
}

bool File::is_breaking(const Grant& grant, std::uint32_t number) const {
    const auto state = state_.lock();
    return grant.breaking && grant.break_number == number;
}

bool File::has_name(std::string_view path) const {
    const auto state = state_.lock();
    return std::any_of(state->links.begin(), state->links.end(),
                       [&](const auto& link) { return names_->same_name(link->path, path); });
}

// ---- FileTable

void FileTable::entries_changed(ShareId share, std::string_view path, const OplockKey& except) {
    if (!names_.any_leased()) return;
    const std::size_t end = path.rfind('/');
    const std::string_view parent = end == std::string_view::npos ? "" : path.substr(0, end);
    const std::shared_ptr<File> directory = names_.leased(share, parent);
    if (directory != nullptr) directory->break_caches(BreakReason::entries, except);
}

void FileTable::tree_changed(ShareId share, std::string_view directory) {
    if (!names_.any_leased()) return;
    for (const std::shared_ptr<File>& file : names_.leased_below(share, directory)) {
        file->break_caches(BreakReason::entries, {});
    }
}

BreakWait FileTable::break_handles_below(ShareId share, std::string_view directory,
                                         const OplockKey& except, Waker waker) {
    if (!names_.may_have_below(share, directory)) return {};
    std::vector<std::shared_ptr<File>> below;
    for (Shard& shard : shards_) {
        const auto files = shard.lock();
        for (const auto& [key, file] : *files) {
            if (key.share == share && file->has_link_below(directory)) below.push_back(file);
        }
    }
    // One to wait for at a time; the others are asked to let go at once.
    BreakWait wait;
    for (const std::shared_ptr<File>& file : below) {
        if (!wait) {
            wait = file->break_handles(except, waker);
        } else {
            file->break_caches(BreakReason::delete_or_rename, except);
        }
    }
    return wait;
}

// ---- NameIndex

void NameIndex::add_leased(ShareId share, std::string_view path, std::weak_ptr<File> file) {
    std::string key = name_key(share, path);
    const auto names = leased_.lock();
    names->insert_or_assign(std::move(key), std::move(file));
    leased_count_.store(names->size(), std::memory_order_release);
}

void NameIndex::remove_leased(ShareId share, std::string_view path) {
    const std::string key = name_key(share, path);
    const auto names = leased_.lock();
    names->erase(key);
    leased_count_.store(names->size(), std::memory_order_release);
}

std::shared_ptr<File> NameIndex::leased(ShareId share, std::string_view path) const {
    const std::string key = name_key(share, path);
    const auto names = leased_.lock();
    const auto found = names->find(key);
    return found != names->end() ? found->second.lock() : nullptr;
}

std::vector<std::shared_ptr<File>> NameIndex::leased_below(ShareId share,
                                                           std::string_view directory) const {
    std::string prefix = name_key(share, directory);
    std::vector<std::shared_ptr<File>> result;
    const auto names = leased_.lock();
    for (const auto& [key, file] : *names) {
        const bool itself = key == prefix;
        const bool below = key.size() > prefix.size() && key.starts_with(prefix) &&
                           (directory.empty() || key[prefix.size()] == '/');
        if (!itself && !below) continue;
        if (std::shared_ptr<File> alive = file.lock()) result.push_back(std::move(alive));
    }
    return result;
}

}  // namespace smb3d::fsa
