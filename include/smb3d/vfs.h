// The VFS API: what a storage back end implements.  About twenty operations, asynchronous,
//   callback-driven.
//
// Purpose: the engine holds SMB semantics (share modes, delete-on-close, locks, oplocks,
//   wildcards); a back end only stores.  POSIX (vfs_posix) is the first; named pipes (src/pipe) are
//   another; decorators hold a Share.
//
// THE COMPLETION CONTRACT
//   1. Every operation ends by calling its `done` exactly once, from any thread, possibly before
//      the call returns.
//   2. `done` only records the result and, if it comes from elsewhere, posts to the request's loop;
//      a back end may therefore call it while holding nothing but its own short locks, and must not
//      expect it to run the request's next step inside.
//   3. Arguments (the OpContext, strings, iovecs and the memory they name) live until `done`;
//      nothing of them may be touched after it.
//   4. Cancel only asks (OpContext::cancel); `done` still comes, with STATUS_CANCELLED or the real
//     result.
//   5. A File or Share is not destroyed while one of its operations is under way.  The engine calls
//      File::close() once, last, and then drops its reference; after a failed close() the File is
//        closed as well.
//   6. Operations of one File may overlap and complete in any order; the engine orders what must be
//     ordered.
//
// Identity: OpContext::caller says on whose behalf.  Share operations (paths) must be done with the
//   caller's rights in the back end's own terms (POSIX: file-system uid, gid, groups); File
//   operations use the rights the File was opened with.
// Names: UTF-8, '/' between components, no leading or trailing '/', never "." or ".."; "" is the
//   share's root.  A name's unpaired UTF-16 surrogates come as their three-byte UTF-8 form (WTF-8).
//   Lookup is case-insensitive and case-preserving when the share says so
//   (Capabilities::case_insensitive).  A name that a Windows client cannot express is mapped by the
//   back end (see vfs_posix/name_map.h), both ways.
// Times: FileTime, 100 ns since 1601-01-01 UTC ([MS-DTYP] 2.3.3); 0 where the file system has none.
// Errors: NtStatus.  Use the value that [MS-FSA] names for the condition; vfs_posix/errno_map.h for
//   system calls.
// Versioning: plugin.h.  A minor version adds virtuals at the end, with a default that says "not
//   supported".
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "smb3d/buffer.h"
#include "smb3d/caller.h"
#include "smb3d/loop.h"
#include "smb3d/status.h"

namespace smb3d::vfs {

using FileTime = std::uint64_t;

// Where a result goes: two words, no allocation, called exactly once.
template <class T>
class Done {
  public:
    using Function = void (*)(void* context, Result<T>&& result);
    Done(Function function, void* context) : function_(function), context_(context) {}
    void operator()(Result<T>&& result) const { function_(context_, std::move(result)); }

  private:
    Function function_;
    void* context_;
};

// A request's wish to end an operation early.  Any thread may request; a back end that can act on
// it polls requested() or sets a listener for the time of the operation (one at a time).
class Cancellation {
  public:
    using Listener = void (*)(void* context);
    bool requested() const { return requested_.load(std::memory_order_acquire); }
    void request();  // runs the listener, if any, once
    // False if cancellation was requested already: then the listener is not set and will not run.
    bool listen(Listener listener, void* context);
    // After this returns the listener does not run and is not running (unless called from inside
    // it).
    void unlisten();

