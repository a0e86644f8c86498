// PosixShare: remove, rename, link.
#include <array>
#include <cerrno>

#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "vfs_posix/errno_map.h"
#include "vfs_posix/file.h"
#include "vfs_posix/job.h"
#include "vfs_posix/share.h"

namespace smb3d::vfs_posix {
namespace {

#ifndef SYS_renameat2
constexpr long SYS_renameat2 = 316;
#endif

std::optional<struct ::statx> entry_stat(int directory, const std::string& name) {
    struct ::statx st {};
    if (::statx(directory, name.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) != 0) {
        return std::nullopt;
    }
    return st;
}

// Fails with EEXIST instead of replacing.  0 or errno.
int rename_to_free_name(int from, const std::string& old_name, int to, const std::string& name) {
    if (::syscall(SYS_renameat2, from, old_name.c_str(), to, name.c_str(), RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) return errno;
    // A file system without the flag (or a directory into itself, which the plain call refuses as
    // well).
    if (entry_stat(to, name)) return EEXIST;
    return ::renameat(from, old_name.c_str(), to, name.c_str()) == 0 ? 0 : errno;
}

std::string temporary_name() {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof(random), 0) != sizeof(random)) random = 0;
    return fmt::format(".smb3d-link-{:016x}", random);
}

}  // namespace

// A directory entry that is what the engine thinks it is.
struct PosixShare::Named {
    Parent parent;
    std::string name;  // on disk
    bool directory{false};
    vfs::FileId entry_id;  // of the entry itself: a link's own, not its target's
};

