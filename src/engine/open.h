// Open: one open file, directory or pipe of a client.
//
// Spec: [MS-SMB2] 3.3.1.10 (Per Open).
// Thread: what CREATE established is immutable; the rest is behind its own Guarded or Serial.
//   Requests use it through OpenRef only.
// Lifetime: in its Session's table until CLOSE, disconnect or an administrator takes it out;
//   destroyed when the last reference goes, after close_open() has released file, locks and share
//   modes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "engine/channel_order.h"
#include "engine/durability.h"
#include "engine/serial.h"
#include "engine/tree.h"
#include "fsa/byte_range_lock.h"
#include "fsa/file.h"
#include "fsa/timestamps.h"
#include "smb3d/vfs.h"

namespace smb3d::engine {

class Lease;

// Where a listing stands; [MS-SMB2] 3.3.1.10 EnumerationLocation, EnumerationSearchPattern.
struct Enumeration {
    bool started{false};
    std::unique_ptr<vfs::NameFilter> filter;
    vfs::DirBatch batch;  // read from the back end, not yet given to the client
    std::size_t next_in_batch{0};
    bool any_given{false};  // else the end is NO_SUCH_FILE, not NO_MORE_FILES
};

struct Open {
    std::uint64_t id{0};             // volatile part of the FileId, within its session
    std::uint64_t persistent_id{0};  // unique in the server
    std::uint64_t session_id{0};
    std::uint64_t connection_id{0};  // where it was made: for the administrator, never to reach it
    std::shared_ptr<Tree> tree;
    std::shared_ptr<const Caller> caller;

    std::shared_ptr<vfs::File> file;
    std::shared_ptr<fsa::Open> fsa;  // null for a pipe
    std::shared_ptr<Lease> lease;    // null: none
    vfs::FileId file_id;
    vfs::FileKind kind{vfs::FileKind::file};
    std::uint32_t granted_access{0};
    std::uint32_t share_access{0};
    std::uint32_t create_options{0};
    std::uint32_t create_action{1};  // [MS-SMB2] 2.2.14 CreateAction, for a replay
    std::uint64_t opened_at{0};      // FILETIME
    // [MS-SMB2] 3.3.1.10 Open.ResumeKey: random, 0 until the client asks for the key.
    std::atomic<std::uint64_t> resume_tag{0};
    std::string pipe_name;  // for the administrator, if it is a pipe

    bool is_directory() const { return kind == vfs::FileKind::directory; }
    // FILE_WRITE_THROUGH; what is acknowledged on a persistent handle outlives the server.
    bool write_through() const { return (create_options & 0x2) != 0 || is_persistent(); }
    bool may(std::uint32_t access) const { return (granted_access & access) == access; }
    bool may_any(std::uint32_t access) const { return (granted_access & access) != 0; }

    InFlight in_flight;
    ChannelOrder order;  // 3.x: the requests of one client on several channels
    Guarded<fsa::LockSequence, Rank::leaf> lock_sequence;
    Serial enumeration_turn;  // held by the QUERY_DIRECTORY that uses `enumeration`
    Enumeration enumeration;
    Guarded<fsa::TimePins, Rank::leaf> time_pins;
    // Changes that CLOSE or FLUSH will report, and when a WRITE was last reported:
    // change_report.h.
    std::atomic<std::uint32_t> held_back_changes{0};
    std::atomic<bool> entry_outdated{false};  // written to: what its directory says of it is old
    std::atomic<std::uint64_t> write_reported_ns{0};
    Guarded<Durability, Rank::leaf> durability;
    std::atomic<bool> persistent{false};       // Durability::persistent, for those who ask often
    std::atomic<bool> replay_eligible{false};  // [MS-SMB2] 3.3.1.10 Open.IsReplayEligible
    // What its record on disk says otherwise than the tables do, of a persistent open; held while a
    // record is made and queued: file and store come after it in lock order.
    struct RecordAhead {
        std::vector<fsa::ByteRange> unlocking;  // are let go when that is on disk
        bool rewritten{false};                  // after its first record
        std::string next_path;                  // a rename is under way
        std::optional<fsa::CacheState> cache;   // a break that was not answered leaves so much
        bool closing{false};                    // nothing is held any more
        bool gone{false};                       // no record is written any more
    };
    Guarded<RecordAhead, Rank::open> record_ahead;
    Serial record_order;  // a LOCK or UNLOCK that is being recorded
    bool is_persistent() const { return persistent.load(std::memory_order_relaxed); }

