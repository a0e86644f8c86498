// OpenFiles: the descriptors that the shares of this process have open for data, by file, and what
// the kernel is asked to keep on them: leases (F_SETLEASE) and byte-range locks (F_OFD_SETLK).
//
// Purpose: the kernel gives a lease on an open file description only if the file has no other one
//   that is in its way, of our own included, and two descriptions of ours would break each other's
//   leases and conflict with each other's locks.  So all Files of a guarded or locked file are made
//   to share one description (dup3), and later opens of it get a duplicate.
// Spec: vfs::File::guard, host_lock; fcntl(2), open(2).
// Thread: any.  A shard's lock is held across short system calls (fcntl, dup, reopening a file that
//   is open), never across a callback.  LeaseReader has a thread of its own.
// Lifetime: as long as there is a share: one share's descriptions are in another's way, too, if
//   their directories overlap.  A file's entry lives while it has members.
// Errors: NtStatus.  Where the file system or our rights do not allow a lease, the file is not
//   guarded, and clients may not cache.
//
// What is asked for and what it does:
//   level   our descriptions       the kernel's lease   a local open for     breaks to
//   read    only for reading       F_RDLCK              writing              none
//   write   only for reading       F_WRLCK              reading, writing     read, none
//   any     one for writing, too   F_WRLCK              reading or writing   none
// (There is no lease that lets others read while we may write.)
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include <fcntl.h>

#include "smb3d/vfs.h"
#include "vfs_posix/dir_cache.h"
#include "vfs_posix/locked.h"
#include "vfs_posix/unique_fd.h"

namespace smb3d::vfs_posix {

// Takes the kernel's signals that a lease is to be broken.  They are sent to its own thread, so
// that no other needs to have them blocked.
class LeaseReader {
  public:
    // `broken`: of the lease that was taken through this descriptor; -1: of any.
    using Broken = void (*)(void* context, int fd);
    LeaseReader(Broken broken, void* context);
    ~LeaseReader();
    LeaseReader(const LeaseReader&) = delete;
    LeaseReader& operator=(const LeaseReader&) = delete;

    // Where the breaks of a descriptor's leases go.
    bool direct(int fd) const;

  private:
    // Outlives the reader if that is destroyed by what it has called.
    struct State {
        Broken broken;
        void* context;
        std::atomic<int> tid{0};
        std::atomic<bool> stopping{false};
    };
    static void run(const std::shared_ptr<State>& state);

    const std::shared_ptr<State> state_;
    std::thread thread_;
};

class OpenFiles {
  public:
    // How a descriptor may be used.
    struct Use {
        bool reads{false};
        bool writes{false};
    };

    OpenFiles() = default;
    // The one of this process.
    static std::shared_ptr<OpenFiles> of_process();
    ~OpenFiles();
    OpenFiles(const OpenFiles&) = delete;
    OpenFiles& operator=(const OpenFiles&) = delete;

    // A descriptor that was opened for data; remove() before it is closed.
    // `distinct_stamps`: a change after a stat always shows (FileSystemTraits).
    void add(DirKey key, int fd, Use use, bool distinct_stamps);
    void remove(DirKey key, int fd);

    // Whether any file has one description that must stay the only one.
    bool any_pinned() const { return pinned_.load(std::memory_order_acquire) != 0; }
    // A member with that file's description; `path` is any descriptor of the file, by which the
    // caller has found out that he may use it so.  An empty descriptor with errno EWOULDBLOCK: it
    // is being given to somebody else; ENOENT: it has none to be shared, open it.
    UniqueFd share(DirKey key, int path, Use use);
    // The same, to be closed without remove().
    UniqueFd borrow(DirKey key, int path, Use use);

    // vfs::File::guard.  `member`: of the File, or its O_PATH descriptor, which then becomes one.
    // `distinct_stamps` as in add().
    Result<vfs::GuardState> guard(DirKey key, int member, bool distinct_stamps,
                                  const vfs::GuardRequest& request);
    void settle(DirKey key, vfs::GuardState state);

    // vfs::File::host_lock and host_unlock.  INSUFFICIENT_RESOURCES beyond max_locks of a file.
    static constexpr std::size_t max_locks = 4096;
    Result<void> lock(DirKey key, int member, const vfs::HostLock& lock);
    Result<void> unlock(DirKey key, int member, const vfs::HostLock& lock);

    std::size_t file_count();

  private:
    struct Member {
        int fd{-1};
        Use use;
        bool data{false};    // else an O_PATH descriptor, which only keeps the guard
        bool shared{false};  // it has the common description
    };
    struct LockRange {
        std::uint64_t begin{0};
        std::uint64_t end{0};  // inclusive
    };
    struct Lock {
        int member{-1};
        LockRange range;
        vfs::HostLock as_asked;
    };
    class LockSweep;
    struct Entry {
        std::vector<Member> members;
        // The common description: our own descriptor of it while it is pinned.
        UniqueFd description;
        Use use;
        int lease{F_UNLCK};  // as we hold it
        bool breaking{false};
        bool distinct_stamps{false};
        vfs::GuardState state;
        std::shared_ptr<vfs::GuardListener> listener;
        std::vector<Lock> locks;
        bool pinned() const { return static_cast<bool>(description); }
    };
    // To be told when the shard's lock has been released.
    struct Told {
        std::shared_ptr<vfs::GuardListener> listener;
        vfs::FileId id;
        vfs::GuardState state;
        void tell() const {
            if (listener != nullptr) listener->guard_broken(id, state);
        }
    };
    struct KeyHash {
        std::size_t operator()(const DirKey& key) const noexcept;
    };
    using Shard = Locked<std::unordered_map<DirKey, Entry, KeyHash>>;
    static constexpr std::size_t shard_count = 64;

    Shard& shard(DirKey key) { return shards_[KeyHash{}(key) % shard_count]; }
    static void lease_broken(void* self, int fd);
    void look_at(DirKey key);
    std::uint64_t next_number() { return numbers_.fetch_add(1, std::memory_order_relaxed) + 1; }

    static UniqueFd common_description(Entry& entry);
    void pin(DirKey key, Entry& entry, UniqueFd description);
    bool pin_common(DirKey key, Entry& entry);
    void unpin(Entry& entry);
    void unpin_unused(Entry& entry);
    UniqueFd duplicate(DirKey key, int path, Use use, bool as_member);
    bool widen(DirKey key, Entry& entry, int path, Told& told);
    void raise(Entry& entry, vfs::GuardLevel level, bool& supported);
    void lose_guard(DirKey key, Entry& entry, Told& told);
    LeaseReader& reader();
    static bool apply_locks(const Entry& entry, std::vector<LockRange> ranges);
    static bool apply_all_locks(const Entry& entry);

    std::array<Shard, shard_count> shards_;
    std::atomic<std::size_t> pinned_{0};
    std::atomic<std::uint64_t> numbers_{0};
    Locked<std::unordered_map<int, DirKey>> by_description_;
    Locked<std::unique_ptr<LeaseReader>> reader_;  // once something is guarded
};

}  // namespace smb3d::vfs_posix
