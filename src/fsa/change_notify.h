// ChangeNotifier: who watches which directory, and what has changed there since it last asked.
//
// Purpose: the semantics of change notification: which watch sees which change under which name,
//   what is kept between two requests of a watch, when there is too much of it.
// Spec: [MS-FSA] 2.1.1.8 ChangeNotifyEntry, 2.1.4.1 (reporting), 2.1.5.11, 2.1.5.11.1 (waiting);
//   [MS-SMB2] 3.3.5.19; [MS-FSCC] 2.7.1 (actions).
// Thread: any; a leaf lock for the watches of a share, never held while a waiter is told.
// Lifetime: the server's.  A watch lives from an open's first request until close(); a waiter must
//   stay where it is from request() until its `done` has run.
// Errors: a request ends with SUCCESS, NOTIFY_ENUM_DIR (changes were lost: list the directory),
//   DELETE_PENDING, NOTIFY_CLEANUP or CANCELLED.
//
// What is not in the specification, as Windows does it (smbtorture smb2.notify): the first request
//   of an open fixes filter, depth and the size of the buffer in which changes are kept from then
//   on, also while no request waits; a buffer that has overflowed is empty until the next request
//   has said NOTIFY_ENUM_DIR; the same change twice in a row is kept once; nothing is reported
//   about the watched directory itself.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "fsa/file.h"
#include "smb3d/status.h"

namespace smb3d::fsa {

// [MS-FSCC] 2.7.1 Action.
enum class ChangeAction : std::uint32_t {
    added = 1,
    removed = 2,
    modified = 3,
    renamed_old_name = 4,
    renamed_new_name = 5,
    added_stream = 6,
    removed_stream = 7,
    modified_stream = 8,
};

// [MS-SMB2] 2.2.35 CompletionFilter.
namespace change {
inline constexpr std::uint32_t file_name = 0x00000001;
inline constexpr std::uint32_t dir_name = 0x00000002;
inline constexpr std::uint32_t attributes = 0x00000004;
inline constexpr std::uint32_t size = 0x00000008;
inline constexpr std::uint32_t last_write = 0x00000010;
inline constexpr std::uint32_t last_access = 0x00000020;
inline constexpr std::uint32_t creation = 0x00000040;
inline constexpr std::uint32_t ea = 0x00000080;
inline constexpr std::uint32_t security = 0x00000100;
inline constexpr std::uint32_t stream_name = 0x00000200;
inline constexpr std::uint32_t stream_size = 0x00000400;
inline constexpr std::uint32_t stream_write = 0x00000800;
// What a file that took another's place may have changed in.
inline constexpr std::uint32_t whole_file =
    attributes | size | last_write | last_access | creation | ea | security;

constexpr std::uint32_t name(bool directory) { return directory ? dir_name : file_name; }
}  // namespace change

// One change below a share's root.
struct Change {
    ChangeAction action{ChangeAction::modified};
    std::uint32_t filter{0};  // FilterMatch: which of change::* it is
    std::string_view path;    // as stored, '/' between components
};

// [MS-FSA] 2.1.5.15.11: what a rename is to those who watch.  `replaced`: another file had the new
// name; it is then that name whose file has changed.
std::vector<Change> rename_changes(std::string_view from, std::string_view to, bool directory,
                                   bool replaced);

// A change as a watch sees it.
struct NotifyEvent {
    ChangeAction action{ChangeAction::modified};
    std::string name;  // relative to the watched directory, '/' between components
};
// The size of FILE_NOTIFY_INFORMATION for a name; a record that another one follows is padded to 4.
std::size_t notify_record_size(std::string_view name);

struct NotifyReply {
    NtStatus status{NtStatus::SUCCESS};
    std::vector<NotifyEvent> events;  // if SUCCESS
};

class ChangeNotifier;

// A request that waits for a change.
class NotifyWaiter {
  public:
    using Done = void (*)(NotifyWaiter&);
    explicit NotifyWaiter(Done done) : done_(done) {}
    NotifyWaiter(const NotifyWaiter&) = delete;
    NotifyWaiter& operator=(const NotifyWaiter&) = delete;

    NotifyReply reply;  // valid once request() returned true or `done` ran