  private:
    std::atomic<bool> requested_{false};
    std::atomic_flag guard_ = ATOMIC_FLAG_INIT;
    Listener listener_{nullptr};
    void* context_{nullptr};
};

struct OpContext {
    const Caller* caller{nullptr};
    // the request's loop; a back end may use its ring, timers and pool when called on it
    Loop* loop{nullptr};
    Lane lane{Lane::metadata};
    Cancellation* cancel{nullptr};  // may be null
};

// Identifies a file for as long as it exists, whatever its names: the key of the engine's file
// table.
struct FileId {
    std::uint64_t volume{0};
    std::uint64_t inode{0};
    std::uint64_t generation{0};  // 0 unless the file system tells
    friend bool operator==(const FileId&, const FileId&) = default;
    friend auto operator<=>(const FileId&, const FileId&) = default;
};

enum class FileKind : std::uint8_t { file, directory, pipe, symlink, other };

struct FileStat {
    FileId id;
    FileKind kind{FileKind::file};
    // [MS-FSCC] 2.6, FILE_ATTRIBUTE_NORMAL and _DIRECTORY included as they apply
    std::uint32_t attributes{0};
    FileTime creation_time{0};
    FileTime last_access_time{0};
    FileTime last_write_time{0};
    FileTime change_time{0};
    std::uint64_t end_of_file{0};
    std::uint64_t allocation_size{0};
    std::uint32_t links{1};
    std::uint32_t reparse_tag{0};
    std::uint32_t ea_size{0};
    std::uint32_t uid{0};  // for the security descriptor made from owner and mode
    std::uint32_t gid{0};
    std::uint32_t mode{0};
    // The caller's rwx (4, 2, 1), where owner, group and mode do not tell them: the file has a
    // list. Given by Share::open, by File::stat as they were at the open, and by File::list if
    // asked for.
    std::optional<std::uint8_t> rights;
};

// What File::set_stat changes; what is absent stays as it is.
struct StatChange {
    std::optional<FileTime> creation_time;
    std::optional<FileTime> last_access_time;
    std::optional<FileTime> last_write_time;
    std::optional<FileTime> change_time;
    std::optional<std::uint32_t> attributes;  // the settable ones of [MS-FSCC] 2.6, and SPARSE_FILE
};

// What the handle will be used for; chooses how the back end opens it.  Or-ed together.
enum Access : std::uint32_t {
    access_attributes = 0,         // stat, set_stat, names: always possible
    access_read_data = 1U << 0,    // read, list
    access_write_data = 1U << 1,   // write, set_size, allocate
    access_append_only = 1U << 2,  // with write_data: only beyond the end
};

enum class Disposition : std::uint8_t {
    open,    // must exist, or OBJECT_NAME_NOT_FOUND / OBJECT_PATH_NOT_FOUND
    create,  // must not exist, or OBJECT_NAME_COLLISION
    open_or_create,
};

// FILE_NON_DIRECTORY_FILE, FILE_DIRECTORY_FILE
enum class WantKind : std::uint8_t { any, file, directory };

struct OpenRequest {
    std::string path;
    Disposition disposition{Disposition::open};
    WantKind kind{WantKind::any};  // a mismatch: FILE_IS_A_DIRECTORY / NOT_A_DIRECTORY
    std::uint32_t access{access_attributes};
    bool write_through{false};
    bool no_buffering{false};
    bool open_reparse_point{false};  // the link itself, not what it points to
    // For a file that gets created.
    std::uint32_t create_attributes{0};
    std::uint64_t create_allocation{0};
    bool exact_case{false};  // FILE_CASE_SENSITIVE semantics (POSIX extensions)
};

class File;

struct OpenReply {
    std::shared_ptr<File> file;
    FileStat stat;
    std::string path;  // as stored: the real case of every component
    bool created{false};
};

struct RenameRequest {
    std::string from;
    FileId id;            // what `from` must still name, or OBJECT_NAME_NOT_FOUND
    std::string to;       // the last component's case is kept as given
    bool replace{false};  // else an existing target is OBJECT_NAME_COLLISION
};

struct VolumeInfo {
    std::uint64_t total_units{0};
    std::uint64_t free_units{0};         // for the administrator
    std::uint64_t caller_free_units{0};  // quota and reserve taken off
    std::uint32_t sectors_per_unit{0};
    std::uint32_t bytes_per_sector{0};
    std::uint64_t serial{0};
    FileTime creation_time{0};
    std::uint32_t max_component_length{255};  // UTF-16 units
    std::string file_system_name;             // "NTFS" is what clients expect; see config
    std::string label;                        // "": the engine uses the share's name
};

struct Range {
    std::uint64_t offset{0};
    std::uint64_t length{0};
};

// Chooses entries of a listing before the back end spends a stat on them.
class NameFilter {
  public:
    virtual ~NameFilter() = default;
    virtual bool matches(std::string_view name) const = 0;  // thread: any; must not block
};

struct DirEntry {
    std::string_view name;  // points into the batch
    FileStat stat;          // only id and kind if the request wanted names only
};

// One batch of a listing: entries and the storage of their names.
struct DirBatch {
    std::vector<DirEntry> entries;
    std::vector<std::unique_ptr<char[]>> arena;
    bool end{false};  // nothing comes after these
};

struct ListRequest {
    bool restart{false};  // from the first entry; else after the last one given
    bool names_only{false};
    const NameFilter* filter{nullptr};
    std::size_t max_entries{256};
    bool rights{false};  // FileStat::rights of each entry are wanted
};

// What File::copy_range copies.
struct CopyRequest {
    File* source{nullptr};  // of any back end; it may be the file that is copied to
    std::uint64_t source_offset{0};
    std::uint64_t offset{0};  // in the file that is copied to
    std::uint64_t length{0};
    bool clone{false};  // the two share the storage, or it fails; never a copy of the data
};

// What somebody else than this server has done below the share's root: a local program, NFS.
struct HostChange {
    enum class Kind : std::uint8_t {
        added,       // the name `path` has appeared
        removed,     // ... has gone
        renamed,     // `from` is called `path` now
        modified,    // the data of `path`
        attributes,  // its times, mode, owner or extended attributes
        lost,        // whatever is in the directory `path`, and below if `tree`, may have changed
        gone,        // the watched directory `path` itself was removed
    };
    Kind kind{Kind::modified};
    std::string path;  // of now, as OpenReply::path has it
    std::string from;
    bool directory{false};  // what has the name is one
    bool tree{false};
};

// Hears of changes.  Thread: any, one call at a time for the Watches that have it; must not block
// and must not call the Share.
class WatchListener {
  public:
    virtual ~WatchListener() = default;
    virtual void changed(std::span<const HostChange> changes) = 0;
};

// As long as it is not stopped, its listener hears.
class Watch {
  public:
    virtual ~Watch() = default;
    // Returns at once; a call to the listener may be under way then, or still come.
    virtual void stop() = 0;
};

struct WatchRequest {
    File* directory{nullptr};  // open for whatever; may be closed once the Watch is there
    bool tree{false};          // also everything below it, as far as the back end's limits go
    // A change that is covered by several Watches with one listener is told once.
    std::shared_ptr<WatchListener> listener;
};

// Where a share's files are.  Two shares with one `store` may have the same files: the engine then
// keeps one set of share modes, locks, leases and watches for both.
struct Location {
    std::string store;  // names a set of files in which FileIds are unique
    std::string root;   // the share's root in it, as a path of its names; "" is all of it
};

// What a local open of a file may not do unnoticed, so that clients may cache what is in it.
enum class GuardLevel : std::uint8_t {
    none,
    read,   // open it for writing, or truncate it: what clients have read stays right
    write,  // open it at all: what clients have not written back yet is missed by nobody
};

// What a file is guarded to at some time.  Of two states of one file that with the higher number
// is the younger one; numbers are never used again.
struct GuardState {
    GuardLevel level{GuardLevel::none};
    std::uint64_t number{0};
};

// Hears that a guarded file is wanted by somebody else.  Thread: any; must not block.
class GuardListener {
  public:
    virtual ~GuardListener() = default;
    // From now on no more than state.level may be cached.  Whoever wants the file waits until
    // Share::guard_settled says that clients have given up the rest, or the system's patience ends.
    virtual void guard_broken(FileId file, GuardState state) = 0;
};

struct GuardRequest {
    GuardLevel level{GuardLevel::none};
    // The last one given for a file is the one that hears.
    std::shared_ptr<GuardListener> listener;
};

// A byte range that is locked, or no longer, for others than this server as well.
struct HostLock {
    Range range;
    bool exclusive{false};
};

struct Capabilities {
    bool case_insensitive{true};
    bool sparse_files{true};
    bool hard_links{true};
    bool named_streams{false};
    bool extended_attributes{false};
    bool persistent_acls{false};
    bool reparse_points{false};
    bool is_pipe{false};  // IPC$: SMB2_SHARE_TYPE_PIPE at tree connect
    bool read_only{false};
    // Set if the back end does everything as one identity, whoever is logged on: access checks by
    // owner and mode then go by it.
    std::shared_ptr<const Caller> acts_as;
    std::uint32_t max_io{8U << 20};
    // attributes and creation time are kept; else they are what the inode implies
    bool dos_attributes{true};
    bool block_cloning{false};  // File::copy_range knows CopyRequest::clone
    // Null: nobody else serves these files.
    std::shared_ptr<const Location> location;
};

// An open file or directory.  Thread: any operation from the loop of the request that makes it.
class File {
  public:
    virtual ~File() = default;

