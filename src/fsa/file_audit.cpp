// File::audit: the invariants of one file's state, for tests and for whoever suspects a defect.
#include <algorithm>
#include <unordered_map>

#include "fsa/file.h"

namespace smb3d::fsa {

namespace {

constexpr std::uint32_t looking =
    access::read_attributes | access::write_attributes | access::synchronize | access::read_control;

bool overlap(const LockElement& a, const LockElement& b) {
    if (a.range.length == 0 || b.range.length == 0) return false;
    return a.range.offset <= b.range.offset + (b.range.length - 1) &&
           b.range.offset <= a.range.offset + (a.range.length - 1);
}

}  // namespace

std::string File::audit_opens(const State& state) {
    ShareCounts counts;
    for (std::size_t i = 0; i < state.opens.size(); ++i) {
        const Open& open = *state.opens[i];
        if (open.closed_ || open.index_ != i) return "a closed open, or one in a wrong place";
        counts.add(open.granted_access, open.share_access);
        const bool linked = std::any_of(state.links.begin(), state.links.end(),
                                        [&](const auto& link) { return link == open.link_; });
        if (!linked && open.link_->state == LinkState::live) return "an open without a link";
    }
    const auto same = [](const ShareCounts& a, const ShareCounts& b) {
        return a.opens == b.opens && a.readers == b.readers && a.writers == b.writers &&
               a.deleters == b.deleters && a.share_read == b.share_read &&
               a.share_write == b.share_write && a.share_delete == b.share_delete;
    };
    if (!same(counts, state.counts)) return "share modes that are not those of the opens";
    // [MS-FSA] 2.1.5.1.2.2: each of them is compatible with all others.
    for (const std::shared_ptr<Open>& open : state.opens) {
        ShareCounts others = counts;
        others.remove(open->granted_access, open->share_access);
        if (others.conflicts(open->granted_access, open->share_access)) {
            return "opens whose share modes conflict";
        }
    }
    return {};
}

std::string File::audit_locks(const State& state) {
    if (state.locks == nullptr) return {};
    const std::vector<ByteRangeLocks::Entry> locks = state.locks->entries();
    for (std::size_t i = 0; i < locks.size(); ++i) {
        const ByteRangeLocks::Entry& lock = locks[i];
        const bool owned = std::any_of(state.opens.begin(), state.opens.end(),
                                       [&](const auto& open) { return open->id == lock.owner; });
        if (!owned) return "a lock that nobody holds";
        for (std::size_t j = i + 1; j < locks.size(); ++j) {
            const ByteRangeLocks::Entry& other = locks[j];
            const bool exclusive = lock.element.exclusive || other.element.exclusive;
            // Shared locks stack on the owner's exclusive one.
            const bool both = lock.element.exclusive && other.element.exclusive;
            const bool own = lock.owner == other.owner;
            if (overlap(lock.element, other.element) && (own ? both : exclusive)) {
                return "locks that conflict";
            }
        }
    }
    return {};
}

std::string File::audit_caches(const State& state) {
    std::unordered_map<const Grant*, std::uint32_t> users;
    for (const std::shared_ptr<Open>& open : state.opens) {
        if (open->grant_ != nullptr) ++users[open->grant_.get()];
    }
    if (state.oplocks == nullptr) {
        return users.empty() ? std::string() : "an open with a grant that the file does not know";
    }
    for (const std::shared_ptr<Grant>& grant : state.oplocks->grants()) {
        if (grant->opens != users[grant.get()]) return "a grant of opens that are gone";
        if ((grant->state & cache::write) == 0) continue;
        for (const std::shared_ptr<Open>& open : state.opens) {
            const bool own =
                open->grant_ == grant || (grant->is_lease() && open->oplock_key == grant->key);
            if (!own && (open->granted_access & ~looking) != 0) {
                return "writes cached beside another's open";
            }
        }
    }
    if (users.size() != state.oplocks->grants().size()) return "a grant that is not listed";
    return state.oplocks->audit();
}

std::string File::audit() const {
    const auto state = state_.lock();
    std::string wrong = audit_opens(*state);
    if (wrong.empty()) wrong = audit_locks(*state);
    if (wrong.empty()) wrong = audit_caches(*state);
    if (wrong.empty()) return {};
    std::string where = "?";
    if (!state->links.empty()) where = state->links.front()->path;
    return where + ": " + wrong;
}

}  // namespace smb3d::fsa
