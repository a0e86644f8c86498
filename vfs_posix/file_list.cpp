// PosixFile::list: names in large batches, then stat and the attribute xattr of each entry without
// opening it.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs_posix/acl.h"
#include "vfs_posix/errno_map.h"
#include "vfs_posix/file.h"
#include "vfs_posix/job.h"
#include "vfs_posix/name_map.h"

namespace smb3d::vfs_posix {
namespace {

constexpr std::size_t arena_chunk = 16 * 1024;

vfs::FileKind kind_of_type(unsigned char type) {
    switch (type) {
        case DT_REG:
            return vfs::FileKind::file;
        case DT_DIR:
            return vfs::FileKind::directory;
        case DT_LNK:
            return vfs::FileKind::symlink;
        default:
            return vfs::FileKind::other;
    }
}

// Copies names into a batch's storage.
class NameArena {
  public:
    explicit NameArena(vfs::DirBatch& batch) : batch_(batch) {}
    std::string_view keep(std::string_view name) {
        if (name.size() > left_) {
            const std::size_t size = std::max(arena_chunk, name.size());
            batch_.arena.push_back(std::make_unique_for_overwrite<char[]>(size));
            at_ = batch_.arena.back().get();
            left_ = size;
        }
        std::memcpy(at_, name.data(), name.size());
        const std::string_view kept(at_, name.size());
        at_ += name.size();
        left_ -= name.size();
        return kept;
    }

  private:
    vfs::DirBatch& batch_;
    char* at_{nullptr};
    std::size_t left_{0};
};

}  // namespace

// One list() call.
class PosixFile::Lister {
  public:
    Lister(PosixFile& file, const vfs::OpContext& context, const vfs::ListRequest& request)
        : file_(file), share_(*file.share_), context_(context), request_(request), names_(batch_) {}

    Result<vfs::DirBatch> run() {
        Listing& listing = *file_.listing_;
        batch_.entries.reserve(std::min<std::size_t>(request_.max_entries, 256));
        while (listing.phase != Listing::Phase::end && !full()) {
            if (cancelled(context_) && batch_.entries.empty()) return fail(NtStatus::CANCELLED);
            if (Result<void> step = this->step(listing); !step) {
                if (batch_.entries.empty()) return fail(step.error());
                return std::move(
                    batch_);  // what is there; the error comes again with the next call
            }
        }
        batch_.end = listing.phase == Listing::Phase::end;
        return std::move(batch_);
    }

  private:
    bool full() const {
        return batch_.entries.size() >= std::max<std::size_t>(request_.max_entries, 1);
    }
    bool wanted(std::string_view name) const {
        return request_.filter == nullptr || request_.filter->matches(name);
    }

    Result<void> step(Listing& listing) {
        switch (listing.phase) {
            case Listing::Phase::dot:
                listing.phase = Listing::Phase::dotdot;
                if (wanted(".")) add_dot(".", "");
                return {};
            case Listing::Phase::dotdot:
                listing.phase = Listing::Phase::entries;
                // The root's parent is not the client's business.
                if (wanted("..")) add_dot("..", file_.path_.empty() ? "" : "..");
                return {};
            case Listing::Phase::entries:
                break;
            case Listing::Phase::end:
                return {};
        }
        DirReader::Entry entry;
        if (!listing.reader.next(file_.fd(), entry)) {
            if (listing.reader.error() != 0) return fail_errno(listing.reader.error());
            listing.phase = Listing::Phase::end;
            return {};
        }
        if (!DirReader::is_dot_or_dotdot(entry.name)) add_entry(entry);
        return {};
    }

    void add_dot(std::string_view name, const char* path) {
        struct ::statx st {};
        const int flags = AT_STATX_DONT_SYNC | (*path == '\0' ? AT_EMPTY_PATH : 0);
        if (::statx(file_.fd(), path, flags, stat_mask, &st) != 0) return;
        std::optional<DosAttrib> dos;
        if (!request_.names_only) {
            dos = *path == '\0' ? share_.dos_attrib(file_.fd(), file_.traits_.path_only, st)
                                : share_.dos_attrib_at(file_.fd(), path, st);
        }
        batch_.entries.push_back({names_.keep(name), share_.make_stat(st, dos, {})});
    }