  private:
    friend class ChangeNotifier;
    const Done done_;
    std::uint64_t open_{0};
    std::uint32_t max_length_{0};
};

// Who finds changes on the host for a watch; 0: nobody.
using WatchSource = std::uint64_t;

// What the first request of an open says.
struct WatchArgs {
    ShareId share{0};
    WatchSource source{0};
    std::uint64_t open{0};  // OpenArgs::id
    std::string path;       // the directory
    bool tree{false};       // everything below it, not only what is in it
    std::uint32_t filter{0};
    bool case_sensitive{false};  // the share
};

struct NotifyLimits {
    std::size_t buffer{std::size_t{1} << 20};  // of one watch; a client's wish is cut down to it
    std::size_t total{std::size_t{64} << 20};  // of all watches
};

class ChangeNotifier {
  public:
    explicit ChangeNotifier(NotifyLimits limits = {}) : limits_(limits) {}
    ChangeNotifier(const ChangeNotifier&) = delete;
    ChangeNotifier& operator=(const ChangeNotifier&) = delete;

    // True: `waiter.reply` is the answer.  False: `done` will run, on any thread.
    bool request(const WatchArgs& args, std::uint32_t max_length, NotifyWaiter& waiter);
    // CANCELLED, unless it was answered before.
    void cancel(ShareId share, NotifyWaiter& waiter);
    // The open goes: its waiters get NOTIFY_CLEANUP.
    void close(ShareId share, std::uint64_t open);
    // Is there a watch in this share?  Exact when false, and then cost one relaxed load.
    bool watching(ShareId share) const {
        return counter(share).load(std::memory_order_relaxed) != 0;
    }

    // What happened, in order; a rename is one call, so that a waiter gets both names.  With
    // `source`: what that source has found, for its watches; another one's will find it as well.
    void report(ShareId share, std::span<const Change> changes, WatchSource source = 0);
    // A directory is going away, or stays after all: [MS-FSA] 2.1.5.15.3.
    void set_delete_pending(ShareId share, std::string_view directory, bool pending);
    // Changes in `directory`, or anywhere below if `tree`, are not known one by one.
    void report_lost(ShareId share, std::string_view directory, bool tree);
    // A directory has another path: watches on it and below it follow.
    void directory_renamed(ShareId share, std::string_view from, std::string_view to);

    std::size_t watch_count() const;

  private:
    struct Watch {
        std::uint64_t open{0};
        std::string path;
        std::string key;  // in Shard::by_path
        WatchSource source{0};
        bool case_sensitive{false};
        bool tree{false};
        std::uint32_t filter{0};
        std::size_t capacity{0};
        std::size_t used{0};  // what the events take in a response
        bool overflow{false};
        bool deleted{false};
        std::vector<NotifyEvent> events;
        std::deque<NotifyWaiter*> waiters;  // oldest first; only while there are no events
    };
    struct KeyHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const {
            return std::hash<std::string_view>{}(key);
        }
    };
    struct Shard {
        std::unordered_map<std::uint64_t, Watch> watches;
        std::unordered_map<std::string, std::vector<Watch*>, KeyHash, std::equal_to<>> by_path;
        std::size_t trees{0};
    };
    using Answered = std::vector<NotifyWaiter*>;
    static constexpr std::size_t shard_count = 16;
    static constexpr std::size_t counter_count = 64;

    Guarded<Shard, Rank::leaf>& shard_of(ShareId share) const;
    std::atomic<std::uint32_t>& counter(ShareId share) const {
        return counters_[(share >> 4) % counter_count];
    }
    static std::string key_of(ShareId share, std::string_view path);
    Watch& find_or_add(Shard& shard, const WatchArgs& args, std::uint32_t max_length);
    void index(Shard& shard, Watch& watch);
    static void unindex(Shard& shard, Watch& watch);
    void dispatch(Shard& shard, ShareId share, const Change& change, WatchSource source,
                  std::vector<Watch*>& touched);
    void add_event(Watch& watch, ChangeAction action, std::string_view name);
    void lose(Watch& watch);
    // Answers with what there is; true if there was something.
    bool answer(Watch& watch, NotifyWaiter& waiter);
    void answer_next(Watch& watch, Answered& answered);
    static void answer_all(Watch& watch, NtStatus status, Answered& answered);
    static void tell(const Answered& answered);

    const NotifyLimits limits_;
    std::atomic<std::size_t> buffered_{0};
    mutable std::array<std::atomic<std::uint32_t>, counter_count> counters_{};
    mutable std::array<Guarded<Shard, Rank::leaf>, shard_count> shards_;
};

}  // namespace smb3d::fsa
