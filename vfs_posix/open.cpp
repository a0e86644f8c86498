// PosixShare::open: existing files from the kernel's caches on the loop, the rest on a worker.
#include <algorithm>
#include <cerrno>
#include <chrono>

#include <sys/stat.h>

#include "vfs_posix/errno_map.h"
#include "vfs_posix/file.h"
#include "vfs_posix/job.h"
#include "vfs_posix/share.h"

namespace smb3d::vfs_posix {
namespace {

using vfs::Disposition;
using vfs::OpenReply;
using vfs::OpenRequest;
using vfs::WantKind;

// A name that comes and goes while we look (or a dangling link, which never becomes what is asked
// for).
constexpr int open_attempts = 32;

// [proc(5)] lease-break-time is 45 s.
constexpr int lease_attempts = 1500;
constexpr std::chrono::milliseconds lease_interval(30);

bool wants_data(const OpenRequest& request) {
    return (request.access & (vfs::access_read_data | vfs::access_write_data)) != 0;
}

std::uint64_t data_flags(std::uint32_t access) {
    const bool reads = (access & vfs::access_read_data) != 0;
    const bool writes = (access & vfs::access_write_data) != 0;
    // O_NONBLOCK: neither a FIFO nor somebody's lease may hold a thread up.
    return static_cast<std::uint64_t>(writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY) |
           O_NONBLOCK | O_NOCTTY;
}

}  // namespace

// An open on a worker, again and again while somebody's lease is in the way: whoever holds it has
// been asked to give it up.
class PatientOpen {
  public:
    PatientOpen(PosixShare& share, const vfs::OpContext& context, const OpenRequest& request,
                bool missing, vfs::Done<OpenReply> done)
        : share_(share), context_(context), request_(request), missing_(missing), done_(done) {
        retry_.run = [](Work* work) { owner(work)->wait(); };
        retry_.owner = this;
        timer_.fire = [](Timer* timer) { owner(timer)->start(); };
        timer_.owner = this;
    }

    void start() {
        run_blocking(context_, vfs::Done<OpenReply>(&PatientOpen::tried, this),
                     [this] { return share_.open_blocking(context_, request_, missing_); });
    }

  private:
    struct OwnWork : Work {
        PatientOpen* owner{nullptr};
    };
    struct OwnTimer : Timer {
        PatientOpen* owner{nullptr};
    };
    static PatientOpen* owner(Work* work) { return static_cast<OwnWork*>(work)->owner; }
    static PatientOpen* owner(Timer* timer) { return static_cast<OwnTimer*>(timer)->owner; }

    static void tried(void* context, Result<OpenReply>&& result) {
        auto* self = static_cast<PatientOpen*>(context);
        const bool held = !result && result.error() == NtStatus::OPLOCK_BREAK_IN_PROGRESS;
        const vfs::Cancellation* const cancel = self->context_.cancel;
        const bool cancelled = cancel != nullptr && cancel->requested();
        if (held && !cancelled && self->context_.loop != nullptr &&
            ++self->attempts_ < lease_attempts) {
            return self->context_.loop->post(self->retry_);
        }
        if (held) result = fail(cancelled ? NtStatus::CANCELLED : NtStatus::SHARING_VIOLATION);
        const vfs::Done<OpenReply> done = self->done_;
        delete self;
        done(std::move(result));
    }
    void wait() { context_.loop->arm(timer_, lease_interval); }

