#include "vfs_posix/resolve.h"

#include <cerrno>
#include <chrono>
#include <memory>

#include "vfs_posix/dir_reader.h"
#include "vfs_posix/errno_map.h"
#include "vfs_posix/name_map.h"

namespace smb3d::vfs_posix {
namespace {

// PATH_MAX is 4096 with the NUL; a longer path goes in several steps.
constexpr std::size_t longest_step = 4000;
constexpr int resolve_attempts = 32;
constexpr std::uint64_t directory_flags = O_PATH | O_DIRECTORY;

std::string fold_ascii(std::string_view name) {
    std::string out(name);
    for (char& c : out) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return out;
}

std::string fold_nothing(std::string_view name) { return std::string(name); }

DirCache::Fold choose_fold(const PosixOptions& options) {
    if (options.case_sensitive) return &fold_nothing;
    return options.fold != nullptr ? options.fold : &fold_ascii;
}

bool stat_directory(Parent& parent) {
    struct ::statx st {};
    if (::statx(parent.fd.get(), "", AT_EMPTY_PATH, stat_mask, &st) != 0) return false;
    parent.key = key_of(st);
    parent.stamp = stamp_of(st);
    return true;
}

std::uint64_t monotonic_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds(1));
}

}  // namespace

SplitPath split_path(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {{}, path};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string join_path(std::string_view parent, std::string_view leaf) {
    std::string out;
    out.reserve(parent.size() + 1 + leaf.size());
    out.append(parent);
    if (!parent.empty()) out.push_back('/');
    out.append(leaf);
    return out;
}

Resolver::Resolver(UniqueFd root, const PosixOptions& options)
    : root_(std::move(root)),
      resolve_flags_(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
                     (options.symlinks == Symlinks::refuse ? RESOLVE_NO_SYMLINKS : 0)),
      case_sensitive_(options.case_sensitive),
      map_names_(options.map_names),
      cache_(choose_fold(options), options.map_names, options.name_cache_bytes) {
    cache_.set_own(own_.get());
}

UniqueFd Resolver::open_below(const std::string& path, std::uint64_t flags,
                              Blocking blocking) const {
    const bool cached = blocking == Blocking::never;
    const std::uint64_t resolve = resolve_flags_ | (cached ? RESOLVE_CACHED : 0);
    const char* rest = path.empty() ? "." : path.c_str();
    std::size_t rest_size = path.size();
    UniqueFd step;
    while (rest_size > longest_step) {
        if (cached) {
            errno = EAGAIN;
            return {};
        }
        const std::size_t slash = std::string_view(rest, longest_step).rfind('/');
        if (slash == std::string_view::npos) break;  // one endless component: the kernel says so
        const std::string part(rest, slash);
        UniqueFd next(
            openat2(step ? step.get() : root(), part.c_str(), directory_flags, 0, resolve));
        if (!next) return {};
        step = std::move(next);
        rest += slash + 1;
        rest_size -= slash + 1;
    }
    const int base = step ? step.get() : root();
    for (int attempt = 1;; ++attempt) {
        UniqueFd fd(openat2(base, rest, flags, 0, resolve));
        // [openat2(2)] EAGAIN: a rename raced with "..", or a lease is being broken.
        if (fd || errno != EAGAIN || cached || attempt == resolve_attempts) return fd;
    }
}

Result<Parent> Resolver::open_parent(std::string_view path, bool exact_case) {
    auto on_disk = disk_path(path);
    if (!on_disk) return fail(on_disk.error());
    Parent parent;
    parent.fd = open_below(*on_disk, directory_flags, Blocking::may);
    if (!parent.fd) {
        if (errno == ENOENT && worth_searching(path, exact_case)) return walk(path);
        if (is_missing(errno)) return fail(NtStatus::OBJECT_PATH_NOT_FOUND);
        return fail_errno();
    }
    parent.path = std::move(*on_disk);
    if (!stat_directory(parent)) return fail_errno();
    return parent;
}

std::optional<Parent> Resolver::open_parent_cached(std::string_view path) const {
    auto on_disk = disk_path(path);
    if (!on_disk) return std::nullopt;
    Parent parent;
    parent.fd = open_below(*on_disk, directory_flags, Blocking::never);
    if (!parent.fd || !stat_directory(parent)) return std::nullopt;
    parent.path = std::move(*on_disk);
    return parent;
}

// Each step starts from the root again, so that a link's ".." is judged against the share, not
// against its directory.
Result<Parent> Resolver::walk(std::string_view path) {
    Parent at;
    at.fd = open_below({}, directory_flags, Blocking::may);
    if (!at.fd || !stat_directory(at)) return fail_errno();
    while (true) {
        const std::size_t end = path.find('/');
        const std::string_view component = path.substr(0, end);
        auto name = disk_name(component);
        if (!name) return fail(name.error());
        Parent next;
        next.path = join_path(at.path, *name);
        next.fd = open_below(next.path, directory_flags, Blocking::may);
        if (!next.fd && errno == ENOENT) {
            const std::optional<std::string> real = real_name(at, component);
            if (!real) return fail(NtStatus::OBJECT_PATH_NOT_FOUND);
            next.path = join_path(at.path, *real);
            next.fd = open_below(next.path, directory_flags, Blocking::may);
            if (!next.fd && errno == ENOENT) cache_.forget(at.key);
        }
        if (!next.fd && is_missing(errno)) return fail(NtStatus::OBJECT_PATH_NOT_FOUND);
        if (!next.fd || !stat_directory(next)) return fail_errno();
        at = std::move(next);
        if (end == std::string_view::npos) return at;
        path.remove_prefix(end + 1);
    }
}

bool Resolver::known_absent(const Parent& parent, std::string_view name) {
    return cache_.find(parent.key, parent.stamp, name).kind == DirCache::Answer::Kind::absent;
}

std::optional<std::string> Resolver::real_name(Parent& parent, std::string_view name) {
    DirCache::Answer answer = cache_.find(parent.key, parent.stamp, name);
    switch (answer.kind) {
        case DirCache::Answer::Kind::absent:
            return std::nullopt;
        case DirCache::Answer::Kind::present:
            return std::move(answer.name);
        case DirCache::Answer::Kind::unknown:
            break;
    }
    return scan(parent, name);
}

// Reads the whole directory into the cache and looks for `name` on the way.  A caller who may not
// read it gets no more than an exact lookup gives.
std::optional<std::string> Resolver::scan(Parent& parent, std::string_view name) {
    UniqueFd fd(::openat(parent.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return std::nullopt;
    const std::uint64_t start = monotonic_ns();
    cache_.begin_scan(parent.key);
    if (!stat_directory(parent)) {
        cache_.abandon_scan(parent.key);
        return std::nullopt;
    }
    const std::string folded = cache_.folded(name);
    std::string found;
    NameTable names;
    DirReader reader;
    DirReader::Entry entry;
    while (reader.next(fd.get(), entry)) {
        if (DirReader::is_dot_or_dotdot(entry.name)) continue;
        names.add(cache_.hash_of_disk_name(entry.name), entry.name);
        // Of several the least: the same one every time.
        if (cache_.folded_disk_name(entry.name) == folded &&
            (found.empty() || entry.name < found)) {
            found = entry.name;
        }
    }
    if (reader.error() != 0) {
        cache_.abandon_scan(parent.key);
    } else {
        cache_.end_scan(parent.key, parent.stamp, std::move(names), monotonic_ns() - start);
    }
    if (found.empty()) return std::nullopt;
    return found;
}

bool Resolver::worth_searching(std::string_view client_path, bool exact_case) const {
    if (exact_case) return false;
    // A name with mapped characters may stand on disk with the private-use characters themselves.
    return !case_sensitive_ || (map_names_ && !path_maps_to_itself(client_path));
}

Result<std::string> Resolver::disk_name(std::string_view component) const {
    auto name = disk_path(component);
    if (name && (name->empty() || name->find('/') != std::string::npos)) {
        return fail(NtStatus::OBJECT_NAME_INVALID);
    }
    return name;
}

Result<std::string> Resolver::disk_path(std::string_view path) const {
    if (map_names_) {
        std::optional<std::string> mapped = path_to_disk(path);
        if (!mapped) return fail(NtStatus::OBJECT_NAME_INVALID);
        return std::move(*mapped);
    }
    if (path.find('\0') != std::string_view::npos) return fail(NtStatus::OBJECT_NAME_INVALID);
    for (std::string_view rest = path; !path.empty();) {
        const std::size_t end = rest.find('/');
        const std::string_view component = rest.substr(0, end);
        if (component.empty() || component == "." || component == "..") {
            return fail(NtStatus::OBJECT_NAME_INVALID);
        }
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    return std::string(path);
}

std::string Resolver::client_name(std::string_view name_on_disk) const {
    return map_names_ ? to_client(name_on_disk) : std::string(name_on_disk);
}

std::string Resolver::client_path(std::string_view path_on_disk) const {
    return map_names_ ? path_to_client(path_on_disk) : std::string(path_on_disk);
}

DirectoryChange::DirectoryChange(DirCache& cache, const Parent& parent)
    : cache_(cache),
      parent_(parent),
      begun_(cache.begin(parent.key, parent.stamp)),
      own_begun_(cache.own() != nullptr && cache.own()->begin(parent.key)) {}

void DirectoryChange::note(DirCache::Change change) {
    if (count_ < std::size(changes_)) changes_[count_++] = change;
}

DirectoryChange::~DirectoryChange() {
    struct ::statx st {};
    DirStamp after;
    if (begun_ || count_ != 0) {
        if (::statx(parent_.fd.get(), "", AT_EMPTY_PATH, STATX_MTIME | STATX_CTIME, &st) == 0) {
            after = stamp_of(st);
        }
    }
    cache_.end(parent_.key, begun_, after, changes_, count_);
    if (own_begun_) cache_.own()->end(parent_.key, changes_, count_);
}

}  // namespace smb3d::vfs_posix