    virtual void close(const OpContext&, Done<void>) = 0;
    virtual void stat(const OpContext&, Done<FileStat>) = 0;
    virtual void set_stat(const OpContext&, const StatChange&, Done<void>) = 0;

    // Data.  A read that begins at or beyond the end yields 0; fewer bytes than asked only at the
    // end.
    virtual void read(const OpContext&, std::uint64_t offset, std::span<const ::iovec> into,
                      Done<std::size_t>);
    // All or an error; with `through` the data is on stable storage before `done`.  Offset
    // `append_offset` writes at the end.
    virtual void write(const OpContext&, std::uint64_t offset, std::span<const ::iovec> from,
                       bool through, Done<std::size_t>);
    virtual void flush(const OpContext&, Done<void>);
    virtual void set_size(const OpContext&, std::uint64_t end_of_file, Done<void>);
    // Reserves (or gives back) space; the end of file moves only if the new size is below it.
    virtual void allocate(const OpContext&, std::uint64_t allocation_size, Done<void>);
    virtual void allocated_ranges(const OpContext&, Range within, std::size_t max_ranges,
                                  Done<std::vector<Range>>);
    virtual void zero_range(const OpContext&, Range, Done<void>);  // a hole if the file is sparse

    // Directories.  One listing at a time for a File.
    virtual void list(const OpContext&, const ListRequest&, Done<DirBatch>);

