// File, Link, Open: the per-file state of [MS-FSA]: who has it open and how, its names, its locks.
//
// Purpose: decides about share modes, delete-on-close, disposition, rename and byte-range locks.
//   It performs no I/O: where something must be done to the file system it returns a decision that
//   the engine carries out and reports back (removal_done, finish_rename).
// Spec: [MS-FSA] 2.1.1.3 File, 2.1.1.4 Link, 2.1.1.6 Open, 2.1.5.1.2 (open), 2.1.5.5 (close),
//   2.1.5.15.3 (disposition), 2.1.5.15.11 (rename), 2.1.5.8, 2.1.5.9 (locks).
// Thread: any; one mutex a file (Rank::file), never held across I/O or a waker.
// Lifetime: a File lives as long as it has opens or a removal under way; the engine holds
//   shared_ptr<Open>, which is valid memory after close too (operations then say FILE_CLOSED).
// Errors: NtStatus as the specification names them.
//
// A Link's states:
//   live            set_disposition(remove), close of a delete-on-close open  -> delete_pending
//   delete_pending  set_disposition(keep)                                     -> live
//   delete_pending  last close of the link, or of the open that deletes POSIX -> removing
//   removing        removal_done                        -> gone, or live again if it failed
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.h"
#include "fsa/access.h"
#include "fsa/byte_range_lock.h"
#include "fsa/oplock.h"
#include "smb3d/status.h"
#include "smb3d/vfs.h"

namespace smb3d::fsa {

class File;
class FileTable;
class NameIndex;

// The engine's number for a share's store of files, within which FileIds are unique: shares that
// may serve the same files (vfs::Location) have one number, and their paths begin where the store
// does.
using ShareId = std::uint64_t;

struct FileKey {
    ShareId share{0};
    vfs::FileId id;
    friend bool operator==(const FileKey&, const FileKey&) = default;
};

enum class LinkState : std::uint8_t { live, delete_pending, removing };

// A name through which the file is open.  Everything in it is guarded by its File.
struct Link {
    std::string path;     // as stored, relative to the store
    std::size_t root{0};  // so much of it is the root of the share that it was opened through
    std::uint32_t opens{0};
    LinkState state{LinkState::live};
    bool renaming{false};  // between prepare_rename and finish_rename
    bool posix{false};     // the name goes as soon as the deleting handle closes
    bool indexed{false};   // NameIndex knows it as pending
    bool attached{false};  // it is in its File's list, and NameIndex knows it as open
    bool leased{false};    // a directory with leases: NameIndex finds it by its path
};

// What CREATE asks of an existing or just created file.
struct OpenArgs {
    std::uint64_t id{0};  // the engine's open id: unique in the process, also the lock owner
    std::string path;     // vfs::OpenReply::path, in the store
    std::size_t root{0};  // so much of it leads to the share's root: a prefix up to a '/', or all
    std::uint32_t granted_access{0};  // expanded, without MAXIMUM_ALLOWED
    std::uint32_t share_access{0};
    std::uint32_t create_options{0};
    CreateDisposition disposition{CreateDisposition::open};
    std::uint32_t attributes{0};  // of the file as stored
    std::uint32_t links{1};       // vfs::FileStat::links
    bool directory{false};
    bool created{false};  // this request made the file: overwriting rights are not asked for
    std::uint64_t rename_epoch{0};  // FileTable::rename_epoch() before the vfs open; 0: not known
    // A further attempt after break_pending: waits until the break is over with all its steps.
    bool retry{false};
    OplockKey oplock_key;         // empty: the open has no lease
    OplockKey parent_oplock_key;  // its changes do not break this directory lease
};

enum class OpenOutcome : std::uint8_t {
    granted,
    sharing_violation,
    delete_pending,
    cannot_delete,  // FILE_DELETE_ON_CLOSE on a READONLY file or the share's root
    break_pending,  // an oplock or lease is being broken: try again when the waker runs
};
NtStatus to_status(OpenOutcome outcome);

// An open handle as [MS-FSA] 2.1.1.6 has it.  What is const is set for life; the rest is guarded by
// the File.
class Open {
  public:
    Open(std::shared_ptr<File> file, std::shared_ptr<Link> link, const OpenArgs& args);
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