    void add_entry(const DirReader::Entry& entry) {
        const bool plain = !share_.options().map_names || maps_to_itself(entry.name);
        std::string mapped;
        if (!plain) mapped = share_.resolver().client_name(entry.name);
        const std::string_view name = plain ? entry.name : std::string_view(mapped);
        if (!wanted(name)) return;
        if (request_.names_only && entry.type != DT_LNK && entry.type != DT_UNKNOWN) {
            vfs::FileStat stat;
            stat.id = {device(), entry.inode, 0};
            stat.kind = kind_of_type(entry.type);
            batch_.entries.push_back({names_.keep(name), stat});
            return;
        }
        if (const auto stat = stat_of(entry)) batch_.entries.push_back({names_.keep(name), *stat});
    }

    // nullopt: gone meanwhile, or a link that leads nowhere or out of the share; such a name is not
    // shown.
    std::optional<vfs::FileStat> stat_of(const DirReader::Entry& entry) {
        const char* name = entry.name.data();  // NUL-terminated
        struct ::statx st {};
        if (::statx(file_.fd(), name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, stat_mask, &st) !=
            0) {
            if (errno != EACCES) return std::nullopt;
            // The caller may read the directory but not search it.
            vfs::FileStat stat;
            stat.id = {device(), entry.inode, 0};
            stat.kind = kind_of_type(entry.type);
            stat.attributes =
                stat.kind == vfs::FileKind::directory ? attribute_directory : attribute_normal;
            return stat;
        }
        if (S_ISLNK(st.stx_mode)) return stat_of_link(entry.name);
        vfs::FileStat stat =
            share_.make_stat(st, share_.dos_attrib_at(file_.fd(), name, st), entry.name);
        if (request_.rights) stat.rights = rights_by_list_at(share_.lists(), st, file_.fd(), name);
        return stat;
    }

    std::optional<vfs::FileStat> stat_of_link(std::string_view name) {
        const UniqueFd target =
            share_.resolver().open_below(join_path(file_.path_, name), O_PATH, Blocking::may);
        if (!target) return std::nullopt;
        const auto stat = share_.stat_fd(target.get(), true, name, request_.rights);
        if (!stat) return std::nullopt;
        return *stat;
    }

    std::uint64_t device() {
        if (!device_) {
            struct ::statx st {};
            device_ = ::statx(file_.fd(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) == 0
                          ? device_of(st)
                          : 0;
        }
        return *device_;
    }

    PosixFile& file_;
    PosixShare& share_;
    const vfs::OpContext& context_;
    const vfs::ListRequest& request_;
    vfs::DirBatch batch_;
    NameArena names_;
    std::optional<std::uint64_t> device_;
};

void PosixFile::list(const vfs::OpContext& context, const vfs::ListRequest& request,
                     vfs::Done<vfs::DirBatch> done) {
    if (traits_.kind != vfs::FileKind::directory) {
        return done(fail(NtStatus::INVALID_DEVICE_REQUEST));
    }
    if (traits_.path_only) return done(fail(NtStatus::ACCESS_DENIED));
    // The last answer of a listing: that there is no more.
    if (listing_ != nullptr && !request.restart && listing_->phase == Listing::Phase::end) {
        vfs::DirBatch empty;
        empty.end = true;
        return done(std::move(empty));
    }
    run_blocking(context, done,
                 [this, &context, &request] { return list_blocking(context, request); });
}

Result<vfs::DirBatch> PosixFile::list_blocking(const vfs::OpContext& context,
                                               const vfs::ListRequest& request) {
    SMB3D_TRY(share_->wear(context));
    if (listing_ == nullptr) {
        listing_ = std::make_unique<Listing>();
    } else if (request.restart) {
        if (::lseek(fd(), 0, SEEK_SET) < 0) return fail_errno();
        listing_->phase = Listing::Phase::dot;
        listing_->reader.restart();
    }
    return Lister(*this, context, request).run();
}

}  // namespace smb3d::vfs_posix