    // [MS-DTYP] 2.4.6 security descriptor, self-relative.  NOT_SUPPORTED: the engine makes one from
    // owner and mode.
    virtual void get_security(const OpContext&, std::uint32_t security_information, Done<Buffer>);
    virtual void set_security(const OpContext&, std::uint32_t security_information, Bytes,
                              Done<void>);

    // Back-end specific control codes: FSCTL_PIPE_TRANSCEIVE and its like.
    virtual void control(const OpContext&, std::uint32_t code, Bytes input, std::size_t max_output,
                         Done<Buffer>);

    // True if the read or control that has just completed gave only the first part of a message and
    // the rest waits for the next read: the engine then answers STATUS_BUFFER_OVERFLOW with the
    // data.  Message pipes only.
    virtual bool read_incomplete() const { return false; }

    // -- since 1.1
    // Copies from another file, or from elsewhere in this one, without the data passing through the
    // engine. Yields how many bytes, at least 1 and perhaps fewer than asked: then it is asked
    // again for the rest; 0 if the source ends at the offset.  NOT_SUPPORTED: the engine reads and
    // writes instead; so for ranges of one file that overlap.  A clone is all or nothing:
    // NOT_SUPPORTED, or INVALID_PARAMETER if it is not aligned to the file system's blocks.
    virtual void copy_range(const OpContext&, const CopyRequest&, Done<std::uint64_t>);

    // -- since 1.2
    // Guards the file against others than this Share's users, to `level` at least if that can be
    // had; yields what it is guarded to then.  It stays so while any File of it is open, or until
    // guard_broken.  What this Share's users do themselves breaks nothing.  NOT_SUPPORTED: whatever
    // others do is not noticed.
    virtual void guard(const OpContext&, const GuardRequest&, Done<GuardState>);
    // Locks a range against others than this Share's users; among themselves the engine decides.
    // LOCK_NOT_GRANTED if somebody else has locked it; never waits for him.  The same range may be
    // locked more than once.
    virtual void host_lock(const OpContext&, const HostLock&, Done<void>);
    // Takes back one lock of this range, kind and File; RANGE_NOT_LOCKED if there is none (or it
    // was one that the host cannot have).  close() takes back those that are left.
    virtual void host_unlock(const OpContext&, const HostLock&, Done<void>);
};

inline constexpr std::uint64_t append_offset = ~std::uint64_t{0};

// A tree of files that is served under a share name.
class Share {
  public:
    virtual ~Share() = default;

    virtual Capabilities capabilities() const = 0;
    // A loop will (no longer) send operations: the place for per-loop state.  On that loop's
    // thread.
    virtual void attach(Loop&) {}
    virtual void detach(Loop&) {}

