#include "fsa/oplock.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace smb3d::fsa {

namespace {

constexpr bool has(CacheState state, CacheState bits) { return (state & bits) != 0; }

// The part of a grant that an operation cannot go on beside.
CacheState waits_for(const Grant& grant, BreakReason reason) {
    switch (reason) {
        case BreakReason::open_security:
            return grant.is_lease() ? cache::none : cache::write;
        case BreakReason::open:
        case BreakReason::overwrite:
            return cache::write;
        case BreakReason::open_break_h:
        case BreakReason::delete_or_rename:
            return cache::handle;
        case BreakReason::host_read:
            return cache::write;
        case BreakReason::host_write:
            // All that is given up with an answer.
            return cache::write | cache::handle;
        case BreakReason::change:
        case BreakReason::entries:
        case BreakReason::all:
            break;
    }
    return cache::none;
}

// [MS-FSA] 2.1.4.12: what is left of a grant.
CacheState reduced(const Grant& grant, BreakReason reason) {
    // A batch or exclusive oplock goes down to level II, which caches no handle.
    const bool level_one = !grant.is_lease() && has(grant.state, cache::write);
    switch (reason) {
        case BreakReason::open_security:
            return level_one ? cache::read : grant.state;
        case BreakReason::open:
        case BreakReason::host_read:
            return level_one ? cache::read : grant.state & ~cache::write;
        case BreakReason::open_break_h:
        case BreakReason::delete_or_rename:
            if (!has(grant.state, cache::handle)) return grant.state;
            return level_one ? cache::read : grant.state & ~cache::handle;
        case BreakReason::overwrite:
        case BreakReason::change:
        case BreakReason::entries:
        case BreakReason::host_write:
        case BreakReason::all:
            break;
    }
    return cache::none;
}

}  // namespace

std::size_t OplockKeyHash::operator()(const OplockKey& key) const noexcept {
    std::uint64_t words[4];
    std::memcpy(words, key.bytes.data(), sizeof words);
    std::uint64_t hash = 0x9E3779B97F4A7C15;
    for (const std::uint64_t word : words) {
        hash = (hash ^ word) * 0xBF58476D1CE4E5B9;
        hash ^= hash >> 29;
    }
    return static_cast<std::size_t>(hash);
}

void Oplocks::shrink(const std::shared_ptr<Grant>& grant, CacheState to, BreakList& notices) {
    to &= grant->state;
    if (grant->breaking) {
        // Told when the break under way has been acknowledged.
        grant->required &= to;
        return;
    }
    if (to == grant->state) return;
    BreakNotice notice;
    notice.grant = grant;
    notice.from = grant->state;
    notice.to = to;
    // Reads alone are given up without an answer.
    notice.acknowledge = has(grant->state, cache::write | cache::handle);
    notice.epoch = ++grant->epoch;
    notice.number = ++grant->break_number;
    if (notice.acknowledge) {
        grant->breaking = true;
        grant->break_to = to;
        grant->required = to;
    } else {
        grant->state = to;
    }
    notices.push_back(std::move(notice));
}

bool Oplocks::conflict(BreakReason reason, const OplockKey& key, const Grant* self,
                       BreakList& notices) {
    bool wait = false;
    for (const std::shared_ptr<Grant>& grant : grants_) {
        if (grant->is_lease() && grant->key == key) continue;
        // A level II oplock is broken by its holder's own writes, too.
        const bool own_stays =
            reason == BreakReason::delete_or_rename || has(grant->state, cache::write);
        if (grant.get() == self && own_stays) continue;
        wait = wait || has(grant->state, waits_for(*grant, reason));
        shrink(grant, reduced(*grant, reason), notices);
    }
    return wait;
}

bool Oplocks::others_breaking(const OplockKey& key) const {
    return std::any_of(grants_.begin(), grants_.end(), [&](const auto& grant) {
        return grant->breaking && !(grant->is_lease() && grant->key == key);
    });
}

// ---- waiting

LockTicket Oplocks::wait(Waker waker) {
    waiting_.push_back({next_ticket_, waker});
    return next_ticket_++;
}

void Oplocks::cancel(LockTicket ticket, WakeList& wakes) {
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const Waiting& w) { return w.ticket == ticket; });
    if (found == waiting_.end()) return;
    wakes.push_back({found->waker, NtStatus::CANCELLED});
    waiting_.erase(found);
}

void Oplocks::wake_all(WakeList& wakes) {
    for (const Waiting& waiting : waiting_) wakes.push_back({waiting.waker, NtStatus::SUCCESS});
    waiting_.clear();
}

// ---- granting

// [MS-FSA] 2.1.5.18.1, 2.1.5.18.2
CacheState Oplocks::grantable(const CacheRequest& request, const OplockKey& key,
                              const CacheObstacles& obstacles) const {
    CacheState state = legal_state(request.state & obstacles.host_allows);
    if (request.directory) state &= ~cache::write;
    if (obstacles.byte_range_locks) return cache::none;
    if (obstacles.other_opens) state &= ~cache::write;
    const bool lease = !key.empty();
    for (const std::shared_ptr<Grant>& grant : grants_) {
        if (lease && grant->key == key) continue;
        if (grant->state == cache::none) continue;
        // A grant of writing that is still on its way down, to somebody who only looked.
        if (has(grant->state, cache::write)) return cache::none;
        state &= ~cache::write;
        // Level II oplocks and cached handles do not go together.
        if (!grant->is_lease() && lease) state &= ~cache::handle;
        if (!lease && has(grant->state, cache::handle)) return cache::none;
    }
    // Without writing a traditional oplock is level II.
    if (!lease && !has(state, cache::write)) state &= cache::read;
    return state;
}

