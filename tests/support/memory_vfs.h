// MemoryShare: a Share in memory, as hostile as the completion contract of vfs.h allows.
//
// Purpose: proves the engine against inline, delayed, reordered, failing, short and
// never-until-cancelled completions.
//   Without hostility it has the semantics of any back end and passes tests/vfs_conformance.
// Thread: any; the tree is behind one lock.  Lifetime: held by its files.
// Errors: as vfs.h says, or those that the Hostility orders.
// Determinism: one seed decides everything, in the order in which operations arrive; with `delayed`
// only (no other
//   threads) a single-threaded simulation repeats exactly.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "smb3d/vfs.h"

namespace smb3d::test {

enum class VfsOp : std::uint8_t {
    open,
    close,
    stat,
    set_stat,
    read,
    write,
    flush,
    set_size,
    allocate,
    allocated_ranges,
    zero_range,
    copy_range,
    guard,
    list,
    remove,
    rename,
    link,
    volume_info,
};

// How one kind of operation behaves.  The weights are relative to each other.
struct VfsRule {
    unsigned inline_weight{1};   // done before the call returns
    unsigned delayed_weight{0};  // done on the loop, some turns later; this is what reorders
    unsigned thread_weight{0};   // done on a thread of the loop's pool
    unsigned stuck_weight{0};    // not done until cancelled (or MemoryShare::release_stuck)
    unsigned max_turns{4};       // of the loop, for delayed ones
    unsigned fail_per_mille{0};
    NtStatus failure{NtStatus::UNEXPECTED_IO_ERROR};
    unsigned short_read_per_mille{0};  // reads that yield less than there is
};

struct Hostility {
    std::uint64_t seed{1};
    VfsRule rule;                         // close neither fails nor gets stuck by this one
    std::map<VfsOp, VfsRule> exceptions;  // instead of it

    static Hostility none() { return {}; }
    static Hostility delayed(std::uint64_t seed);     // delayed and reordered, on the loop
    static Hostility everything(std::uint64_t seed);  // inline, delayed, other threads
};

struct MemoryOptions {
    std::uint64_t capacity{256U << 20};  // bytes of all files; beyond it DISK_FULL
    vfs::Capabilities capabilities;
};

struct MemoryCounters {
    std::uint64_t started{0};
    std::uint64_t finished{0};
    std::uint64_t stuck_now{0};
    std::uint64_t open_files{0};
};

class MemoryFile;

class MemoryShare final : public vfs::Share, public std::enable_shared_from_this<MemoryShare> {
  public:
    explicit MemoryShare(Hostility hostility = {}, MemoryOptions options = {});
    ~MemoryShare() override;

    vfs::Capabilities capabilities() const override { return options_.capabilities; }
    void open(const vfs::OpContext&, const vfs::OpenRequest&, vfs::Done<vfs::OpenReply>) override;
    void remove(const vfs::OpContext&, const std::string& path, vfs::FileId,
                vfs::Done<void>) override;
    void rename(const vfs::OpContext&, const vfs::RenameRequest&, vfs::Done<std::string>) override;
    void link(const vfs::OpContext&, vfs::File&, const vfs::RenameRequest&,
              vfs::Done<void>) override;
    void volume_info(const vfs::OpContext&, vfs::Done<vfs::VolumeInfo>) override;

    void watch(const vfs::OpContext&, const vfs::WatchRequest&,
               vfs::Done<std::shared_ptr<vfs::Watch>>) override;

    void set_hostility(Hostility hostility);
    // Tells every watch once of a change "on the host", wherever it is; nothing changes.  Watches
    // are refused as not supported unless this was asked for first.
    void support_watches() { watches_supported_ = true; }
    void announce(const vfs::HostChange& change);
    std::size_t watch_count();
    // Files can be guarded, once this was asked for.
    void support_guards() { guards_supported_ = true; }
    // Somebody "on the host" opens a file: true if he could at once, else he waits until the guard
    // has been settled.  He has it open until host_close.
    bool host_open(const std::string& path, bool writes);
    void host_close(const std::string& path);
    bool host_waits(const std::string& path);
    void guard_settled(vfs::FileId file, vfs::GuardState state) override;
    // Lets every stuck operation go on as a delayed one.
    void release_stuck();
    MemoryCounters counters() const;
    // Looks at what is stored, past everybody: nothing if there is no such file or directory.
    std::optional<std::vector<std::byte>> content(const std::string& path);
    std::optional<std::vector<std::string>> names_in(const std::string& path);

  private:
    friend class MemoryFile;
    struct Node;
    struct Entry;
    struct Tree;
    struct Place;
    enum class Manner : std::uint8_t { inline_now, delayed, thread, stuck };
    struct Plan {
        Manner manner{Manner::inline_now};
        unsigned turns{1};
        std::optional<NtStatus> failure;
        unsigned keep_per_mille{1000};  // of a read
        bool cancellable{true};
    };
    class Pending;
    template <class T, class Body>
    class PendingOp;

    Plan plan(VfsOp op, const vfs::OpContext& context);
    // Runs `body` in the manner that the hostility chooses; `body(plan)` yields a Result<T>.
    template <class T, class Body>
    void dispatch(VfsOp op, const vfs::OpContext& context, vfs::Done<T> done, Body body);

    static Result<std::vector<std::string>> components(const std::string& path);
    Result<Place> find(Tree& tree, const std::string& path, bool exact_case);
    Result<vfs::OpenReply> do_open(const vfs::OpContext&, const vfs::OpenRequest&);
    Result<void> do_remove(const std::string& path, vfs::FileId id);
    Result<std::string> do_rename(const vfs::RenameRequest&);
    Result<void> do_link(MemoryFile&, const vfs::RenameRequest&);
    const MemoryOptions options_;
    struct Chance {
        Hostility hostility;
        std::uint64_t state{0};
        std::uint64_t draw(std::uint64_t below);
    };
    Guarded<Chance, Rank::leaf> chance_;
    Guarded<std::vector<Pending*>, Rank::leaf> stuck_;
    std::unique_ptr<Guarded<Tree, Rank::leaf>> tree_;
    std::atomic<std::uint64_t> started_{0};
    std::atomic<std::uint64_t> finished_{0};
    std::atomic<std::uint64_t> open_files_{0};
    struct Guard {
        vfs::GuardState state;
        vfs::GuardLevel held{vfs::GuardLevel::none};
        std::shared_ptr<vfs::GuardListener> listener;
        bool breaking{false};
        bool host_reads{false};
        bool host_writes{false};
    };
    Result<vfs::GuardState> do_guard(std::uint64_t inode, const vfs::GuardRequest& request);
    std::uint64_t inode_of(const std::string& path);
    std::atomic<bool> guards_supported_{false};
    struct Guards {
        std::map<std::uint64_t, Guard> by_inode;
        std::uint64_t number{0};
    };
    Guarded<Guards, Rank::leaf> guards_;
    class MemoryWatch;
    std::atomic<bool> watches_supported_{false};
    Guarded<std::vector<std::pair<const vfs::Watch*, std::shared_ptr<vfs::WatchListener>>>,
            Rank::leaf>
        watches_;
};

}  // namespace smb3d::test