    const std::uint64_t id;
    const std::uint32_t granted_access;
    const std::uint32_t share_access;
    const bool directory;
    const bool share_root;  // it is not removed or renamed through its own share
    const OplockKey oplock_key;
    const OplockKey parent_oplock_key;

    File& file() const { return *file_; }
    const std::shared_ptr<File>& file_ptr() const { return file_; }

    // [MS-FSA] CurrentByteOffset (FilePositionInformation) and Mode (FileModeInformation).
    std::uint64_t position() const { return position_.load(std::memory_order_relaxed); }
    void set_position(std::uint64_t position) {
        position_.store(position, std::memory_order_relaxed);
    }
    std::uint32_t mode() const { return mode_.load(std::memory_order_relaxed); }
    // [MS-FSA] 2.1.5.15.8 FileModeInformation: INVALID_PARAMETER for bits that cannot be set.
    Result<void> set_mode(std::uint32_t mode);

  private:
    friend class File;
    const std::shared_ptr<File> file_;
    std::shared_ptr<Link> link_;
    std::shared_ptr<Grant> grant_;
    // File::grant_requests_ when this open last broke what others read from their caches: while it
    // is the same, nobody has anything that another change would break.
    std::atomic<std::uint64_t> changed_at_{0};
    std::uint32_t index_{0};  // in File's list
    bool closed_{false};
    bool delete_on_close_{false};
    bool disposition_{false};  // this open set the disposition (POSIX delete acts on its close)
    std::atomic<std::uint64_t> position_{0};
    std::atomic<std::uint32_t> mode_{0};
};

struct OpenResult {
    OpenOutcome outcome{OpenOutcome::granted};
    std::shared_ptr<Open> open;     // if granted
    std::shared_ptr<File> waiting;  // if break_pending: of this file,
    LockTicket ticket{0};           // with this ticket (File::cancel_break_wait)
    bool sharing{false};            // it is share modes that stand in the way
};

// An operation that has to wait until others have given up what they cache.
struct BreakWait {
    std::shared_ptr<File> file;
    LockTicket ticket{0};
    explicit operator bool() const { return ticket != 0; }
};

// What an open may cache now.
struct Caching {
    CacheState state{cache::none};
    bool lease{false};
    bool breaking{false};
    std::uint16_t epoch{0};
    CacheState kept{cache::none};  // what is left when a break under way is over
};

// What a close leaves to be done.  The engine calls vfs::Share::remove(path, id) BEFORE it closes
// the vfs::File (so that the file id cannot be given to a new file meanwhile), then
// FileTable::removal_done with the outcome.
struct CloseDecision {
    enum class Kind : std::uint8_t { nothing, remove_name };
    Kind kind{Kind::nothing};
    bool last_open{false};  // of the file, by any name
    std::string path;
    vfs::FileId id;
    std::shared_ptr<File> file;  // for removal_done
    std::shared_ptr<Link> link;
};

// [MS-FSCC] 2.4.11, 2.4.11.2 FileDispositionInformation(Ex).
struct Disposition {
    bool remove{false};           // FILE_DISPOSITION_DELETE
    bool posix{false};            // FILE_DISPOSITION_POSIX_SEMANTICS
    bool on_close{false};         // FILE_DISPOSITION_ON_CLOSE: acts on FILE_DELETE_ON_CLOSE instead
    bool ignore_readonly{false};  // FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE
    std::uint32_t attributes{0};  // the file's, as stored now
    bool directory_empty{true};   // the engine has looked
};

struct RenameTicket {
    std::string from;  // the present path: vfs::RenameRequest::from
    vfs::FileId id;
};

// Share-access counts, as kernels do it: a check costs the same whatever the number of opens.
struct ShareCounts {
    std::uint32_t opens{0};  // those that take part
    std::uint32_t readers{0}, writers{0}, deleters{0};
    std::uint32_t share_read{0}, share_write{0}, share_delete{0};

