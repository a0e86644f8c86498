#include "vfs_posix/open_files.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vfs_posix/errno_map.h"
#include "vfs_posix/identity.h"
#include "vfs_posix/sys.h"

namespace smb3d::vfs_posix {
namespace {

using vfs::GuardLevel;
using vfs::GuardState;

constexpr std::uint64_t largest_offset = INT64_MAX;

GuardLevel level_of(int lease) {
    return lease == F_WRLCK   ? GuardLevel::write
           : lease == F_RDLCK ? GuardLevel::read
                              : GuardLevel::none;
}

bool covers(OpenFiles::Use has, OpenFiles::Use wanted) {
    return (has.reads || !wanted.reads) && (has.writes || !wanted.writes);
}

// One that is open already is opened once more, for what its users have been found to be allowed
// one by one.
UniqueFd open_again(int fd, bool writes) {
    const AsRoot root;
    const int mode = writes ? O_RDWR : O_RDONLY;
    return UniqueFd(::open(ProcPath(fd).c_str(), mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

// 0: not known.
std::int64_t change_time(int fd) {
    struct ::statx st {};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_CTIME, &st) != 0) return 0;
    return nanoseconds(st.stx_ctime);
}

// What the kernel stamps a change with that comes now, at least.
std::int64_t present_stamp() {
    ::timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool set_lease(int fd, int lease) { return ::fcntl(fd, F_SETLEASE, lease) == 0; }

bool means_unsupported(int error) {
    return error == EINVAL || error == EOPNOTSUPP || error == ENOLCK || error == ENOSYS;
}

bool set_lock(int fd, short type, std::uint64_t begin, std::uint64_t end) {
    struct ::flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(begin);
    // [fcntl(2)] 0: to the end of all files.
    lock.l_len = end == largest_offset ? 0 : static_cast<off_t>(end - begin + 1);
    return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

std::shared_ptr<OpenFiles> OpenFiles::of_process() {
    static Locked<std::weak_ptr<OpenFiles>> known;
    const auto present = known.lock();
    std::shared_ptr<OpenFiles> files = present->lock();
    if (!files) *present = files = std::make_shared<OpenFiles>();
    return files;
}

OpenFiles::~OpenFiles() { reader_.lock()->reset(); }

std::size_t OpenFiles::KeyHash::operator()(const DirKey& key) const noexcept {
    std::uint64_t hash = (key.inode ^ (key.device << 40U)) * 0x9E3779B97F4A7C15;
    return static_cast<std::size_t>(hash ^ (hash >> 32U));
}

std::size_t OpenFiles::file_count() {
    std::size_t count = 0;
    for (Shard& files : shards_) count += files.lock()->size();
    return count;
}

// ---- members

void OpenFiles::add(DirKey key, int fd, Use use, bool distinct_stamps) {
    const auto files = shard(key).lock();
    Entry& entry = (*files)[key];
    entry.distinct_stamps = distinct_stamps;
    entry.members.push_back({fd, use, true, false});
}

void OpenFiles::remove(DirKey key, int fd) {
    const auto files = shard(key).lock();
    const auto found = files->find(key);
    if (found == files->end()) return;
    Entry& entry = found->second;
    std::erase_if(entry.members, [fd](const Member& member) { return member.fd == fd; });
    if (entry.members.empty()) {
        // Not by the end of the description, which an operation may hold up.
        if (entry.lease != F_UNLCK) set_lease(entry.description.get(), F_UNLCK);
        if (entry.pinned()) unpin(entry);
        files->erase(found);
        return;
    }
    if (entry.locks.empty()) return;
    std::vector<LockRange> gone;
    std::erase_if(entry.locks, [&](const Lock& lock) {
        if (lock.member == fd) gone.push_back(lock.range);
        return lock.member == fd;
    });
    if (!gone.empty()) apply_locks(entry, std::move(gone));
    unpin_unused(entry);
}

UniqueFd OpenFiles::share(DirKey key, int path, Use use) { return duplicate(key, path, use, true); }
UniqueFd OpenFiles::borrow(DirKey key, int path, Use use) {
    return duplicate(key, path, use, false);
}

UniqueFd OpenFiles::duplicate(DirKey key, int path, Use use, bool as_member) {
    Told told;
    UniqueFd fd;
    int error = ENOENT;
    {
        const auto files = shard(key).lock();
        const auto found = files->find(key);
        if (found != files->end() && found->second.pinned()) {
            Entry& entry = found->second;
            const bool enough = covers(entry.use, use);
            if (!enough && entry.breaking) {
                error = EWOULDBLOCK;
            } else if (enough || widen(key, entry, path, told)) {
                fd.reset(::fcntl(entry.description.get(), F_DUPFD_CLOEXEC, 0));
                error = errno;
                if (fd && as_member) entry.members.push_back({fd.get(), use, true, true});
            }
        }
    }
    told.tell();
    if (!fd) errno = error;
    return fd;
}

// ---- the common description

// Not pinned: one that serves all members, and the members with it; empty if that cannot be.
UniqueFd OpenFiles::common_description(Entry& entry) {
    // Always readable: then it needs to be opened anew only while nobody writes, when clients have
    // nothing to write back.
    Use need{true, false};
    std::size_t with_data = 0;
    const Member* carrier = nullptr;
    for (const Member& member : entry.members) {
        if (!member.data) continue;
        ++with_data;
        need.writes = need.writes || member.use.writes;
        if (member.shared && covers(entry.use, {true, entry.use.writes})) carrier = &member;
    }
    if (with_data == 1) {
        for (const Member& member : entry.members) {
            if (!member.data || member.shared) continue;
            entry.use = member.use;
            carrier = &member;
        }
    }
    if (carrier != nullptr && covers(entry.use, need)) {
        return UniqueFd(::fcntl(carrier->fd, F_DUPFD_CLOEXEC, 0));
    }
    UniqueFd fresh = open_again(entry.members.front().fd, need.writes);
    if (!fresh) return fresh;
    entry.use = need;
    for (Member& member : entry.members) member.shared = false;
    return fresh;
}

void OpenFiles::pin(DirKey key, Entry& entry, UniqueFd description) {
    entry.description = std::move(description);
    by_description_.lock()->insert_or_assign(entry.description.get(), key);
    pinned_.fetch_add(1, std::memory_order_acq_rel);
}

void OpenFiles::unpin(Entry& entry) {
    by_description_.lock()->erase(entry.description.get());
    entry.description.reset();
    entry.lease = F_UNLCK;
    pinned_.fetch_sub(1, std::memory_order_acq_rel);
}

void OpenFiles::unpin_unused(Entry& entry) {
    if (entry.pinned() && entry.lease == F_UNLCK && entry.locks.empty()) unpin(entry);
}

// Makes all members use one description, which is pinned then.
bool OpenFiles::pin_common(DirKey key, Entry& entry) {
    if (!entry.pinned()) {
        UniqueFd description = common_description(entry);
        if (!description) return false;
        pin(key, entry, std::move(description));
    }
    for (Member& member : entry.members) {
        if (!member.data || member.shared) continue;
        if (!covers(entry.use, member.use)) return false;
        if (::dup3(entry.description.get(), member.fd, O_CLOEXEC) < 0) return false;
        member.shared = true;
    }
    return true;
}

// The common description is for reading only, and one that writes is needed.  There is a moment
// without a lease; clients have nothing to write back then, and a change made in it shows.
bool OpenFiles::widen(DirKey key, Entry& entry, int path, Told& told) {
    const bool guarded = entry.lease != F_UNLCK;
    const int old = entry.description.get();
    const std::int64_t changed = change_time(old);
    const bool comparable = changed != 0 && (entry.distinct_stamps || changed < present_stamp());
    if (guarded) set_lease(old, F_UNLCK);
    entry.lease = F_UNLCK;
    UniqueFd wider = open_again(path, true);
    if (!wider) {
        if (guarded) lose_guard(key, entry, told);
        return false;
    }
    for (Member& member : entry.members) {
        if (member.data) member.shared = ::dup3(wider.get(), member.fd, O_CLOEXEC) >= 0;
    }
    if (!entry.locks.empty()) set_lock(old, F_UNLCK, 0, largest_offset);
    unpin(entry);
    entry.use = {true, true};
    pin(key, entry, std::move(wider));
    // What others have locked in between stays theirs, and ours is ours among clients only.
    apply_all_locks(entry);
    if (!guarded) return true;
    const int now = entry.description.get();
    if (reader().direct(now) && set_lease(now, F_WRLCK)) entry.lease = F_WRLCK;
    const bool sure = comparable && entry.lease != F_UNLCK && change_time(now) == changed;
    if (sure) {
        if (entry.state.level != GuardLevel::write) {
            entry.state = {GuardLevel::write, next_number()};
        }
        return true;
    }
    lose_guard(key, entry, told);
    return entry.pinned();
}

// ---- guards

LeaseReader& OpenFiles::reader() {
    const auto held = reader_.lock();
    if (!*held) *held = std::make_unique<LeaseReader>(&OpenFiles::lease_broken, this);
    return **held;
}

void OpenFiles::raise(Entry& entry, GuardLevel level, bool& supported) {
    const int fd = entry.description.get();
    if (entry.lease == F_UNLCK && !reader().direct(fd)) return;
    const bool exclusive = level == GuardLevel::write || entry.use.writes;
    int taken = exclusive ? F_WRLCK : F_RDLCK;
    if (!set_lease(fd, taken)) {
        supported = entry.lease != F_UNLCK || !means_unsupported(errno);
        // Somebody on the host has it open: for reading only?
        const bool lower = supported && exclusive && !entry.use.writes && entry.lease == F_UNLCK;
        if (!lower || !set_lease(fd, F_RDLCK)) return;
        taken = F_RDLCK;
    }
    entry.lease = taken;
    entry.state = {level_of(taken), next_number()};
}

Result<GuardState> OpenFiles::guard(DirKey key, int member, bool distinct_stamps,
                                    const vfs::GuardRequest& request) {
    const auto files = shard(key).lock();
    Entry& entry = (*files)[key];
    entry.distinct_stamps = distinct_stamps;
    const bool known = std::any_of(entry.members.begin(), entry.members.end(),
                                   [member](const Member& m) { return m.fd == member; });
    if (!known) entry.members.push_back({member, {}, false, false});
    entry.listener = request.listener;
    if (entry.state.number == 0) entry.state.number = next_number();
    if (entry.breaking || level_of(entry.lease) >= request.level) return entry.state;
    bool supported = true;
    if (pin_common(key, entry)) raise(entry, request.level, supported);
    unpin_unused(entry);
    if (!supported) return fail(NtStatus::NOT_SUPPORTED);
    return entry.state;
}

void OpenFiles::settle(DirKey key, GuardState state) {
    Told told;
    {
        const auto files = shard(key).lock();
        const auto found = files->find(key);
        if (found == files->end()) return;
        Entry& entry = found->second;
        // A later break has its own answer.
        if (!entry.breaking || entry.state.number != state.number) return;
        entry.breaking = false;
        const int fd = entry.description.get();
        if (state.level == GuardLevel::read && set_lease(fd, F_RDLCK)) {
            entry.lease = F_RDLCK;
            return;
        }
        set_lease(fd, F_UNLCK);
        entry.lease = F_UNLCK;
        if (state.level != GuardLevel::none) lose_guard(key, entry, told);
        unpin_unused(entry);
    }
    told.tell();
}

// Clients may have what nothing guards any more.
void OpenFiles::lose_guard(DirKey key, Entry& entry, Told& told) {
    if (entry.lease != F_UNLCK) set_lease(entry.description.get(), F_UNLCK);
    entry.lease = F_UNLCK;
    entry.breaking = false;
    entry.state = {GuardLevel::none, next_number()};
    told = {entry.listener, {key.device, key.inode, 0}, entry.state};
    unpin_unused(entry);
}

void OpenFiles::lease_broken(void* self, int fd) {
    auto& files = *static_cast<OpenFiles*>(self);
    std::vector<DirKey> keys;
    {
        const auto known = files.by_description_.lock();
        if (fd < 0) {
            for (const auto& [description, key] : *known) keys.push_back(key);
        } else if (const auto found = known->find(fd); found != known->end()) {
            keys.push_back(found->second);
        }
    }
    for (const DirKey& key : keys) files.look_at(key);
}

// [fcntl(2)] F_GETLEASE: during a break, what the lease must become.
void OpenFiles::look_at(DirKey key) {
    Told told;
    {
        const auto files = shard(key).lock();
        const auto found = files->find(key);
        if (found == files->end() || found->second.lease == F_UNLCK) return;
        Entry& entry = found->second;
        const int wanted = ::fcntl(entry.description.get(), F_GETLEASE);
        if (wanted < 0 || wanted == entry.lease) return;
        // A lease for reading cannot be had beside our own writing.
        const bool read = wanted == F_RDLCK && !entry.use.writes;
        const GuardLevel level = read ? GuardLevel::read : GuardLevel::none;
        if (entry.breaking && entry.state.level == level) return;
        entry.breaking = true;
        entry.state = {level, next_number()};
        told = {entry.listener, {key.device, key.inode, 0}, entry.state};
    }
    told.tell();
}

// ---- locks

// What the locks of a file come to, from its first byte to its last.
class OpenFiles::LockSweep {
  public:
    LockSweep(const std::vector<Lock>& locks, short exclusive) : exclusive_type_(exclusive) {
        steps_.reserve(2 * locks.size());
        for (const Lock& lock : locks) {
            const int exclusive_count = lock.as_asked.exclusive ? 1 : 0;
            steps_.push_back({lock.range.begin, 1, exclusive_count});
            steps_.push_back({lock.range.end + 1, -1, -exclusive_count});
        }
        std::sort(steps_.begin(), steps_.end(),
                  [](const Step& a, const Step& b) { return a.at < b.at; });
    }
    // `position` never falls from one call to the next.
    short at(std::uint64_t position) {
        while (next_ < steps_.size() && steps_[next_].at <= position) take();
        return type();
    }
    // The last position, `end` at the most, that is locked like the one before.
    std::uint64_t same_until(std::uint64_t end) {
        const short here = type();
        while (next_ < steps_.size() && steps_[next_].at <= end) {
            const std::uint64_t position = steps_[next_].at;
            if (at(position) != here) return position - 1;
        }
        return end;
    }

  private:
    struct Step {
        std::uint64_t at{0};
        int locks{0};
        int exclusive{0};
    };
    void take() {
        locks_ += steps_[next_].locks;
        exclusive_ += steps_[next_].exclusive;
        ++next_;
    }
    short type() const {
        if (exclusive_ > 0) return exclusive_type_;
        return locks_ > 0 ? F_RDLCK : F_UNLCK;
    }

    const short exclusive_type_;
    std::vector<Step> steps_;
    std::size_t next_{0};
    int locks_{0};
    int exclusive_{0};
};

// [fcntl(2)] What all members together have locked within `ranges`, as the kernel's locks of the
// common description.  False if somebody else's lock is in the way of one.
bool OpenFiles::apply_locks(const Entry& entry, std::vector<LockRange> ranges) {
    // A file that was opened for reading can have no lock for writing in the kernel.
    const short exclusive = entry.use.writes ? F_WRLCK : F_RDLCK;
    // In order: each lock is looked at once, however many there are.
    LockSweep sweep(entry.locks, exclusive);
    std::sort(ranges.begin(), ranges.end(),
              [](const LockRange& a, const LockRange& b) { return a.begin < b.begin; });
    bool all = true;
    std::uint64_t at = 0;
    for (const LockRange& range : ranges) {
        for (at = std::max(at, range.begin); at <= range.end;) {
            const short type = sweep.at(at);
            const std::uint64_t last = sweep.same_until(range.end);
            all = set_lock(entry.description.get(), type, at, last) && all;
            if (!all && type != F_UNLCK) return false;
            at = last + 1;
        }
    }
    return all;
}

bool OpenFiles::apply_all_locks(const Entry& entry) {
    std::vector<LockRange> ranges;
    ranges.reserve(entry.locks.size());
    for (const Lock& lock : entry.locks) ranges.push_back(lock.range);
    return apply_locks(entry, std::move(ranges));
}

// What the kernel cannot express is locked among clients only: ranges beyond its largest offset,
// and those of no length.
Result<void> OpenFiles::lock(DirKey key, int member, const vfs::HostLock& lock) {
    const std::uint64_t begin = lock.range.offset;
    if (lock.range.length == 0 || begin > largest_offset) return {};
    const std::uint64_t end = begin + std::min(lock.range.length - 1, largest_offset - begin);
    const auto files = shard(key).lock();
    const auto found = files->find(key);
    if (found == files->end()) return fail(NtStatus::NOT_SUPPORTED);
    Entry& entry = found->second;
    if (!pin_common(key, entry)) {
        unpin_unused(entry);
        return fail(NtStatus::NOT_SUPPORTED);
    }
    // The kernel looks through all of a file's locks for each, while the shard waits.
    if (entry.locks.size() >= max_locks) return fail(NtStatus::INSUFFICIENT_RESOURCES);
    const LockRange range{begin, end};
    entry.locks.push_back({member, range, lock});
    if (apply_locks(entry, {range})) return {};
    const bool unsupported = means_unsupported(errno);
    entry.locks.pop_back();
    apply_locks(entry, {range});
    unpin_unused(entry);
    return fail(unsupported ? NtStatus::NOT_SUPPORTED : NtStatus::LOCK_NOT_GRANTED);
}

Result<void> OpenFiles::unlock(DirKey key, int member, const vfs::HostLock& lock) {
    const auto files = shard(key).lock();
    const auto found = files->find(key);
    if (found == files->end()) return fail(NtStatus::RANGE_NOT_LOCKED);
    Entry& entry = found->second;
    const auto same = [&](const Lock& other) {
        return other.member == member && other.as_asked.exclusive == lock.exclusive &&
               other.as_asked.range.offset == lock.range.offset &&
               other.as_asked.range.length == lock.range.length;
    };
    const auto held = std::find_if(entry.locks.begin(), entry.locks.end(), same);
    if (held == entry.locks.end()) return fail(NtStatus::RANGE_NOT_LOCKED);
    const LockRange gone = held->range;
    entry.locks.erase(held);
    apply_locks(entry, {gone});
    unpin_unused(entry);
    return {};
}

}  // namespace smb3d::vfs_posix