    virtual void open(const OpContext&, const OpenRequest&, Done<OpenReply>) = 0;
    // Removes the name `path` if it still names `id`.  A directory must be empty:
    // DIRECTORY_NOT_EMPTY.
    virtual void remove(const OpContext&, const std::string& path, FileId id, Done<void>);
    // Yields the new path as stored.
    virtual void rename(const OpContext&, const RenameRequest&, Done<std::string>);
    // A further name for an open file.
    virtual void link(const OpContext&, File&, const RenameRequest&, Done<void>);
    virtual void volume_info(const OpContext&, Done<VolumeInfo>);

    // -- since 1.1
    // Watches a directory for changes that are not made through this Share or another one of its
    // Location::store; those the engine reports itself.  They are told within 100 ms, in their
    // order.  What was changed before `done` may be missing.  NOT_SUPPORTED: nothing is told.
    virtual void watch(const OpContext&, const WatchRequest&, Done<std::shared_ptr<Watch>>);

    // -- since 1.2
    // The answer to guard_broken, with the same state: no more than its level is cached any more.
    // Returns at once, and may be called by guard_broken itself.
    virtual void guard_settled(FileId file, GuardState state);
};

// ---- defaults: "a back end without it"

inline void Cancellation::request() {
    while (guard_.test_and_set(std::memory_order_acquire)) {
    }
    requested_.store(true, std::memory_order_release);
    if (Listener listener = std::exchange(listener_, nullptr)) listener(context_);
    guard_.clear(std::memory_order_release);
}
inline bool Cancellation::listen(Listener listener, void* context) {
    while (guard_.test_and_set(std::memory_order_acquire)) {
    }
    const bool set = !requested_.load(std::memory_order_relaxed);
    if (set) {
        listener_ = listener;
        context_ = context;
    }
    guard_.clear(std::memory_order_release);
    return set;
}
inline void Cancellation::unlisten() {
    while (guard_.test_and_set(std::memory_order_acquire)) {
    }
    listener_ = nullptr;
    guard_.clear(std::memory_order_release);
}

inline void File::read(const OpContext&, std::uint64_t, std::span<const ::iovec>,
                       Done<std::size_t> done) {
    done(fail(NtStatus::INVALID_DEVICE_REQUEST));
}
inline void File::write(const OpContext&, std::uint64_t, std::span<const ::iovec>, bool,
                        Done<std::size_t> done) {
    done(fail(NtStatus::INVALID_DEVICE_REQUEST));
}
inline void File::flush(const OpContext&, Done<void> done) { done({}); }
inline void File::set_size(const OpContext&, std::uint64_t, Done<void> done) {
    done(fail(NtStatus::INVALID_DEVICE_REQUEST));
}
inline void File::allocate(const OpContext&, std::uint64_t, Done<void> done) {
    done(fail(NtStatus::INVALID_DEVICE_REQUEST));
}
inline void File::allocated_ranges(const OpContext&, Range, std::size_t,
                                   Done<std::vector<Range>> done) {
    done(fail(NtStatus::INVALID_DEVICE_REQUEST));
}
inline void File::zero_range(const OpContext&, Range, Done<void> done) {
    done(fail(NtStatus::INVALID_DEVICE_REQUEST));
}
inline void File::copy_range(const OpContext&, const CopyRequest&, Done<std::uint64_t> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void File::guard(const OpContext&, const GuardRequest&, Done<GuardState> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void File::host_lock(const OpContext&, const HostLock&, Done<void> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void File::host_unlock(const OpContext&, const HostLock&, Done<void> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void File::list(const OpContext&, const ListRequest&, Done<DirBatch> done) {
    done(fail(NtStatus::INVALID_DEVICE_REQUEST));
}
inline void File::get_security(const OpContext&, std::uint32_t, Done<Buffer> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void File::set_security(const OpContext&, std::uint32_t, Bytes, Done<void> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void File::control(const OpContext&, std::uint32_t, Bytes, std::size_t, Done<Buffer> done) {
    done(fail(NtStatus::INVALID_DEVICE_REQUEST));
}
inline void Share::remove(const OpContext&, const std::string&, FileId, Done<void> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void Share::rename(const OpContext&, const RenameRequest&, Done<std::string> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void Share::link(const OpContext&, File&, const RenameRequest&, Done<void> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void Share::volume_info(const OpContext&, Done<VolumeInfo> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}

inline void Share::watch(const OpContext&, const WatchRequest&, Done<std::shared_ptr<Watch>> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}
inline void Share::guard_settled(FileId, GuardState) {}

}  // namespace smb3d::vfs