    // A directory that is watched for changes on the host: host_watch.h.
    std::atomic<std::uint8_t> host_watch_asked{0};  // 1: its entries; 2: the whole tree
    Guarded<std::vector<std::shared_ptr<vfs::Watch>>, Rank::leaf> host_watches;
    // Requests that wait for something else than I/O (a lock, a pipe's data): cancelled when the
    // open is closed.
    Guarded<std::vector<vfs::Cancellation*>, Rank::open> waiters;

    void cancel_waiters() {
        const auto waiting = waiters.lock();
        for (vfs::Cancellation* waiter : *waiting) waiter->request();
    }

    // Relative to the share, as clients and the back end name it.
    std::string path() const { return fsa ? tree->place.in_share(store_path()) : pipe_name; }
    // As the file table names it; not of a pipe.
    std::string store_path() const { return fsa->file().path(*fsa); }
};

// Registers a waiting request with its open for as long as it waits.
class WaitRegistration {
  public:
    WaitRegistration(Open& open, vfs::Cancellation& cancellation)
        : open_(open), cancellation_(cancellation) {
        open_.waiters.lock()->push_back(&cancellation_);
        // close_open() sets the bit before it looks at the list.
        if (open_.in_flight.closing()) cancellation_.request();
    }
    WaitRegistration(const WaitRegistration&) = delete;
    WaitRegistration& operator=(const WaitRegistration&) = delete;
    ~WaitRegistration() { std::erase(*open_.waiters.lock(), &cancellation_); }

  private:
    Open& open_;
    vfs::Cancellation& cancellation_;
};

// A proven reference: the open was there and not being closed, and its close waits for this.
class OpenRef {
  public:
    OpenRef() = default;
    // Empty if the open is being closed.
    explicit OpenRef(std::shared_ptr<Open> open) {
        if (open && open->in_flight.enter()) open_ = std::move(open);
    }
    OpenRef(OpenRef&& other) noexcept
        : open_(std::exchange(other.open_, nullptr)),
          ordered_(std::exchange(other.ordered_, false)),
          sequence_(other.sequence_) {}
    OpenRef& operator=(OpenRef&& other) noexcept {
        if (this != &other) {
            release();
            open_ = std::exchange(other.open_, nullptr);
            ordered_ = std::exchange(other.ordered_, false);
            sequence_ = other.sequence_;
        }
        return *this;
    }
    ~OpenRef() { release(); }
    void release() {
        if (open_) {
            if (std::exchange(ordered_, false)) open_->order.leave(sequence_);
            open_->in_flight.leave();
            open_.reset();
        }
    }
    // [MS-SMB2] 3.3.5.2.10: counts the request that this reference is for, until release().  False:
    // it comes too late, and must not change anything.
    bool enter_order(std::uint16_t sequence, bool replay) {
        sequence_ = sequence;
        ordered_ = open_->order.enter(sequence, replay);
        return ordered_;
    }
    explicit operator bool() const { return open_ != nullptr; }
    Open* operator->() const { return open_.get(); }
    Open& operator*() const { return *open_; }
    const std::shared_ptr<Open>& shared() const { return open_; }

  private:
    std::shared_ptr<Open> open_;
    bool ordered_{false};
    std::uint16_t sequence_{0};
};

}  // namespace smb3d::engine