    void add(std::uint32_t granted, std::uint32_t shared);
    void remove(std::uint32_t granted, std::uint32_t shared);
    // [MS-FSA] 2.1.5.1.2.2: may an open with this access and sharing join?
    bool conflicts(std::uint32_t access, std::uint32_t shared) const;
};

class File : public std::enable_shared_from_this<File> {
  public:
    File(FileKey key, NameIndex& names) : key_(key), names_(&names) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    const FileKey& key() const { return key_; }

    // -- names and deletion
    std::string path(const Open& open) const;
    // FileStandardInformation.DeletePending.
    bool delete_pending(const Open& open) const;
    bool is_delete_on_close(const Open& open) const;
    // [MS-FSA] 2.1.5.15.3.  ACCESS_DENIED without DELETE access, CANNOT_DELETE (READONLY, the
    // root), DIRECTORY_NOT_EMPTY, NOT_SUPPORTED (on_close and the open has no
    // FILE_DELETE_ON_CLOSE).
    Result<void> set_disposition(Open& open, const Disposition& disposition);

    // [MS-FSA] 2.1.5.15.11.  ACCESS_DENIED without DELETE access, for the root and for a name that
    // goes away; then finish_rename must follow, with the new path as
    // stored or the error.  SHARING_VIOLATION while another rename of it is under way.
    // For a directory use FileTable::prepare_rename, which also looks for opens below.
    Result<RenameTicket> prepare_rename(Open& open);

    // -- byte-range locks
    // FILE_LOCK_CONFLICT.  Zero-length I/O conflicts with nothing.
    Result<void> check_read(const Open& open, std::uint64_t offset, std::uint64_t length) const;
    Result<void> check_write(const Open& open, std::uint64_t offset, std::uint64_t length) const;
    // INVALID_PARAMETER for directories, ACCESS_DENIED without read or write access, FILE_CLOSED,
    // and as in ByteRangeLocks.
    Result<void> lock_all(Open& open, std::span<const LockElement> elements);
    // 0: granted.  Else a ticket: the waker is called later (perhaps before this returns to its
    // caller's caller, on another thread).
    Result<LockTicket> lock_or_wait(Open& open, const LockElement& element, Waker waker);
    Result<void> unlock(Open& open, std::span<const ByteRange> ranges);
    void cancel_lock(LockTicket ticket);
    std::size_t lock_count(const Open& open) const;
    std::vector<ByteRangeLocks::Entry> locks() const;

    // -- oplocks and leases: oplock.h.  Breaks are told to their holders before these return.
    // [MS-FSA] 2.1.5.18, for an open that has just been made.
    Caching request_cache(Open& open, const CacheRequest& request,
                          std::shared_ptr<CacheHolder> holder);
    Caching caching(const Open& open) const;
    std::shared_ptr<CacheHolder> holder(const Open& open) const;  // null: it has no grant
    // The holder, who could not be reached, is told again what is asked of it.
    void repeat_break(const Open& open);
    // [MS-FSA] 2.1.5.3: before data or size change through `open`, and after it.  Costs an atomic
    // load if nobody has been granted anything since this open's last call.
    void break_readers(Open& open);
    // What somebody who is no client could not see or change unnoticed may be cached: `most`, as of
    // a vfs::GuardState with this number; an older one than the last is ignored.  At first nothing.
    void host_allows(CacheState most, std::uint64_t number);
    // No more than `most` may be cached from now on.  Yields a wait if somebody has yet to give up
    // what is beyond; when it is woken, ask again.  Nothing happens if the number is an older one.
    BreakWait break_for_host(CacheState most, std::uint64_t number, Waker waker);
    // ... or by somebody who is no client; empty key: everybody's.
    void break_caches(BreakReason reason, const OplockKey& except);
    // One holder's: a limit is reached, or the administrator wants it.
    void break_lease(const OplockKey& key);
    void break_own(const Open& open);
    // Before a deletion or rename through `open`: others must close what they keep open unused.
    // Waits with the waker if the result says so; then ask again.
    // `self`: the open that acts, whose own oplock stays.
    BreakWait break_handles(const OplockKey& except, Waker waker, const Open* self = nullptr);
    void cancel_break_wait(LockTicket ticket);
    // [MS-FSA] 2.1.5.19.  INVALID_OPLOCK_PROTOCOL if the open holds nothing of the kind.
    Result<void> acknowledge_break(Open& open, CacheState state);
    Result<void> acknowledge_break(const OplockKey& key, CacheState state);
    void break_timed_out(const std::shared_ptr<Grant>& grant, std::uint32_t number,
                         bool reachable = true);
    // Has the holder not answered this break yet?
    bool is_breaking(const Grant& grant, std::uint32_t number) const;
    bool has_name(std::string_view path) const;

