// HostMonitor: tells what others change below the share, by inotify.
//
// Purpose: the Watches of one share.  A watch of a tree is one inotify watch a directory, made when
//   the watch is made and as directories appear.  Own changes are left out (OwnChanges).
// Spec: vfs::Share::watch; inotify(7).
// Thread: the queue from any.  Everything else belongs to the one job that is under way on a worker
//   (a job at a time), or to the loop that polls.
// Lifetime: kept by the Share, its Watches, and the job or poll under way.  Nothing is on the loop
//   while nothing is watched.
// Errors: no inotify instance or no watch to be had: the errno's status.  Beyond `max_directories`
//   (or the system's own limit) the deeper directories of a tree are not watched.
//
// Latency: an event waits while an own change of its directory is under way (60 ms at most) and a
//   moved entry for its other half (10 ms); then it is told in order.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "smb3d/loop.h"
#include "smb3d/vfs.h"
#include "vfs_posix/locked.h"
#include "vfs_posix/own_changes.h"
#include "vfs_posix/resolve.h"
#include "vfs_posix/unique_fd.h"

namespace smb3d::vfs_posix {

class PosixShare;

class HostMonitor : public std::enable_shared_from_this<HostMonitor> {
  public:
    // Of one share, for all its watches together.
    static constexpr std::size_t max_directories = 16384;

    HostMonitor(std::weak_ptr<PosixShare> share, Loop& loop);
    ~HostMonitor();

    // `directory`: O_PATH or readable.
    void add(UniqueFd directory, bool tree, std::shared_ptr<vfs::WatchListener> listener,
             vfs::Done<std::shared_ptr<vfs::Watch>> done);
    void remove(std::uint64_t watch);
    // The loop will run no more of it.  On its thread.
    void loop_ends();
    const Loop& loop() const { return loop_; }

  private:
    using Command = std::move_only_function<void()>;
    using WatchId = std::uint64_t;

    // A directory with an inotify watch.
    struct Node {
        UniqueFd fd;  // so that its path of now can be asked for
        DirKey key;
        std::vector<WatchId> watches;  // that cover what is in it
        // That want to know of the end of a directory in it: its own IN_DELETE_SELF comes only when
        // nobody has it open any more, and who watches it does.
        std::vector<WatchId> lookouts;
    };
    struct WatchState {
        std::shared_ptr<vfs::WatchListener> listener;
        bool tree{false};
        int root{-1};            // its wd
        std::vector<int> nodes;  // wds, with the root
        int parent{-1};          // the wd of the root's parent
        bool gone{false};        // has been told
    };
    struct Event {
        int wd{0};
        std::uint32_t mask{0};
        std::uint32_t cookie{0};
        std::string name;
        std::uint64_t read_ns{0};
        bool listed{false};  // not told by the kernel: found in a directory that is new
    };
    // What a batch of events has to tell to whom.
    using Told =
        std::vector<std::pair<std::shared_ptr<vfs::WatchListener>, std::vector<vfs::HostChange>>>;

    // -- the job
    void enqueue(Command command);
    static void run_job(Work* work);
    void work_off();
    Result<WatchId> add_now(UniqueFd directory, bool tree,
                            std::shared_ptr<vfs::WatchListener> listener);
    void remove_now(WatchId id);
    int watch_in_kernel(UniqueFd directory, std::uint32_t events);
    int add_node(UniqueFd directory, WatchId id);
    void look_out(WatchState& watch, WatchId id);
    void drop_node(int wd, bool in_kernel);
    // Watches the directories below; `found`: tells what is there already.
    void add_below(int wd, WatchId id, Told* found);
    void add_new_directory(int wd, const std::string& name, Told* found);

    bool read_events();  // false once there are no more
    void judge_events();
    // False: the first event must wait.
    bool judge_first(Told& told);
    bool must_wait(const Event& event, const Node& node) const;
    void judge_name(const Event& event, const Node& node, bool added, Told& told);
    void judge_pair(const Event& from, const Event& to, Told& told);
    bool is_ours(const Event& event, const Node& node) const;
    bool judge_inode(const Event& event, const Node& node, Told& told);
    void tell(Told& told, const std::vector<WatchId>& watches, const vfs::HostChange& change);
    void tell_lost(Told& told);
    void tell_gone(Told& told);
    static void deliver(Told& told);
    std::optional<std::string> path_of(int wd);
    std::optional<std::string> path_of(int wd, const std::string& name);

    // -- the loop
    void wake_loop();
    static void on_loop(Work* work);
    static void polled(IoOp* op, int result);
    static void timer_fired(Timer* timer);
    void poll_again();

    const std::weak_ptr<PosixShare> share_;
    Loop& loop_;
    struct Queue {
        std::deque<Command> commands;
        bool running{false};
    };
    Locked<Queue> queue_;
    struct OwnWork : Work {
        HostMonitor* owner{nullptr};
        std::shared_ptr<HostMonitor> self;  // while it is queued
    };
    OwnWork job_;
    OwnWork loop_work_;

    const std::shared_ptr<OwnChanges> own_{OwnChanges::of_process()};

    // The job's.
    PosixShare* held_{nullptr};  // the share, while a job runs; null if it is gone
    UniqueFd inotify_;
    std::unordered_map<int, Node> nodes_;
    std::unordered_map<WatchId, WatchState> watches_;
    WatchId next_watch_{1};
    std::deque<Event> events_;
    std::unordered_map<int, std::optional<std::string>> paths_;  // of this batch

    // Between the job and the loop.
    std::atomic<bool> want_poll_{false};
    std::atomic<bool> want_timer_{false};
    std::atomic<int> poll_fd_{-1};
    std::atomic<bool> loop_work_posted_{false};
    std::atomic<bool> loop_ended_{false};

    // The loop's.
    struct OwnOp : IoOp {
        HostMonitor* owner{nullptr};
        std::shared_ptr<HostMonitor> self;  // while it polls
    };
    struct OwnTimer : Timer {
        HostMonitor* owner{nullptr};
    };
    OwnOp poll_;
    OwnTimer timer_;
    std::shared_ptr<HostMonitor> timer_self_;
};

}  // namespace smb3d::vfs_posix