Result<PosixShare::Named> PosixShare::find_named(const std::string& path, vfs::FileId id) {
    const SplitPath split = split_path(path);
    if (split.leaf.empty()) return fail(NtStatus::ACCESS_DENIED);  // the share itself
    auto parent = resolver_.open_parent(split.parent, false);
    if (!parent) return fail(parent.error());
    auto name = resolver_.disk_name(split.leaf);
    if (!name) return fail(name.error());
    auto st = entry_stat(parent->fd.get(), *name);
    if (!st && errno != ENOENT) return fail_errno();
    if (!st && resolver_.worth_searching(split.leaf, false)) {
        if (auto real = resolver_.real_name(*parent, split.leaf)) {
            name = std::move(*real);
            st = entry_stat(parent->fd.get(), *name);
        }
    }
    if (!st) return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    if (id_of(*st) != id) {
        // A link that was followed when the file was opened stands for its target.
        if (!S_ISLNK(st->stx_mode)) return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
        const UniqueFd target =
            resolver_.open_below(join_path(parent->path, *name), O_PATH, Blocking::may);
        struct ::statx target_st {};
        if (!target ||
            ::statx(target.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &target_st) != 0 ||
            id_of(target_st) != id) {
            return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
    }
    return Named{std::move(*parent), std::move(*name), S_ISDIR(st->stx_mode), id_of(*st)};
}

// The same from the kernel's caches, for a file (or nothing else than that) under the very name.
std::optional<PosixShare::Named> PosixShare::find_named_cached(const std::string& path,
                                                               vfs::FileId id) {
    const SplitPath split = split_path(path);
    if (split.leaf.empty()) return std::nullopt;
    auto name = resolver_.disk_name(split.leaf);
    if (!name) return std::nullopt;
    auto parent = resolver_.open_parent_cached(split.parent);
    if (!parent) return std::nullopt;
    const auto st = entry_stat(parent->fd.get(), *name);
    if (!st || !S_ISREG(st->stx_mode) || id_of(*st) != id) return std::nullopt;
    return Named{std::move(*parent), std::move(*name), false, id};
}

// ---- remove

void PosixShare::remove(const vfs::OpContext& context, const std::string& path, vfs::FileId id,
                        vfs::Done<void> done) {
    if (runs_inline(context)) {
        if (auto result = remove_inline(context, path, id)) return done(std::move(*result));
    }
    run_blocking(context, done,
                 [this, &context, &path, id] { return remove_blocking(context, path, id); });
}

Result<void> PosixShare::remove_blocking(const vfs::OpContext& context, const std::string& path,
                                         vfs::FileId id) {
    SMB3D_TRY(wear(context));
    if (options_.read_only) return fail(NtStatus::MEDIA_WRITE_PROTECTED);
    const auto named = find_named(path, id);
    if (!named) return fail(named.error());
    return remove_entry(*named);
}

Result<void> PosixShare::remove_entry(const Named& named) {
    DirectoryChange change(resolver_.cache(), named.parent);
    if (::unlinkat(named.parent.fd.get(), named.name.c_str(), named.directory ? AT_REMOVEDIR : 0) !=
        0) {
        if (errno == EEXIST)
            return fail(NtStatus::DIRECTORY_NOT_EMPTY);  // as some file systems say
        return fail_errno();
    }
    change.removed(named.name);
    resolver_.own().forget({named.entry_id.volume, named.entry_id.inode});
    if (named.directory) {
        resolver_.cache().forget({named.entry_id.volume, named.entry_id.inode});
    }
    return {};
}

// A file's name, which the kernel has in its cache: nothing to wait for, as a rule.  nullopt: for a
// worker.
std::optional<Result<void>> PosixShare::remove_inline(const vfs::OpContext& context,
                                                      const std::string& path, vfs::FileId id) {
    if (options_.read_only) return std::nullopt;
    if (Result<void> worn = wear(context); !worn) return worn;
    const std::optional<Named> named = find_named_cached(path, id);
    if (!named) return std::nullopt;
    const Pace::Watch watch(pace_);
    return remove_entry(*named);
}

// ---- rename

void PosixShare::rename(const vfs::OpContext& context, const vfs::RenameRequest& request,
                        vfs::Done<std::string> done) {
    if (runs_inline(context)) {
        if (auto result = rename_inline(context, request)) return done(std::move(*result));
    }
    run_blocking(context, done,
                 [this, &context, &request] { return rename_blocking(context, request); });
}

Result<std::string> PosixShare::rename_blocking(const vfs::OpContext& context,
                                                const vfs::RenameRequest& request) {
    SMB3D_TRY(wear(context));
    if (options_.read_only) return fail(NtStatus::MEDIA_WRITE_PROTECTED);
    auto from = find_named(request.from, request.id);
    if (!from) return fail(from.error());
    const SplitPath split = split_path(request.to);
    if (split.leaf.empty()) return fail(NtStatus::OBJECT_NAME_COLLISION);
    auto to = resolver_.open_parent(split.parent, false);
    if (!to) return fail(to.error());
    auto name = resolver_.disk_name(split.leaf);
    if (!name) return fail(name.error());
    std::optional<std::string> existing;
    if (entry_stat(to->fd.get(), *name)) {
        existing = *name;
    } else if (resolver_.worth_searching(split.leaf, false)) {
        existing = resolver_.real_name(*to, split.leaf);
    }
    SMB3D_TRY(move_entry(*from, *to, *name, existing, request.replace));
    return resolver_.client_path(join_path(to->path, *name));
}

// A file to a name that is free, both directories in the kernel's cache and their names known.
// nullopt: for a worker.
std::optional<Result<std::string>> PosixShare::rename_inline(const vfs::OpContext& context,
                                                             const vfs::RenameRequest& request) {
    if (options_.read_only) return std::nullopt;
    if (Result<void> worn = wear(context); !worn) return Result<std::string>(fail(worn.error()));
    std::optional<Named> from = find_named_cached(request.from, request.id);
    if (!from) return std::nullopt;
    const SplitPath split = split_path(request.to);
    if (split.leaf.empty()) return std::nullopt;
    auto name = resolver_.disk_name(split.leaf);
    std::optional<Parent> elsewhere;
    if (split.parent != split_path(request.from).parent) {
        elsewhere = resolver_.open_parent_cached(split.parent);
        if (!elsewhere) return std::nullopt;
    }
    Parent& to = elsewhere ? *elsewhere : from->parent;
    if (!name) return std::nullopt;
    if (resolver_.worth_searching(split.leaf, false) && !resolver_.known_absent(to, split.leaf)) {
        return std::nullopt;
    }
    const Pace::Watch watch(pace_);
    const Result<void> moved = move_entry(*from, to, *name, std::nullopt, request.replace);
    // The name is not free: what may be replaced is for the other way to say.
    if (!moved && moved.error() == NtStatus::OBJECT_NAME_COLLISION) return std::nullopt;
    if (!moved) return Result<std::string>(fail(moved.error()));
    return Result<std::string>(resolver_.client_path(join_path(to.path, *name)));
}

Result<void> PosixShare::move_entry(Named& from, Parent& to, const std::string& name,
                                    const std::optional<std::string>& existing, bool replace) {
    const bool same_entry = existing && from.parent.key == to.key && *existing == from.name;
    if (same_entry && name == from.name) return {};
    if (existing && !same_entry) {
        if (!replace) return fail(NtStatus::OBJECT_NAME_COLLISION);
        return replace_entry(from, to, name, *existing);
    }
    DirectoryChange old_place(resolver_.cache(), from.parent);
    std::optional<DirectoryChange> other_place;
    if (&to != &from.parent) other_place.emplace(resolver_.cache(), to);
    const int error = rename_to_free_name(from.parent.fd.get(), from.name, to.fd.get(), name);
    if (error != 0) return fail_errno(error);
    old_place.removed(from.name);
    (other_place ? *other_place : old_place).added(name);
    return {};
}

// [MS-FSA] 2.1.5.15.11: a target that is a directory is never replaced.
Result<void> PosixShare::replace_entry(Named& from, Parent& to, const std::string& name,
                                       const std::string& existing) {
    const auto target = entry_stat(to.fd.get(), existing);
    if (target && S_ISDIR(target->stx_mode)) return fail(NtStatus::ACCESS_DENIED);
    DirectoryChange old_place(resolver_.cache(), from.parent);
    DirectoryChange new_place(resolver_.cache(), to);
    if (target && id_of(*target) == from.entry_id) {
        // Two names of one file: rename(2) would keep both.
        if (::unlinkat(from.parent.fd.get(), from.name.c_str(), 0) != 0) return fail_errno();
        old_place.removed(from.name);
    } else if (from.directory) {
        // rename(2) does not put a directory in a file's place.
        if (target && ::unlinkat(to.fd.get(), existing.c_str(), 0) != 0) return fail_errno();
        new_place.removed(existing);
        const int error = rename_to_free_name(from.parent.fd.get(), from.name, to.fd.get(), name);
        if (error != 0) return fail_errno(error);
        old_place.removed(from.name);
        new_place.added(name);
        return {};
    } else {
        if (::renameat(from.parent.fd.get(), from.name.c_str(), to.fd.get(), existing.c_str()) !=
            0) {
            return fail_errno();
        }
        old_place.removed(from.name);
        new_place.added(existing);
        if (target) resolver_.own().forget(key_of(*target));
    }
    if (existing == name) return {};
    const int error = rename_to_free_name(to.fd.get(), existing, to.fd.get(), name);
    if (error != 0) return fail_errno(error);
    new_place.removed(existing);
    new_place.added(name);
    return {};
}

// ---- link

void PosixShare::link(const vfs::OpContext& context, vfs::File& file,
                      const vfs::RenameRequest& request, vfs::Done<void> done) {
    auto* posix_file = dynamic_cast<PosixFile*>(&file);
    if (posix_file == nullptr) return done(fail(NtStatus::INVALID_PARAMETER));
    run_blocking(context, done, [this, &context, posix_file, &request] {
        return link_blocking(context, *posix_file, request);
    });
}

Result<void> PosixShare::link_blocking(const vfs::OpContext& context, PosixFile& file,
                                       const vfs::RenameRequest& request) {
    SMB3D_TRY(wear(context));
    if (options_.read_only) return fail(NtStatus::MEDIA_WRITE_PROTECTED);
    if (file.traits().kind == vfs::FileKind::directory) return fail(NtStatus::FILE_IS_A_DIRECTORY);
    const SplitPath split = split_path(request.to);
    if (split.leaf.empty()) return fail(NtStatus::OBJECT_NAME_COLLISION);
    auto to = resolver_.open_parent(split.parent, false);
    if (!to) return fail(to.error());
    auto name = resolver_.disk_name(split.leaf);
    if (!name) return fail(name.error());
    std::optional<std::string> existing;
    auto target = entry_stat(to->fd.get(), *name);
    if (target) {
        existing = *name;
    } else if (resolver_.worth_searching(split.leaf, false)) {
        existing = resolver_.real_name(*to, split.leaf);
        if (existing) target = entry_stat(to->fd.get(), *existing);
    }
    if (existing && !request.replace) return fail(NtStatus::OBJECT_NAME_COLLISION);
    if (target && S_ISDIR(target->stx_mode)) return fail(NtStatus::ACCESS_DENIED);

    DirectoryChange change(resolver_.cache(), *to);
    // linkat with AT_EMPTY_PATH needs a capability; through /proc it needs the caller's rights
    // only.
    const auto link_as = [&](const std::string& as) {
        return ::linkat(AT_FDCWD, ProcPath(file.fd()).c_str(), to->fd.get(), as.c_str(),
                        AT_SYMLINK_FOLLOW) == 0;
    };
    if (!existing) {
        if (!link_as(*name)) return fail_errno();
        change.added(*name);
        return {};
    }
    // Never without one of the two: the new link gets a name of its own and then replaces.
    const std::string temporary = temporary_name();
    if (!link_as(temporary)) return fail_errno();
    const bool renamed =
        ::renameat(to->fd.get(), temporary.c_str(), to->fd.get(), name->c_str()) == 0;
    const int error = errno;
    // rename(2) does nothing if both were names of one file already.
    ::unlinkat(to->fd.get(), temporary.c_str(), 0);
    if (!renamed) return fail_errno(error);
    change.added(*name);
    if (*existing != *name) {
        ::unlinkat(to->fd.get(), existing->c_str(), 0);
        change.removed(*existing);
    }
    return {};
}

}  // namespace smb3d::vfs_posix