    // -- for administrators and tests
    struct OpenView {
        std::uint64_t id{0};
        std::uint32_t granted_access{0};
        std::uint32_t share_access{0};
        std::string path;
        LinkState link_state{LinkState::live};
        bool delete_on_close{false};
    };
    std::vector<OpenView> opens() const;
    std::size_t open_count() const;
    // Checks what must hold at any time between opens, share modes, locks and caches; "" or what
    // does not.
    std::string audit() const;

  private:
    friend class FileTable;
    struct State {
        std::vector<std::shared_ptr<Open>> opens;
        std::vector<std::shared_ptr<Link>> links;
        ShareCounts counts;
        std::unique_ptr<ByteRangeLocks> locks;
        std::unique_ptr<Oplocks> oplocks;
        std::uint64_t rename_epoch{0};  // of the last finished rename
        CacheState host_allows{cache::none};
        std::uint64_t host_number{0};  // 0: nobody has said what the host allows
    };

    // For FileTable, which holds the file's shard.
    OpenResult open(const OpenArgs& args, const Waker* waker, BreakList& notices);
    struct Closed {
        CloseDecision decision;
        BreakList notices;   // of those who cache a handle of what is going away
        BreakEnd over;       // its holder will not answer any more
        bool first{false};   // it was open until now
        bool unused{false};  // the file has neither opens nor links left
    };
    Closed close(Open& open, WakeList& wakes);
    void removal_done(Link& link, bool removed, WakeList& wakes);
    // Yields the old path.
    std::string finish_rename(Open& open, const Result<std::string>& new_path, std::uint64_t epoch);
    bool unused() const;
    bool has_link_below(std::string_view directory) const;
    void rename_below(std::string_view old_prefix, std::string_view new_prefix);
    // What check_target and check_target_directory ask.
    bool in_use() const;
    Result<void> may_take_name(std::uint32_t access, std::uint32_t shared) const;

    std::shared_ptr<Link> link_for(State& state, const OpenArgs& args);
    void mark(Link& link, LinkState state);
    void set_path(Link& link, std::string path);
    void attach(State& state, std::shared_ptr<Link> link);
    void detach(State& state, Link& link);
    void update_lock_flag(const State& state);
    void update_oplock_flag(State& state);
    bool opened_by_others(const State& state, const Open& open) const;
    bool break_for_open(State& state, const OpenArgs& args, bool conflict, BreakList& notices);
    template <class Find, class End>
    Result<void> end_break(Find find, NtStatus absent, End end);
    void index_leases(State& state);
    static Result<void> may_lock(const Open& open);
    static std::string audit_opens(const State& state);
    static std::string audit_locks(const State& state);
    static std::string audit_caches(const State& state);
    template <class Check>
    Result<void> check_io(const Open& open, std::uint64_t offset, std::uint64_t length,
                          Check check) const;

    const FileKey key_;
    NameIndex* const names_;
    std::atomic<bool> has_locks_{false};
    std::atomic<bool> has_oplocks_{false};
    // Counts the requests for a grant; see Open::changed_at_.
    std::atomic<std::uint64_t> grant_requests_{1};
    Guarded<State, Rank::file> state_;
};

}  // namespace smb3d::fsa
