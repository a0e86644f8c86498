#include "vfs_posix/host_monitor.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>

#include <dirent.h>
#include <poll.h>
#include <sys/inotify.h>

#include "vfs_posix/dir_reader.h"
#include "vfs_posix/errno_map.h"
#include "vfs_posix/identity.h"
#include "vfs_posix/share.h"

namespace smb3d::vfs_posix {
namespace {

using vfs::HostChange;

constexpr std::uint32_t name_events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
constexpr std::uint32_t watched_events = name_events | IN_MODIFY | IN_ATTRIB | IN_EXCL_UNLINK;
constexpr std::uint64_t own_change_wait_ns = 60'000'000;
constexpr std::uint64_t other_half_wait_ns = 10'000'000;
constexpr std::chrono::milliseconds retry_interval(5);
constexpr std::size_t max_events = 65536;  // read and not judged; beyond it they are lost
constexpr std::size_t read_size = 16384;
constexpr int reads_at_once = 64;
constexpr std::string_view deleted_suffix = " (deleted)";
constexpr std::string_view own_temporary = ".smb3d-link-";  // names.cpp

std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds(1));
}

std::optional<struct ::statx> stat_of(int fd, const char* name, int flags) {
    struct ::statx st {};
    if (::statx(fd, name, flags, stat_mask, &st) != 0) return std::nullopt;
    return st;
}

// By the clock of now_ns(); 0 if the file system does not know.
std::uint64_t born_ns(const struct ::statx& st) {
    if ((st.stx_mask & STATX_BTIME) == 0) return 0;
    // In this order: who has to wait in between takes the file for older, so perhaps for ours.
    const auto present = static_cast<std::int64_t>(now_ns());
    ::timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);  // the clock of the birth time
    const std::int64_t age_ns =
        std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec - nanoseconds(st.stx_btime);
    return age_ns < present ? static_cast<std::uint64_t>(present - age_ns) : 0;
}

// [proc(5)] The path that a descriptor has now; "" if it has none.
std::string link_of(int fd) {
    char buffer[PATH_MAX];
    const ssize_t size = ::readlink(ProcPath(fd).c_str(), buffer, sizeof(buffer));
    if (size <= 0 || static_cast<std::size_t>(size) == sizeof(buffer)) return {};
    std::string path(buffer, static_cast<std::size_t>(size));
    if (path.ends_with(deleted_suffix)) {
        const auto st = stat_of(fd, "", AT_EMPTY_PATH);
        if (st && st->stx_nlink == 0) path.resize(path.size() - deleted_suffix.size());
    }
    return path;
}

bool is_directory_entry(int directory, const DirReader::Entry& entry) {
    if (entry.type != DT_UNKNOWN) return entry.type == DT_DIR;
    const auto st = stat_of(directory, entry.name.data(), AT_SYMLINK_NOFOLLOW);
    return st && S_ISDIR(st->stx_mode);
}