    PosixShare& share_;
    const vfs::OpContext& context_;
    const OpenRequest& request_;
    const bool missing_;
    const vfs::Done<OpenReply> done_;
    int attempts_{0};
    OwnWork retry_;
    OwnTimer timer_;
};

void PosixShare::open(const vfs::OpContext& context, const OpenRequest& request,
                      vfs::Done<OpenReply> done) {
    if (options_.read_only && (request.access & vfs::access_write_data) != 0) {
        return done(fail(NtStatus::MEDIA_WRITE_PROTECTED));
    }
    bool missing = false;
    if (context.loop != nullptr && !traits_.remote && request.disposition != Disposition::create) {
        if (auto result = open_cached(context, request)) return done(std::move(*result));
        missing = errno == ENOENT;
    }
    if (request.disposition != Disposition::open && runs_inline(context)) {
        if (auto result = create_inline(context, request)) return done(std::move(*result));
    }
    (new PatientOpen(*this, context, request, missing, done))->start();
}

// What the kernel's dentry cache answers without waiting; nullopt: ask a worker, with ENOENT in
// errno if the name is not there as it was written.
std::optional<Result<OpenReply>> PosixShare::open_cached(const vfs::OpContext& context,
                                                         const OpenRequest& request) {
    if (Result<void> worn = wear(context); !worn) return Result<OpenReply>(fail(worn.error()));
    auto path = resolver_.disk_path(request.path);
    if (!path) return Result<OpenReply>(fail(path.error()));
    Opened opened = open_existing(*path, request, Blocking::never);
    if (opened.fd) return finish_open(std::move(opened), std::move(*path), request);
    const int error = errno;
    if (request.disposition == Disposition::open &&
        ((error == ENOENT && missing_for_sure(request)) ||
         (error == EAGAIN && runs_inline(context) && proves_missing(request)))) {
        return Result<OpenReply>(fail(NtStatus::OBJECT_NAME_NOT_FOUND));
    }
    errno = error;
    return std::nullopt;
}

// A name that the kernel's cache has nothing about (one that was just renamed, for instance) in a
// directory whose names we know not to have it.  The kernel is asked all the same: a foreign
// change may be younger than what we know.
bool PosixShare::proves_missing(const OpenRequest& request) {
    const SplitPath split = split_path(request.path);
    if (split.leaf.empty()) return false;
    const std::optional<Parent> parent = resolver_.open_parent_cached(split.parent);
    if (!parent || !resolver_.known_absent(*parent, split.leaf)) return false;
    const auto name = resolver_.disk_name(split.leaf);
    if (!name) return false;
    const Pace::Watch watch(pace_);
    struct ::stat st {};
    return ::fstatat(parent->fd.get(), name->c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 &&
           errno == ENOENT;
}

bool PosixShare::missing_for_sure(const OpenRequest& request) {
    const SplitPath split = split_path(request.path);
    const std::optional<Parent> parent = resolver_.open_parent_cached(split.parent);
    if (!parent) return false;
    return !resolver_.worth_searching(split.leaf, request.exact_case) ||
           resolver_.known_absent(*parent, split.leaf);
}

// A new name in a directory that the kernel has in its cache and whose names we know: nothing to
// wait for, as a rule.  nullopt: for a worker.
std::optional<Result<OpenReply>> PosixShare::create_inline(const vfs::OpContext& context,
                                                           const OpenRequest& request) {
    if (request.create_allocation != 0) return std::nullopt;
    const SplitPath split = split_path(request.path);
    if (split.leaf.empty()) return std::nullopt;
    if (Result<void> worn = wear(context); !worn) return Result<OpenReply>(fail(worn.error()));
    std::optional<Parent> parent = resolver_.open_parent_cached(split.parent);
    if (!parent) return std::nullopt;
    if (resolver_.worth_searching(split.leaf, request.exact_case) &&
        !resolver_.known_absent(*parent, split.leaf)) {
        return std::nullopt;
    }
    const Pace::Watch watch(pace_);
    return create_new(*parent, split.leaf, request);
}

Result<OpenReply> PosixShare::open_blocking(const vfs::OpContext& context,
                                            const OpenRequest& request, bool missing) {
    SMB3D_TRY(wear(context));
    for (int attempt = 0; attempt < open_attempts; ++attempt) {
        if (auto result = open_attempt(request, missing && attempt == 0)) return std::move(*result);
    }
    // Something has the name but cannot be opened: a link to nowhere that we will not create
    // through.
    return fail(NtStatus::ACCESS_DENIED);
}

// One look at the tree; nullopt if it changed under us.  `missing`: the name was not there as
// written a moment ago.
std::optional<Result<OpenReply>> PosixShare::open_attempt(const OpenRequest& request,
                                                          bool missing) {
    auto path = resolver_.disk_path(request.path);
    if (!path) return Result<OpenReply>(fail(path.error()));
    if (request.disposition != Disposition::create && !missing) {
        Opened opened = open_existing(*path, request, Blocking::may);
        if (opened.fd) return finish_open(std::move(opened), std::move(*path), request);
        if (!is_missing(errno)) return open_failed(errno, *path, request);
        if (errno == ENOTDIR && request.kind == WantKind::directory) {
            // Either the last component is a file, or a parent is.
            auto result = open_failed(ENOTDIR, *path, request);
            if (result.error() == NtStatus::NOT_A_DIRECTORY) return result;
        }
    }
    const SplitPath split = split_path(request.path);
    if (split.leaf.empty()) {
        return Result<OpenReply>(fail(request.disposition == Disposition::create
                                          ? NtStatus::OBJECT_NAME_COLLISION
                                          : NtStatus::OBJECT_NAME_NOT_FOUND));
    }
    auto parent = resolver_.open_parent(split.parent, request.exact_case);
    if (!parent) return Result<OpenReply>(fail(parent.error()));
    if (resolver_.worth_searching(split.leaf, request.exact_case)) {
        const std::optional<std::string> name = resolver_.real_name(*parent, split.leaf);
        if (name) return open_found(*parent, *name, request);
    } else if (parent->path != split_path(*path).parent &&
               request.disposition != Disposition::create) {
        // The parent's case differed, so the first try said nothing about this name.
        auto leaf = resolver_.disk_name(split.leaf);
        if (!leaf) return Result<OpenReply>(fail(leaf.error()));
        struct ::stat st {};
        if (::fstatat(parent->fd.get(), leaf->c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
            return open_found(*parent, *leaf, request);
        }
    }
    if (request.disposition == Disposition::open) {
        return Result<OpenReply>(fail(NtStatus::OBJECT_NAME_NOT_FOUND));
    }
    return create_new(*parent, split.leaf, request);
}

// An entry that the directory is known to have, perhaps in another case than asked for.
std::optional<Result<OpenReply>> PosixShare::open_found(Parent& parent, const std::string& name,
                                                        const OpenRequest& request) {
    std::string path = join_path(parent.path, name);
    if (request.disposition != Disposition::create) {
        Opened opened = open_existing(path, request, Blocking::may);
        if (opened.fd) return finish_open(std::move(opened), std::move(path), request);
        if (errno == ENOTDIR) return open_failed(ENOTDIR, path, request);
        if (!is_missing(errno)) return open_failed(errno, path, request);
    }
    struct ::stat st {};
    if (::fstatat(parent.fd.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
        resolver_.cache().forget(parent.key);  // gone meanwhile
        return std::nullopt;
    }
    switch (request.disposition) {
        case Disposition::create:
            return Result<OpenReply>(fail(NtStatus::OBJECT_NAME_COLLISION));
        case Disposition::open_or_create:
            return Result<OpenReply>(fail(NtStatus::ACCESS_DENIED));
        case Disposition::open:
            break;
    }
    // A link that leads nowhere or out of the share: as if it was not there (CVE-2021-44141).
    return Result<OpenReply>(fail(NtStatus::OBJECT_NAME_NOT_FOUND));
}

// Opens with the least that serves: O_PATH for attributes, a readable descriptor for listing, else
// what is asked for. On failure errno tells why.
Opened PosixShare::open_existing(const std::string& path, const OpenRequest& request,
                                 Blocking blocking) {
    const std::uint64_t follow = request.open_reparse_point ? O_NOFOLLOW : 0;
    const bool reads = (request.access & vfs::access_read_data) != 0;
    const auto open = [&](std::uint64_t flags, bool path_only, bool writable) {
        return Opened{resolver_.open_below(path, flags, blocking), path_only, writable};
    };
    const auto open_directory = [&] {
        if (reads) return open(O_RDONLY | O_DIRECTORY | O_NONBLOCK | follow, false, false);
        return open(O_PATH | O_DIRECTORY | follow, true, false);
    };
    if (request.kind == WantKind::directory) return open_directory();
    if (!wants_data(request)) return open(O_PATH | follow, true, false);
    if (open_files_->any_pinned()) {
        std::optional<Opened> shared = open_shared(path, request, blocking, follow);
        if (shared) return std::move(*shared);
    }
    const bool writes = (request.access & vfs::access_write_data) != 0;
    Opened opened = open(data_flags(request.access) | follow, false, writes);
    if (opened.fd) return opened;
    // [open(2)] EISDIR: a directory opened for writing, which to a client means to create files in
    // it.
    if (errno == EISDIR && request.kind == WantKind::any) return open_directory();
    if (errno == ELOOP && request.open_reparse_point) return open(O_PATH | follow, true, false);
    return opened;
}

// Nothing may be opened anew of a file that is guarded or locked: our own open would break our own
// lease.  nullopt: it is neither, or not there.
std::optional<Opened> PosixShare::open_shared(const std::string& path, const OpenRequest& request,
                                              Blocking blocking, std::uint64_t follow) {
    const UniqueFd probe = resolver_.open_below(path, O_PATH | follow, blocking);
    struct ::statx st {};
    if (!probe || ::statx(probe.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
                          STATX_TYPE | STATX_INO, &st) != 0) {
        return std::nullopt;
    }
    if (!S_ISREG(st.stx_mode)) return std::nullopt;
    const bool reads = (request.access & vfs::access_read_data) != 0;
    const bool writes = (request.access & vfs::access_write_data) != 0;
    if (!may_access(probe.get(), (reads ? R_OK : 0) | (writes ? W_OK : 0))) return std::nullopt;
    UniqueFd fd = open_files_->share(key_of(st), probe.get(), {reads, writes});
    if (!fd && errno == ENOENT) return std::nullopt;
    const bool shared = static_cast<bool>(fd);
    return Opened{std::move(fd), false, writes, shared, key_of(st)};
}

Result<OpenReply> PosixShare::open_failed(int error, const std::string& path,
                                          const OpenRequest& request) const {
    if (error == ENOTDIR && request.kind == WantKind::directory) {
        // [MS-FSA] 2.1.5.1: STATUS_NOT_A_DIRECTORY if it is the last component that is none.
        if (resolver_.open_below(path, O_PATH, Blocking::may)) {
            return fail(NtStatus::NOT_A_DIRECTORY);
        }
        return fail(NtStatus::OBJECT_PATH_NOT_FOUND);
    }
    // A lease that another server (or another share of this one) holds on the file and is asked to
    // give up.
    if (error == EAGAIN) return fail(NtStatus::OPLOCK_BREAK_IN_PROGRESS);
    return fail_errno(error);
}

Result<OpenReply> PosixShare::finish_open(Opened&& opened, std::string path_on_disk,
                                          const OpenRequest& request) {
    const std::string_view name = split_path(path_on_disk).leaf;
    const auto refuse = [&](NtStatus status) {
        if (opened.shared) open_files_->remove(opened.key, opened.fd.get());
        return fail(status);
    };
    const auto stat = stat_fd(opened.fd.get(), opened.path_only, name, true);
    if (!stat) return refuse(stat.error());
    const bool directory = stat->kind == vfs::FileKind::directory;
    if (directory && request.kind == WantKind::file) return refuse(NtStatus::FILE_IS_A_DIRECTORY);
    if (!directory && request.kind == WantKind::directory) return refuse(NtStatus::NOT_A_DIRECTORY);
    // Devices, FIFOs and sockets can be seen and removed, but not used.
    if (stat->kind == vfs::FileKind::other && !opened.path_only) {
        return refuse(NtStatus::ACCESS_DENIED);
    }
    return make_reply(std::move(opened), std::move(path_on_disk), request, *stat);
}

// Whether it counts for the kernel's leases and locks, and these are wanted.
bool PosixShare::tracks(const Opened& opened, const vfs::FileStat& stat) const {
    return (options_.host_leases || options_.host_locks) && !opened.path_only &&
           stat.kind == vfs::FileKind::file;
}

OpenReply PosixShare::make_reply(Opened&& opened, std::string path_on_disk,
                                 const OpenRequest& request, const vfs::FileStat& stat) {
    OpenReply reply;
    reply.stat = stat;
    reply.path = resolver_.client_path(path_on_disk);
    FileTraits traits;
    traits.kind = stat.kind;
    traits.path_only = opened.path_only;
    traits.writable = opened.writable && stat.kind != vfs::FileKind::directory;
    traits.access = request.access;
    traits.write_through = request.write_through;
    traits.rights = stat.rights;
    traits.key = {stat.id.volume, stat.id.inode};
    traits.tracked = opened.shared || tracks(opened, stat);
    if (traits.tracked && !opened.shared) {
        open_files_->add(traits.key, opened.fd.get(),
                         {(request.access & vfs::access_read_data) != 0, opened.writable},
                         traits_.distinct_stamps);
    }
    reply.file = std::make_shared<PosixFile>(shared_from_this(), std::move(opened.fd), traits,
                                             std::move(path_on_disk));
    return reply;
}

// ---- creation

// nullopt: somebody else was faster.
std::optional<Result<OpenReply>> PosixShare::create_new(Parent& parent, std::string_view leaf,
                                                        const OpenRequest& request) {
    if (options_.read_only) return Result<OpenReply>(fail(NtStatus::MEDIA_WRITE_PROTECTED));
    auto name = resolver_.disk_name(leaf);
    if (!name) return Result<OpenReply>(fail(name.error()));
    const bool directory = request.kind == WantKind::directory;
    DirectoryChange change(resolver_.cache(), parent);
    Opened opened =
        directory ? make_directory(parent, *name, request) : make_file(parent, *name, request);
    if (!opened.fd) {
        if (errno != EEXIST) return Result<OpenReply>(fail_errno());
        if (request.disposition == Disposition::create) {
            return Result<OpenReply>(fail(NtStatus::OBJECT_NAME_COLLISION));
        }
        return std::nullopt;
    }
    change.added(*name);
    const Result<vfs::FileStat> stat = dress_created(opened, request, *name);
    if (!stat) {
        ::unlinkat(parent.fd.get(), name->c_str(), directory ? AT_REMOVEDIR : 0);
        change.removed(*name);
        return Result<OpenReply>(fail(stat.error()));
    }
    OpenReply reply = make_reply(std::move(opened), join_path(parent.path, *name), request, *stat);
    reply.created = true;
    return Result<OpenReply>(std::move(reply));
}

Opened PosixShare::make_file(const Parent& parent, const std::string& name,
                             const OpenRequest& request) const {
    // O_EXCL makes `created` certain and follows no link.
    const bool writes = (request.access & vfs::access_write_data) != 0;
    const std::uint64_t flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK |
                                static_cast<std::uint64_t>(writes ? O_RDWR : O_RDONLY);
    return {UniqueFd(openat2(parent.fd.get(), name.c_str(), flags, options_.file_mode & 07777,
                             RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)),
            false, writes};
}

Opened PosixShare::make_directory(const Parent& parent, const std::string& name,
                                  const OpenRequest& request) const {
    if (::mkdirat(parent.fd.get(), name.c_str(), options_.directory_mode & 07777) != 0) return {};
    constexpr std::uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    const bool reads = (request.access & vfs::access_read_data) != 0;
    const std::uint64_t mode = reads ? O_RDONLY : O_PATH;
    return {UniqueFd(openat2(parent.fd.get(), name.c_str(), mode | O_DIRECTORY | O_NOFOLLOW, 0,
                             resolve)),
            !reads, false};
}

// Attributes and reserved space of a file that was just made, and what a stat then shows.
Result<vfs::FileStat> PosixShare::dress_created(const Opened& opened, const OpenRequest& request,
                                                std::string_view name) {
    const bool directory = request.kind == WantKind::directory;
    if (!directory && request.create_allocation > 0 && opened.writable) {
        const auto size =
            static_cast<off_t>(std::min<std::uint64_t>(request.create_allocation, INT64_MAX));
        if (::fallocate(opened.fd.get(), FALLOC_FL_KEEP_SIZE, 0, size) != 0 &&
            (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
            return fail(NtStatus::DISK_FULL);
        }
    }
    struct ::statx st {};
    if (::statx(opened.fd.get(), "", AT_EMPTY_PATH, stat_mask, &st) != 0) return fail_errno();
    resolver_.own().touch(key_of(st));
    std::optional<DosAttrib> dos;
    if (options_.store_dos_attributes && traits_.user_xattrs) {
        dos = store_created(opened, request, st);
    }
    if (directory) {
        // What storing the attribute has made of the change time is what a lookup will see.
        struct ::statx now {};
        if (::statx(opened.fd.get(), "", AT_EMPTY_PATH, stat_mask, &now) == 0) {
            resolver_.cache().install_empty(key_of(now), stamp_of(now));
        }
    }
    return make_stat(st, dos, name);
}

// What is in the attribute now.
std::optional<DosAttrib> PosixShare::store_created(const Opened& opened, const OpenRequest& request,
                                                   const struct ::statx& st) const {
    const bool directory = request.kind == WantKind::directory;
    // [MS-FSA] 2.1.5.1.1: a new file has FILE_ATTRIBUTE_ARCHIVE.
    std::uint32_t attributes = request.create_attributes & kept_attributes(directory);
    attributes &= ~attribute_sparse;
    if (!directory) attributes |= attribute_archive;
    const bool has_birth_time = (st.stx_mask & STATX_BTIME) != 0;
    if (attributes == 0 && has_birth_time) return std::nullopt;  // what the inode implies
    DosAttrib dos;
    dos.attributes = attributes | (directory ? attribute_directory : 0U);
    dos.creation_time = to_file_time(has_birth_time ? st.stx_btime : st.stx_mtime);
    const auto value = build_dos_attrib(dos);
    // Without room for it the file is still the file that was asked for.
    if (set_xattr(opened.fd.get(), opened.path_only, dos_attrib_name, value.data(), value.size()) !=
        0) {
        return std::nullopt;
    }
    return dos;
}

}  // namespace smb3d::vfs_posix