std::shared_ptr<Grant> Oplocks::request(const CacheRequest& request, const OplockKey& key,
                                        std::shared_ptr<CacheHolder> holder,
                                        const CacheObstacles& obstacles) {
    const CacheState state = grantable(request, key, obstacles);
    // What the host does not allow nobody can have asked for.
    const CacheState wanted = legal_state(request.state & obstacles.host_allows) &
                              (request.directory ? ~cache::write : cache::all);
    if (key.empty()) {
        if (state == cache::none) return nullptr;
        auto grant = std::make_shared<Grant>(key, std::move(holder));
        grant->state = state;
        grant->opens = 1;
        grant->listed = true;
        grants_.push_back(grant);
        return grant;
    }
    std::shared_ptr<Grant> grant = find(key);
    if (grant == nullptr) {
        grant = std::make_shared<Grant>(key, std::move(holder));
        grant->state = state;
        // [MS-SMB2] 3.3.5.9.11: the first state is the client's epoch and one more.
        grant->epoch = static_cast<std::uint16_t>(request.epoch + (state != cache::none ? 1 : 0));
        grant->listed = true;
        grants_.push_back(grant);
    } else if (!grant->breaking && state == wanted && (grant->state & state) == grant->state &&
               grant->state != state) {
        // [MS-SMB2] 3.3.5.9.8: upgraded only by what includes all that it has; all of what is
        // asked for or nothing (smb2.lease.upgrade3).
        grant->state = state;
        ++grant->epoch;
    }
    ++grant->opens;
    return grant;
}

void Oplocks::release(const std::shared_ptr<Grant>& grant, WakeList& wakes) {
    if (grant->opens > 0) --grant->opens;
    if (grant->opens == 0 && grant->listed) {
        grant->listed = false;
        grant->state = cache::none;
        grant->breaking = false;
        std::erase(grants_, grant);
    }
    wake_all(wakes);
}

// ---- the end of a break

Result<void> Oplocks::acknowledge(const std::shared_ptr<Grant>& grant, CacheState state,
                                  BreakList& notices, WakeList& wakes) {
    if (!grant->breaking) return fail(NtStatus::UNSUCCESSFUL);
    if ((state & ~grant->break_to) != 0) return fail(NtStatus::REQUEST_NOT_ACCEPTED);
    grant->state = legal_state(state);
    const CacheState left = grant->state & grant->required;
    if (left == grant->state) {
        grant->breaking = false;
        wake_all(wakes);
        return {};
    }
    // More was asked for meanwhile.  From a cached handle or write the next step is to reading, and
    // only from there to nothing, as Windows does it (smb2.lease.breaking3); the epoch counts one
    // break.
    BreakNotice notice;
    notice.grant = grant;
    notice.from = grant->state;
    notice.acknowledge = has(grant->state, cache::write | cache::handle);
    notice.to = notice.acknowledge ? (left | (grant->state & cache::read)) : left;
    notice.epoch = grant->epoch;
    notice.number = ++grant->break_number;
    if (notice.acknowledge) {
        grant->break_to = notice.to;
    } else {
        grant->state = notice.to;
        grant->breaking = false;
        wake_all(wakes);
    }
    notices.push_back(std::move(notice));
    return {};
}

void Oplocks::time_out(const std::shared_ptr<Grant>& grant, std::uint32_t number, bool reachable,
                       WakeList& wakes) {
    if (!grant->breaking || grant->break_number != number) return;
    // [MS-SMB2] 3.3.6.1.  Deviation: 3.3.6.5 would leave a lease what it was to go down to; Windows
    // leaves nothing (smb2.lease.timeout).  A client that is merely out of reach keeps it.
    grant->state = reachable ? cache::none : legal_state(grant->break_to & grant->required);
    grant->breaking = false;
    wake_all(wakes);
}

std::shared_ptr<Grant> Oplocks::find(const OplockKey& key) const {
    for (const std::shared_ptr<Grant>& grant : grants_) {
        if (grant->is_lease() && grant->key == key) return grant;
    }
    return nullptr;
}

std::string Oplocks::audit() const {
    bool breaking = false;
    for (const std::shared_ptr<Grant>& grant : grants_) {
        breaking = breaking || grant->breaking;
        if (!grant->listed || grant->opens == 0) return "a grant that no open has";
        if (legal_state(grant->state) != grant->state) return "a state that does not exist";
        const bool asked = (grant->break_to & ~grant->state) == 0 &&
                           (grant->required & ~grant->break_to) == 0 &&
                           grant->required != grant->state;
        if (grant->breaking && !asked) return "a break that takes nothing away";
        for (const std::shared_ptr<Grant>& other : grants_) {
            if (other == grant || other->state == cache::none) continue;
            if (has(grant->state, cache::write)) return "writes cached beside another cache";
            if (!other->is_lease() && has(grant->state, cache::handle)) {
                return "a handle cached beside a level II oplock";
            }
            if (grant->is_lease() && other->key == grant->key) return "two grants of one key";
        }
    }
    // Whoever waits is woken by the end of a break, or never.
    if (!breaking && !waiting_.empty()) return "somebody waits and nothing is being broken";
    return {};
}

bool Oplocks::has_readers() const {
    return std::any_of(grants_.begin(), grants_.end(),
                       [](const auto& grant) { return has(grant->state, cache::read); });
}

}  // namespace smb3d::fsa