UniqueFd open_directory_at(int directory, const char* name, int flags) {
    return UniqueFd(::openat(directory, name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

class MonitorWatch final : public vfs::Watch {
  public:
    MonitorWatch(std::shared_ptr<HostMonitor> monitor, std::shared_ptr<PosixShare> share,
                 std::uint64_t id)
        : monitor_(std::move(monitor)), share_(std::move(share)), id_(id) {}
    void stop() override {
        if (stopped_.exchange(true)) return;
        monitor_->remove(id_);
        share_.reset();
    }

  private:
    std::shared_ptr<HostMonitor> monitor_;
    std::shared_ptr<PosixShare> share_;
    const std::uint64_t id_;
    std::atomic<bool> stopped_{false};
};

}  // namespace

HostMonitor::HostMonitor(std::weak_ptr<PosixShare> share, Loop& loop)
    : share_(std::move(share)), loop_(loop) {
    job_.run = &HostMonitor::run_job;
    job_.owner = this;
    loop_work_.run = &HostMonitor::on_loop;
    loop_work_.owner = this;
    poll_.done = &HostMonitor::polled;
    poll_.owner = this;
    timer_.fire = &HostMonitor::timer_fired;
    timer_.owner = this;
}

HostMonitor::~HostMonitor() {
    for (const auto& [wd, node] : nodes_) own_->unwatch(this, node.key);
}

// ---- the queue and its job

void HostMonitor::enqueue(Command command) {
    {
        const auto queue = queue_.lock();
        queue->commands.push_back(std::move(command));
        if (queue->running) return;
        queue->running = true;
    }
    job_.self = shared_from_this();
    loop_.pool().submit(Lane::metadata, job_);
}

void HostMonitor::run_job(Work* work) {
    const std::shared_ptr<HostMonitor> self = std::move(static_cast<OwnWork*>(work)->self);
    self->work_off();
}

void HostMonitor::work_off() {
    // Who may list a directory may know what changes in it, wherever that is found out.
    const AsRoot root;
    const std::shared_ptr<PosixShare> share = share_.lock();
    held_ = share.get();
    while (true) {
        Command command;
        {
            const auto queue = queue_.lock();
            if (!queue->commands.empty()) {
                command = std::move(queue->commands.front());
                queue->commands.pop_front();
            }
        }
        if (command) {
            command();
            continue;
        }
        if (held_ != nullptr) judge_events();
        want_poll_ = held_ != nullptr && !watches_.empty();
        want_timer_ = want_poll_ && !events_.empty();
        wake_loop();
        const auto queue = queue_.lock();
        if (queue->commands.empty()) {
            queue->running = false;
            return;
        }
    }
}

void HostMonitor::add(UniqueFd directory, bool tree, std::shared_ptr<vfs::WatchListener> listener,
                      vfs::Done<std::shared_ptr<vfs::Watch>> done) {
    enqueue([this, fd = std::move(directory), tree, listener = std::move(listener),
             done]() mutable {
        if (held_ == nullptr) return done(fail(NtStatus::NOT_SUPPORTED));
        const Result<WatchId> id = add_now(std::move(fd), tree, std::move(listener));
        if (!id) return done(fail(id.error()));
        done(std::make_shared<MonitorWatch>(shared_from_this(), held_->shared_from_this(), *id));
    });
}

void HostMonitor::remove(std::uint64_t watch) {
    enqueue([this, watch] { remove_now(watch); });
}

// ---- watches

Result<HostMonitor::WatchId> HostMonitor::add_now(UniqueFd directory, bool tree,
                                                  std::shared_ptr<vfs::WatchListener> listener) {
    if (!inotify_) {
        inotify_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
        if (!inotify_) return fail_errno();
        poll_fd_ = inotify_.get();
    }
    const WatchId id = next_watch_++;
    WatchState& watch = watches_[id];
    watch.listener = std::move(listener);
    watch.tree = tree;
    watch.root = add_node(std::move(directory), id);
    if (watch.root < 0) {
        const int error = errno;
        watches_.erase(id);
        return fail_errno(error);
    }
    look_out(watch, id);
    if (tree) add_below(watch.root, id, nullptr);
    return id;
}

void HostMonitor::remove_now(WatchId id) {
    const auto watch = watches_.find(id);
    if (watch == watches_.end()) return;
    std::vector<int> nodes = std::move(watch->second.nodes);
    nodes.push_back(watch->second.parent);
    watches_.erase(watch);
    for (const int wd : nodes) {
        const auto node = nodes_.find(wd);
        if (node == nodes_.end()) continue;
        std::erase(node->second.watches, id);
        std::erase(node->second.lookouts, id);
        if (node->second.watches.empty() && node->second.lookouts.empty()) drop_node(wd, true);
    }
}

// The wd of the directory's node, which is made if it has none; -1 and errno.
int HostMonitor::watch_in_kernel(UniqueFd directory, std::uint32_t events) {
    if (nodes_.size() >= max_directories) {
        errno = ENOSPC;
        return -1;
    }
    const auto st = stat_of(directory.get(), "", AT_EMPTY_PATH);
    if (!st) return -1;
    // First, so that no event comes of a change that was not noted.
    const DirKey key = key_of(*st);
    own_->watch(this, key);
    const int wd = ::inotify_add_watch(inotify_.get(), ProcPath(directory.get()).c_str(),
                                       events | IN_ONLYDIR | IN_MASK_ADD);
    if (wd < 0) {
        const int error = errno;
        const bool known =
            std::ranges::any_of(nodes_, [&](const auto& entry) { return entry.second.key == key; });
        if (!known) own_->unwatch(this, key);
        errno = error;
        return -1;
    }
    const auto [position, inserted] = nodes_.try_emplace(wd);
    if (inserted) {
        position->second.fd = std::move(directory);
        position->second.key = key;
    }
    return wd;
}

int HostMonitor::add_node(UniqueFd directory, WatchId id) {
    const int wd = watch_in_kernel(std::move(directory), watched_events);
    if (wd < 0) return -1;
    Node& node = nodes_.at(wd);
    if (std::ranges::find(node.watches, id) == node.watches.end()) {
        node.watches.push_back(id);
        watches_.at(id).nodes.push_back(wd);
    }
    return wd;
}

void HostMonitor::look_out(WatchState& watch, WatchId id) {
    const Node& root = nodes_.at(watch.root);
    const auto share_root = stat_of(held_->resolver().root(), "", AT_EMPTY_PATH);
    if (share_root && key_of(*share_root) == root.key) return;
    UniqueFd parent = open_directory_at(root.fd.get(), "..", O_PATH);
    if (!parent) return;
    watch.parent = watch_in_kernel(std::move(parent), IN_DELETE);
    if (watch.parent >= 0) nodes_.at(watch.parent).lookouts.push_back(id);
}

// `in_kernel`: it still has the watch.
void HostMonitor::drop_node(int wd, bool in_kernel) {
    const auto node = nodes_.find(wd);
    if (node == nodes_.end()) return;
    for (const WatchId id : node->second.watches) {
        const auto watch = watches_.find(id);
        if (watch != watches_.end()) std::erase(watch->second.nodes, wd);
    }
    own_->unwatch(this, node->second.key);
    if (in_kernel) ::inotify_rm_watch(inotify_.get(), wd);
    nodes_.erase(node);
    paths_.erase(wd);
}

void HostMonitor::add_below(int wd, WatchId id, Told* found) {
    std::vector<int> left{wd};
    while (!left.empty()) {
        const int parent = left.back();
        left.pop_back();
        const UniqueFd readable = open_directory_at(nodes_.at(parent).fd.get(), ".", O_RDONLY);
        if (!readable) continue;
        DirReader reader;
        DirReader::Entry entry;
        while (reader.next(readable.get(), entry)) {
            if (DirReader::is_dot_or_dotdot(entry.name)) continue;
            const bool directory = is_directory_entry(readable.get(), entry);
            const std::string name(entry.name);
            const auto st = stat_of(readable.get(), name.c_str(), AT_SYMLINK_NOFOLLOW);
            const bool own = st && own_->touched_lately(key_of(*st), now_ns(), born_ns(*st));
            const Event as_event{parent, IN_CREATE | (directory ? IN_ISDIR : 0U), 0, name, now_ns(),
                                 true};
            if (found != nullptr && !own && must_wait(as_event, nodes_.at(parent))) {
                // It may be we who make it just now.
                events_.push_back(as_event);
            } else if (found != nullptr && !own) {
                // Its event, if there is one, will be taken for this.
                own_->note(this, nodes_.at(parent).key, name, true);
                if (auto path = path_of(parent, name)) {
                    HostChange change;
                    change.kind = HostChange::Kind::added;
                    change.path = std::move(*path);
                    change.directory = directory;
                    tell(*found, nodes_.at(parent).watches, change);
                }
            }
            if (!directory) continue;
            UniqueFd fd = open_directory_at(readable.get(), name.c_str(), O_PATH);
            if (!fd) continue;
            const int below = add_node(std::move(fd), id);
            if (below >= 0) left.push_back(below);
            if (below < 0 && errno == ENOSPC) return;
        }
    }
}

// A directory has appeared where whole trees are watched.  `found`: it is new, and what is in it
// already is told.
void HostMonitor::add_new_directory(int wd, const std::string& name, Told* found) {
    std::vector<WatchId> trees;
    for (const WatchId id : nodes_.at(wd).watches) {
        if (watches_.at(id).tree) trees.push_back(id);
    }
    for (const WatchId id : trees) {
        UniqueFd fd = open_directory_at(nodes_.at(wd).fd.get(), name.c_str(), O_PATH);
        if (!fd) return;
        const std::size_t before = watches_.at(id).nodes.size();
        const int below = add_node(std::move(fd), id);
        if (below < 0) return;
        // If it was there already, what is in it has been told, or its events are still to come.
        if (watches_.at(id).nodes.size() == before) continue;
        add_below(below, id, std::exchange(found, nullptr));
    }
}

// ---- events

bool HostMonitor::read_events() {
    alignas(::inotify_event) char buffer[read_size];
    const std::uint64_t now = now_ns();
    for (int i = 0; i < reads_at_once; ++i) {
        const ssize_t size = ::read(inotify_.get(), buffer, sizeof(buffer));
        if (size <= 0) return false;
        for (ssize_t at = 0; at < size;) {
            const auto* event = reinterpret_cast<const ::inotify_event*>(buffer + at);
            Event read{event->wd, event->mask, event->cookie, {}, now, false};
            if (event->len > 0) read.name = event->name;
            at += static_cast<ssize_t>(sizeof(::inotify_event) + event->len);
            if (!read.name.starts_with(own_temporary)) events_.push_back(std::move(read));
        }
        if (events_.size() > max_events) {
            events_.clear();
            events_.push_back({-1, IN_Q_OVERFLOW, 0, {}, now, false});
        }
    }
    return true;
}

void HostMonitor::judge_events() {
    paths_.clear();
    Told told;
    while (!events_.empty() && judge_first(told)) events_.pop_front();
    deliver(told);
}

bool HostMonitor::must_wait(const Event& event, const Node& node) const {
    return now_ns() - event.read_ns < own_change_wait_ns && own_->under_way(node.key);
}

bool HostMonitor::judge_first(Told& told) {
    const Event& event = events_.front();
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
        tell_lost(told);
        return true;
    }
    if ((event.mask & IN_IGNORED) != 0) {
        drop_node(event.wd, false);
        return true;
    }
    const auto found = nodes_.find(event.wd);
    if (event.mask == 0 || found == nodes_.end()) return true;
    const Node& node = found->second;
    if ((event.mask & name_events) == 0) return judge_inode(event, node, told);
    if (must_wait(event, node)) return false;
    if ((event.mask & IN_MOVED_FROM) == 0) {
        judge_name(event, node, (event.mask & IN_DELETE) == 0, told);
        return true;
    }
    const auto other = std::find_if(events_.begin() + 1, events_.end(), [&](const Event& next) {
        return (next.mask & IN_MOVED_TO) != 0 && next.cookie == event.cookie;
    });
    if (other == events_.end()) {
        if (now_ns() - event.read_ns < other_half_wait_ns) return false;
        judge_name(event, node, false, told);
        return true;
    }
    const auto other_node = nodes_.find(other->wd);
    if (other_node == nodes_.end()) {
        judge_name(event, node, false, told);
        return true;
    }
    if (must_wait(*other, other_node->second)) return false;
    judge_pair(event, *other, told);
    other->mask = 0;
    return true;
}

void HostMonitor::judge_name(const Event& event, const Node& node, bool added, Told& told) {
    const bool own = own_->take(this, node.key, event.name, added) ||
                     ((event.mask & IN_CREATE) != 0 && is_ours(event, node));
    const bool directory = (event.mask & IN_ISDIR) != 0;
    if (!own) {
        HostChange change;
        change.kind = added ? HostChange::Kind::added : HostChange::Kind::removed;
        change.directory = directory;
        if (event.listed) own_->note(this, node.key, event.name, true);
        if (auto path = path_of(event.wd, event.name)) {
            change.path = std::move(*path);
            tell(told, node.watches, change);
        }
    }
    if (event.listed) return;
    if (added && directory) {
        const bool created = (event.mask & IN_CREATE) != 0;
        add_new_directory(event.wd, event.name, created ? &told : nullptr);
    }
    if (!added && directory) tell_gone(told);
}

void HostMonitor::judge_pair(const Event& from, const Event& to, Told& told) {
    const Node& from_node = nodes_.at(from.wd);
    const Node& to_node = nodes_.at(to.wd);
    const bool own_from = own_->take(this, from_node.key, from.name, false);
    const bool own_to = own_->take(this, to_node.key, to.name, true);
    const bool directory = (to.mask & IN_ISDIR) != 0;
    if (directory) paths_.clear();
    HostChange change;
    change.directory = directory;
    auto from_path = path_of(from.wd, from.name);
    auto to_path = path_of(to.wd, to.name);
    std::vector<WatchId> watches = to_node.watches;
    watches.insert(watches.end(), from_node.watches.begin(), from_node.watches.end());
    if (!own_from && !own_to && from_path && to_path) {
        change.kind = HostChange::Kind::renamed;
        change.from = std::move(*from_path);
        change.path = std::move(*to_path);
        tell(told, watches, change);
    } else if (!own_from && from_path) {
        change.kind = HostChange::Kind::removed;
        change.path = std::move(*from_path);
        tell(told, watches, change);
    } else if (!own_to && to_path) {
        change.kind = HostChange::Kind::added;
        change.path = std::move(*to_path);
        tell(told, watches, change);
    }
    if (directory) add_new_directory(to.wd, to.name, nullptr);
}

// Where no note of a name tells: a file that we have just made or changed, or removed since.
bool HostMonitor::is_ours(const Event& event, const Node& node) const {
    const auto st = stat_of(node.fd.get(), event.name.c_str(), AT_SYMLINK_NOFOLLOW);
    return st ? own_->touched_lately(key_of(*st), event.read_ns, born_ns(*st))
              : own_->noted(this, node.key, event.name, false);
}

// Data or attributes of something in the directory; of the directory itself (no name) its parent's
// watch tells.  False: not yet.
bool HostMonitor::judge_inode(const Event& event, const Node& node, Told& told) {
    if (event.name.empty()) return true;
    // A removal forgets the touch, and notes the name at its end: what is not under way any more
    // has done both, if it is asked in this order.
    const bool wait = must_wait(event, node);
    if (is_ours(event, node) || own_->noted(this, node.key, event.name, false)) {
        return true;
    }
    // Or it has begun since: then it is under way, or has left its note by now.
    if (wait || must_wait(event, node)) return false;
    if (own_->noted(this, node.key, event.name, false)) return true;
    auto path = path_of(event.wd, event.name);
    if (!path) return true;
    HostChange change;
    change.kind =
        (event.mask & IN_MODIFY) != 0 ? HostChange::Kind::modified : HostChange::Kind::attributes;
    change.directory = (event.mask & IN_ISDIR) != 0;
    change.path = std::move(*path);
    tell(told, node.watches, change);
    return true;
}

void HostMonitor::tell(Told& told, const std::vector<WatchId>& watches, const HostChange& change) {
    std::vector<vfs::WatchListener*> done;
    for (const WatchId id : watches) {
        const auto watch = watches_.find(id);
        if (watch == watches_.end()) continue;
        const std::shared_ptr<vfs::WatchListener>& listener = watch->second.listener;
        if (std::ranges::find(done, listener.get()) != done.end()) continue;
        done.push_back(listener.get());
        auto entry =
            std::ranges::find_if(told, [&](const auto& known) { return known.first == listener; });
        if (entry == told.end()) entry = told.insert(told.end(), {listener, {}});
        entry->second.push_back(change);
    }
}

// The kernel's queue has overflowed: everything may have changed, and directories may be new.
void HostMonitor::tell_lost(Told& told) {
    std::vector<WatchId> ids;
    for (const auto& [id, watch] : watches_) ids.push_back(id);
    for (const WatchId id : ids) {
        const WatchState& watch = watches_.at(id);
        if (!nodes_.contains(watch.root)) continue;
        HostChange change;
        change.kind = HostChange::Kind::lost;
        change.directory = true;
        change.tree = watch.tree;
        const auto path = path_of(watch.root);
        if (path) change.path = *path;
        if (path) tell(told, {id}, change);
        if (watch.tree) add_below(watch.root, id, nullptr);
    }
}

// Some directory was removed: is it a watched one?
void HostMonitor::tell_gone(Told& told) {
    for (auto& [id, watch] : watches_) {
        const auto node = nodes_.find(watch.root);
        if (watch.gone || node == nodes_.end()) continue;
        const auto st = stat_of(node->second.fd.get(), "", AT_EMPTY_PATH);
        if (!st || st->stx_nlink != 0) continue;
        watch.gone = true;
        HostChange change;
        change.kind = HostChange::Kind::gone;
        change.directory = true;
        const auto path = path_of(watch.root);
        if (path) change.path = *path;
        if (path) tell(told, {id}, change);
    }
}

void HostMonitor::deliver(Told& told) {
    for (auto& [listener, changes] : told) listener->changed(changes);
}

std::optional<std::string> HostMonitor::path_of(int wd) {
    const auto known = paths_.find(wd);
    if (known != paths_.end()) return known->second;
    std::optional<std::string>& path = paths_[wd];
    std::string root = link_of(held_->resolver().root());
    const std::string full = link_of(nodes_.at(wd).fd.get());
    if (root.empty() || full.empty()) return path;
    if (full == root) {
        path = "";
        return path;
    }
    if (!root.ends_with('/')) root += '/';
    // Else it was moved out of the share.
    if (full.starts_with(root)) path = held_->resolver().client_path(full.substr(root.size()));
    return path;
}

std::optional<std::string> HostMonitor::path_of(int wd, const std::string& name) {
    const auto directory = path_of(wd);
    if (!directory) return std::nullopt;
    return join_path(*directory, held_->resolver().client_name(name));
}

// ---- the loop

void HostMonitor::wake_loop() {
    if (loop_ended_ || loop_work_posted_.exchange(true)) return;
    loop_work_.self = shared_from_this();
    loop_.post(loop_work_);
}

void HostMonitor::on_loop(Work* work) {
    const std::shared_ptr<HostMonitor> self = std::move(static_cast<OwnWork*>(work)->self);
    self->loop_work_posted_ = false;
    if (self->loop_ended_) return;
    const bool polls = self->poll_.self != nullptr;
    if (self->want_poll_ && !polls) self->poll_again();
    if (!self->want_poll_ && polls) self->loop_.cancel(self->poll_);
    if (self->want_timer_ && !self->timer_.armed()) {
        self->timer_self_ = self;
        self->loop_.arm(self->timer_, retry_interval);
    }
}

void HostMonitor::poll_again() {
    poll_.self = shared_from_this();
    loop_.poll(poll_, poll_fd_, POLLIN);
}

void HostMonitor::polled(IoOp* op, int result) {
    const std::shared_ptr<HostMonitor> self = std::move(static_cast<OwnOp*>(op)->self);
    if (self->loop_ended_ || !self->want_poll_) return;
    if (result < 0) return self->poll_again();  // cancelled, and wanted again since
    self->enqueue([monitor = self.get()] { monitor->read_events(); });
}

void HostMonitor::timer_fired(Timer* timer) {
    const std::shared_ptr<HostMonitor> self =
        std::move(static_cast<OwnTimer*>(timer)->owner->timer_self_);
    self->enqueue([] {});  // the job judges again
}

void HostMonitor::loop_ends() {
    loop_ended_ = true;
    if (poll_.self) loop_.cancel(poll_);
    if (timer_.armed()) loop_.disarm(timer_);
    timer_self_.reset();
}

}  // namespace smb3d::vfs_posix
