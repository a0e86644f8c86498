#include "fsa/file.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "fsa/attributes.h"
#include "fsa/file_table.h"
#include "fsa/path.h"

namespace smb3d::fsa {

namespace {

// [MS-FSA] 2.1.5.15.8: the bits of Mode that FileModeInformation sets, and those that stay.
constexpr std::uint32_t settable_mode = option::write_through | option::sequential_only |
                                        option::synchronous_io_alert |
                                        option::synchronous_io_nonalert;
constexpr std::uint32_t initial_mode = option::write_through | option::sequential_only |
                                       option::no_intermediate_buffering | option::delete_on_close;

constexpr std::uint32_t reading = access::read_data | access::execute;
constexpr std::uint32_t writing = access::write_data | access::append_data;

void run(const WakeList& wakes) {
    for (const Wake& wake : wakes) wake.waker(wake.status);
}

// Can the two paths be compared: is one below the other's share?  Else they are names of different
// mounts of one file system.
bool same_tree(const Link& link, const OpenArgs& args) {
    return is_within(args.path, std::string_view(link.path).substr(0, link.root)) ||
           is_within(link.path, std::string_view(args.path).substr(0, args.root));
}

}  // namespace

NtStatus to_status(OpenOutcome outcome) {
    switch (outcome) {
        case OpenOutcome::granted:
            return NtStatus::SUCCESS;
        case OpenOutcome::sharing_violation:
            return NtStatus::SHARING_VIOLATION;
        case OpenOutcome::delete_pending:
            return NtStatus::DELETE_PENDING;
        case OpenOutcome::cannot_delete:
            return NtStatus::CANNOT_DELETE;
        case OpenOutcome::break_pending:
            return NtStatus::OPLOCK_BREAK_IN_PROGRESS;
    }
    return NtStatus::INTERNAL_ERROR;
}

// ---- ShareCounts

void ShareCounts::add(std::uint32_t granted, std::uint32_t shared) {
    if (!takes_part_in_sharing(granted)) return;
    ++opens;
    if ((granted & reading) != 0) ++readers;
    if ((granted & writing) != 0) ++writers;
    if ((granted & access::delete_) != 0) ++deleters;
    if ((shared & share::read) != 0) ++share_read;
    if ((shared & share::write) != 0) ++share_write;
    if ((shared & share::delete_) != 0) ++share_delete;
}

void ShareCounts::remove(std::uint32_t granted, std::uint32_t shared) {
    if (!takes_part_in_sharing(granted)) return;
    assert(opens > 0);
    --opens;
    if ((granted & reading) != 0) --readers;
    if ((granted & writing) != 0) --writers;
    if ((granted & access::delete_) != 0) --deleters;
    if ((shared & share::read) != 0) --share_read;
    if ((shared & share::write) != 0) --share_write;
    if ((shared & share::delete_) != 0) --share_delete;
}

bool ShareCounts::conflicts(std::uint32_t access, std::uint32_t shared) const {
    if (!takes_part_in_sharing(access)) return false;
    // What is asked for, against those who do not share it ...
    if ((access & reading) != 0 && share_read != opens) return true;
    if ((access & writing) != 0 && share_write != opens) return true;
    if ((access & access::delete_) != 0 && share_delete != opens) return true;
    // ... and what is not shared, against those who have it.
    return ((shared & share::read) == 0 && readers != 0) ||
           ((shared & share::write) == 0 && writers != 0) ||
           ((shared & share::delete_) == 0 && deleters != 0);
}

// ---- Open

Open::Open(std::shared_ptr<File> file, std::shared_ptr<Link> link, const OpenArgs& args)
    : id(args.id),
      granted_access(args.granted_access),
      share_access(args.share_access),
      directory(args.directory),
      share_root(args.path.size() <= args.root),
      oplock_key(args.oplock_key),
      parent_oplock_key(args.parent_oplock_key),
      file_(std::move(file)),
      link_(std::move(link)),
      delete_on_close_((args.create_options & option::delete_on_close) != 0),
      mode_(args.create_options & initial_mode) {}

Result<void> Open::set_mode(std::uint32_t mode) {
    constexpr std::uint32_t both = option::synchronous_io_alert | option::synchronous_io_nonalert;
    if ((mode & ~settable_mode) != 0 || (mode & both) == both) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    const std::uint32_t kept = mode_.load(std::memory_order_relaxed) & ~settable_mode;
    mode_.store(kept | mode, std::memory_order_relaxed);
    return {};
}

// ---- open and close

// The link that an open by args.path belongs to: an existing one, or a new one not yet in the list.
std::shared_ptr<Link> File::link_for(State& state, const OpenArgs& args) {
    for (const std::shared_ptr<Link>& link : state.links) {
        if (link->path == args.path) return link;
    }
    // A file with a single name whose name is not the one we know: it was renamed, either by us
    // after the back end resolved the path (then what we know is newer), or outside of the server
    // (then the path is).
    if (args.links == 1 && !args.created && state.links.size() == 1 &&
        state.links.front()->state == LinkState::live && same_tree(*state.links.front(), args)) {
        const std::shared_ptr<Link>& link = state.links.front();
        if (!link->renaming && args.rename_epoch != 0 && args.rename_epoch >= state.rename_epoch) {
            set_path(*link, args.path);
        }
        return link;
    }
    auto link = std::make_shared<Link>();
    link->path = args.path;
    link->root = args.root;
    return link;
}

// [MS-FSA] 2.1.5.1.2 from the point where the file is found and access to it is granted.
OpenResult File::open(const OpenArgs& args, const Waker* waker, BreakList& notices) {
    const auto state = state_.lock();
    const std::shared_ptr<Link> link = link_for(*state, args);
    if (link->state == LinkState::removing && waker != nullptr) {
        // [MS-FSA] 2.1.5.5: the name goes with its last handle; who comes in between waits for
        // that.
        if (state->oplocks == nullptr) state->oplocks = std::make_unique<Oplocks>();
        const LockTicket ticket = state->oplocks->wait(*waker);
        return {OpenOutcome::break_pending, nullptr, shared_from_this(), ticket};
    }
    if (link->state != LinkState::live) return {OpenOutcome::delete_pending, nullptr, nullptr};

    if ((args.create_options & option::delete_on_close) != 0) {
        const bool removable = (args.attributes & attribute::readonly) == 0 &&
                               (args.granted_access & access::delete_) != 0 &&
                               args.path.size() > args.root;
        if (!removable) return {OpenOutcome::cannot_delete, nullptr, nullptr};
    }

    // [MS-FSA] 2.1.5.1.2.2; an overwrite writes even if nobody asked for FILE_WRITE_DATA.
    const std::uint32_t added = args.created ? 0 : access_added_by(args.disposition);
    const bool conflict = state->counts.conflicts(args.granted_access | added, args.share_access);
    // [MS-FSA] 2.1.5.1.2: whoever caches a handle may close it, and the conflict is gone.
    if (break_for_open(*state, args, conflict, notices)) {
        const LockTicket ticket = waker != nullptr ? state->oplocks->wait(*waker) : 0;
        return {OpenOutcome::break_pending, nullptr, shared_from_this(), ticket, conflict};
    }
    if (conflict) return {OpenOutcome::sharing_violation, nullptr, nullptr};

    auto open = std::make_shared<Open>(shared_from_this(), link, args);
    open->index_ = static_cast<std::uint32_t>(state->opens.size());
    state->opens.push_back(open);
    state->counts.add(args.granted_access, args.share_access);
    if (link->opens++ == 0) attach(*state, link);
    return {OpenOutcome::granted, std::move(open), nullptr};
}

// [MS-FSA] 2.1.5.5
File::Closed File::close(Open& open, WakeList& wakes) {
    Closed result;
    CloseDecision& decision = result.decision;
    const auto state = state_.lock();
    if (open.closed_) return result;
    open.closed_ = true;
    result.first = true;

    if (state->locks != nullptr) {
        state->locks->release(open.id, wakes);
        update_lock_flag(*state);
    }
    const std::shared_ptr<Link> link = open.link_;
    assert(link->opens > 0);
    --link->opens;
    if (open.delete_on_close_ && link->state == LinkState::live) {
        mark(*link, LinkState::delete_pending);
        // [MS-FSA] 2.1.5.5: others may only be keeping their handles.
        if (link->opens != 0 && state->oplocks != nullptr) {
            state->oplocks->conflict(BreakReason::delete_or_rename, open.oplock_key,
                                     open.grant_.get(), result.notices);
        }
    }
    if (state->oplocks != nullptr) {
        if (open.grant_ != nullptr) {
            const bool breaking = open.grant_->breaking;
            state->oplocks->release(open.grant_, wakes);
            if (breaking && !open.grant_->breaking) {
                result.over = {open.grant_, open.grant_->break_number};
            }
        } else {
            state->oplocks->wake_all(wakes);
        }
        update_oplock_flag(*state);
        if (open.directory) index_leases(*state);
    }
    state->counts.remove(open.granted_access, open.share_access);
    const bool posix_removal = link->posix && open.disposition_;
    if (link->state == LinkState::delete_pending && (link->opens == 0 || posix_removal)) {
        mark(*link, LinkState::removing);
        decision.kind = CloseDecision::Kind::remove_name;
        decision.path = link->path;
        decision.id = key_.id;
        decision.file = shared_from_this();
        decision.link = link;
    }
    if (link->opens == 0 && link->state == LinkState::live) detach(*state, *link);

    // The last one takes this one's place; this may free `open`'s own reference, the caller has
    // another.
    const std::size_t index = open.index_;
    assert(index < state->opens.size() && state->opens[index].get() == &open);
    if (index + 1 != state->opens.size()) {
        state->opens[index] = std::move(state->opens.back());
        state->opens[index]->index_ = static_cast<std::uint32_t>(index);
    }
    state->opens.pop_back();
    decision.last_open = state->opens.empty();
    result.unused = state->opens.empty() && state->links.empty();
    return result;
}

void File::removal_done(Link& link, bool removed, WakeList& wakes) {
    const auto state = state_.lock();
    assert(link.state == LinkState::removing);
    if (state->oplocks != nullptr) {
        state->oplocks->wake_all(wakes);
        update_oplock_flag(*state);
    }
    if (removed) {
        // The link stays `removing` for opens that it may still have (POSIX), but no new open finds
        // it.
        names_->remove_pending(key_.share, link.path);
        link.indexed = false;
        return detach(*state, link);
    }
    link.posix = false;
    mark(link, LinkState::live);
    if (link.opens == 0) detach(*state, link);
}

bool File::unused() const {
    const auto state = state_.lock();
    return state->opens.empty() && state->links.empty();
}

// Sets the link's state and keeps NameIndex in step.
void File::mark(Link& link, LinkState state) {
    link.state = state;
    const bool pending = state != LinkState::live;
    if (pending == link.indexed) return;
    if (pending) {
        names_->add_pending(key_.share, link.path);
    } else {
        names_->remove_pending(key_.share, link.path);
    }
    link.indexed = pending;
}

void File::set_path(Link& link, std::string path) {
    // A name elsewhere is not of that share any more.
    const bool stays = is_within(path, std::string_view(link.path).substr(0, link.root));
    const std::size_t root = stays ? link.root : 0;
    if (link.indexed) {
        names_->remove_pending(key_.share, link.path);
        names_->add_pending(key_.share, path);
    }
    if (link.attached) {
        names_->remove_open(key_.share, link.path, link.root);
        names_->add_open(key_.share, path, root);
    }
    if (link.leased) {
        names_->remove_leased(key_.share, link.path);
        names_->add_leased(key_.share, path, weak_from_this());
    }
    link.path = std::move(path);
    link.root = root;
}

void File::attach(State& state, std::shared_ptr<Link> link) {
    names_->add_open(key_.share, link->path, link->root);
    link->attached = true;
    state.links.push_back(std::move(link));
}

void File::detach(State& state, Link& link) {
    if (!link.attached) return;
    link.attached = false;
    names_->remove_open(key_.share, link.path, link.root);
    if (link.leased) names_->remove_leased(key_.share, link.path);
    link.leased = false;
    std::erase_if(state.links, [&](const auto& other) { return other.get() == &link; });
}

// ---- names and deletion

std::string File::path(const Open& open) const {
    const auto state = state_.lock();
    return open.link_->path;
}

bool File::delete_pending(const Open& open) const {
    const auto state = state_.lock();
    return open.link_->state != LinkState::live;
}

bool File::is_delete_on_close(const Open& open) const {
    const auto state = state_.lock();
    return open.delete_on_close_;
}

Result<void> File::set_disposition(Open& open, const Disposition& disposition) {
    SMB3D_TRY(check_operation(Operation::set_disposition, open.granted_access));
    const auto state = state_.lock();
    if (open.closed_) return fail(NtStatus::FILE_CLOSED);
    Link& link = *open.link_;

    if (disposition.remove) {
        // [MS-FSA] 2.1.5.15.3
        if ((disposition.attributes & attribute::readonly) != 0 && !disposition.ignore_readonly) {
            return fail(NtStatus::CANNOT_DELETE);
        }
        if (open.share_root) return fail(NtStatus::CANNOT_DELETE);
        if (open.directory && !disposition.directory_empty) {
            return fail(NtStatus::DIRECTORY_NOT_EMPTY);
        }
    }
    if (disposition.on_close) {
        // [MS-FSCC] 2.4.11.2: only an open that was made with FILE_DELETE_ON_CLOSE has that state.
        if ((open.mode() & option::delete_on_close) == 0) return fail(NtStatus::NOT_SUPPORTED);
        open.delete_on_close_ = disposition.remove;
        if (!disposition.remove) return {};
        link.posix = link.posix || disposition.posix;
        open.disposition_ = true;
        return {};
    }
    if (link.state == LinkState::removing) {
        if (disposition.remove) return {};  // it is going away as asked
        return fail(NtStatus::FILE_DELETED);
    }
    open.disposition_ = disposition.remove;
    link.posix = disposition.remove && (link.posix || disposition.posix);
    mark(link, disposition.remove ? LinkState::delete_pending : LinkState::live);
    return {};
}

// [MS-FSA] 2.1.5.15.11.  Share modes need no check of their own: an open with DELETE access, which
// this one has, can only exist beside opens that share delete.
Result<RenameTicket> File::prepare_rename(Open& open) {
    SMB3D_TRY(check_operation(Operation::rename, open.granted_access));
    const auto state = state_.lock();
    if (open.closed_) return fail(NtStatus::FILE_CLOSED);
    Link& link = *open.link_;
    if (open.share_root || link.state != LinkState::live) return fail(NtStatus::ACCESS_DENIED);
    if (link.renaming) return fail(NtStatus::SHARING_VIOLATION);
    link.renaming = true;
    return RenameTicket{link.path, key_.id};
}

std::string File::finish_rename(Open& open, const Result<std::string>& new_path,
                                std::uint64_t epoch) {
    const auto state = state_.lock();
    Link& link = *open.link_;
    assert(link.renaming);
    link.renaming = false;
    std::string old_path = link.path;
    if (new_path) {
        set_path(link, *new_path);
        state->rename_epoch = epoch;
    }
    return old_path;
}

bool File::has_link_below(std::string_view directory) const {
    const auto state = state_.lock();
    return std::any_of(state->links.begin(), state->links.end(),
                       [&](const auto& link) { return is_below(link->path, directory); });
}

void File::rename_below(std::string_view old_prefix, std::string_view new_prefix) {
    const auto state = state_.lock();
    for (const std::shared_ptr<Link>& link : state->links) {
        if (!is_below(link->path, old_prefix)) continue;
        std::string path(new_prefix);
        path.append(link->path, old_prefix.size());
        set_path(*link, std::move(path));
    }
}

bool File::in_use() const { return !unused(); }

Result<void> File::may_take_name(std::uint32_t access, std::uint32_t shared) const {
    const auto state = state_.lock();
    for (const std::shared_ptr<Link>& link : state->links) {
        if (link->state != LinkState::live) return fail(NtStatus::DELETE_PENDING);
    }
    if (state->counts.conflicts(access, shared)) return fail(NtStatus::SHARING_VIOLATION);
    return {};
}

// ---- byte-range locks

void File::update_lock_flag(const State& state) {
    has_locks_.store(state.locks != nullptr && state.locks->granted() != 0,
                     std::memory_order_release);
}

Result<void> File::may_lock(const Open& open) {
    // [MS-FSA] 2.1.5.8, 2.1.5.9
    if (open.directory) return fail(NtStatus::INVALID_PARAMETER);
    return check_operation(Operation::lock, open.granted_access);
}

Result<void> File::check_read(const Open& open, std::uint64_t offset, std::uint64_t length) const {
    if (length == 0 || !has_locks_.load(std::memory_order_acquire)) return {};
    const auto state = state_.lock();
    if (open.closed_) return fail(NtStatus::FILE_CLOSED);
    if (state->locks->read_conflicts(open.id, {offset, length})) {
        return fail(NtStatus::FILE_LOCK_CONFLICT);
    }
    return {};
}

Result<void> File::check_write(const Open& open, std::uint64_t offset, std::uint64_t length) const {
    if (length == 0 || !has_locks_.load(std::memory_order_acquire)) return {};
    const auto state = state_.lock();
    if (open.closed_) return fail(NtStatus::FILE_CLOSED);
    if (state->locks->write_conflicts(open.id, {offset, length})) {
        return fail(NtStatus::FILE_LOCK_CONFLICT);
    }
    return {};
}

Result<void> File::lock_all(Open& open, std::span<const LockElement> elements) {
    SMB3D_TRY(may_lock(open));
    const auto state = state_.lock();
    if (open.closed_) return fail(NtStatus::FILE_CLOSED);
    if (state->locks == nullptr) state->locks = std::make_unique<ByteRangeLocks>();
    const Result<void> result = state->locks->lock_all(open.id, elements);
    update_lock_flag(*state);
    return result;
}

Result<LockTicket> File::lock_or_wait(Open& open, const LockElement& element, Waker waker) {
    SMB3D_TRY(may_lock(open));
    const auto state = state_.lock();
    if (open.closed_) return fail(NtStatus::FILE_CLOSED);
    if (state->locks == nullptr) state->locks = std::make_unique<ByteRangeLocks>();
    const Result<LockTicket> result = state->locks->lock_or_wait(open.id, element, waker);
    update_lock_flag(*state);
    return result;
}

Result<void> File::unlock(Open& open, std::span<const ByteRange> ranges) {
    SMB3D_TRY(may_lock(open));
    WakeList wakes;
    Result<void> result;
    {
        const auto state = state_.lock();
        if (open.closed_) return fail(NtStatus::FILE_CLOSED);
        if (state->locks == nullptr) return fail(NtStatus::RANGE_NOT_LOCKED);
        result = state->locks->unlock(open.id, ranges, wakes);
        update_lock_flag(*state);
    }
    run(wakes);
    return result;
}

void File::cancel_lock(LockTicket ticket) {
    WakeList wakes;
    {
        const auto state = state_.lock();
        if (state->locks != nullptr) state->locks->cancel(ticket, wakes);
    }
    run(wakes);
}

std::size_t File::lock_count(const Open& open) const {
    if (!has_locks_.load(std::memory_order_acquire)) return 0;
    const auto state = state_.lock();
    return state->locks->granted_to(open.id);
}

std::vector<ByteRangeLocks::Entry> File::locks() const {
    const auto state = state_.lock();
    if (state->locks == nullptr) return {};
    return state->locks->entries();
}

// ---- for administrators and tests

std::vector<File::OpenView> File::opens() const {
    const auto state = state_.lock();
    std::vector<OpenView> result;
    result.reserve(state->opens.size());
    for (const std::shared_ptr<Open>& open : state->opens) {
        result.push_back({open->id, open->granted_access, open->share_access, open->link_->path,
                          open->link_->state, open->delete_on_close_});
    }
    std::sort(result.begin(), result.end(),
              [](const OpenView& a, const OpenView& b) { return a.id < b.id; });
    return result;
}

std::size_t File::open_count() const {
    const auto state = state_.lock();
    return state->opens.size();
}

}  // namespace smb3d::fsa
