// PosixFile: read, write, flush.
//
// What is in the page cache is copied inline on the loop (RWF_NOWAIT); the rest goes to the loop's
// ring, or to a worker where there is none.
#include <cerrno>
#include <climits>
#include <vector>

#include <sys/stat.h>
#include <sys/uio.h>

#include "vfs_posix/errno_map.h"
#include "vfs_posix/file.h"
#include "vfs_posix/job.h"

namespace smb3d::vfs_posix {
namespace {

constexpr std::uint64_t largest_offset = INT64_MAX;
// A longer copy than this holds the loop's other connections up: a worker makes it.
constexpr std::size_t longest_on_loop = 2U << 20;
constexpr std::size_t inline_write_limit = 256 * 1024;  // a longer copy would hold the loop up

std::size_t total_of(std::span<const ::iovec> parts) {
    std::size_t total = 0;
    for (const ::iovec& part : parts) total += part.iov_len;
    return total;
}

int iov_count(std::span<const ::iovec> parts) {
    return static_cast<int>(std::min<std::size_t>(parts.size(), IOV_MAX));
}

bool ring_usable(const vfs::OpContext& context) {
    return context.loop != nullptr && context.loop->has_file_io() && context.loop->in_loop_thread();
}

enum class Direction : std::uint8_t { read, write };

// What is left of a read or write after the inline try.  Deletes itself before it calls `done`.
class Transfer final : public IoOp, public Work {
  public:
    Transfer(Direction direction, const PosixFile& file, PosixShare& share,
             const vfs::OpContext& context, std::span<const ::iovec> parts, std::uint64_t offset,
             int flags, vfs::Done<std::size_t> finished)
        : direction_(direction),
          file_(file),
          share_(share),
          context_(context),
          parts_(parts.begin(), parts.end()),
          offset_(offset),
          flags_(flags),
          total_(total_of(parts)),
          finished_(finished) {}

    // `moved`: bytes that the inline try has done already.
    void start(std::size_t moved) {
        advance(moved);
        // The ring would copy what is cached on the loop's thread as well.
        next_step(ring_usable(context_) && total_ <= longest_on_loop);
    }

  private:
    std::span<const ::iovec> rest() const { return std::span(parts_).subspan(first_); }

    void advance(std::size_t bytes) {
        moved_ += bytes;
        if ((flags_ & RWF_APPEND) == 0) offset_ += bytes;
        while (bytes > 0 && first_ < parts_.size()) {
            ::iovec& part = parts_[first_];
            if (bytes < part.iov_len) {
                part.iov_base = static_cast<std::byte*>(part.iov_base) + bytes;
                part.iov_len -= bytes;
                return;
            }
            bytes -= part.iov_len;
            ++first_;
        }
        while (first_ < parts_.size() && parts_[first_].iov_len == 0) ++first_;
    }

    void next_step(bool by_ring) {
        if (by_ring) {
            IoOp::done = [](IoOp* op, int result) { static_cast<Transfer*>(op)->on_ring(result); };
            const auto parts = rest().first(static_cast<std::size_t>(iov_count(rest())));
            if (direction_ == Direction::read) {
                context_.loop->file_read(*this, file_.fd(), parts, offset_);
            } else {
                context_.loop->file_write(*this, file_.fd(), parts, offset_, flags_);
            }
            return;
        }
        run = [](Work* work) { static_cast<Transfer*>(work)->on_worker(); };
        if (context_.loop == nullptr) return on_worker();
        context_.loop->pool().submit(context_.lane, *this);
    }

    void on_ring(int result) {
        switch (result) {
            case -EAGAIN:      // an old kernel takes O_NONBLOCK on a file literally
            case -EOPNOTSUPP:  // a flag that only the plain call knows
            case -EINVAL:
                return next_step(false);
            case -EINTR:
                return next_step(true);
            default:
                break;
        }
        if (result < 0) return finish(fail_errno(-result));
        if (result == 0) return at_end();
        advance(static_cast<std::size_t>(result));
        if (moved_ == total_) return finish(moved_);
        next_step(true);
    }

    void on_worker() {
        if (direction_ == Direction::write) {
            if (Result<void> worn = share_.wear(context_); !worn) return finish(fail(worn.error()));
        }
        while (moved_ < total_) {
            if (cancelled(context_) && moved_ == 0) return finish(fail(NtStatus::CANCELLED));
            const auto offset = static_cast<off_t>(offset_);
            const ssize_t result =
                direction_ == Direction::read
                    ? ::preadv(file_.fd(), rest().data(), iov_count(rest()), offset)
                    : ::pwritev2(file_.fd(), rest().data(), iov_count(rest()), offset, flags_);
            if (result < 0 && errno == EINTR) continue;
            if (result < 0) return finish(fail_errno());
            if (result == 0) return at_end();
            advance(static_cast<std::size_t>(result));
        }
        finish(moved_);
    }

    void at_end() {
        if (direction_ == Direction::read) return finish(moved_);
        finish(fail(NtStatus::UNEXPECTED_IO_ERROR));  // a write that writes nothing would loop
    }

    void finish(Result<std::size_t> result) {
        const vfs::Done<std::size_t> finished = finished_;
        delete this;
        finished(std::move(result));
    }

    Direction direction_;
    const PosixFile& file_;
    PosixShare& share_;
    const vfs::OpContext& context_;
    std::vector<::iovec> parts_;
    std::size_t first_{0};
    std::uint64_t offset_;
    int flags_;
    std::size_t moved_{0};
    std::size_t total_;
    vfs::Done<std::size_t> finished_;
};

// fsync on the ring.
class RingFlush final : public IoOp {
  public:
    explicit RingFlush(vfs::Done<void> finished) : finished_(finished) {
        IoOp::done = [](IoOp* op, int result) {
            auto* flush = static_cast<RingFlush*>(op);
            const vfs::Done<void> then = flush->finished_;
            delete flush;
            if (result < 0) return then(fail_errno(-result));
            then({});
        };
    }

  private:
    vfs::Done<void> finished_;
};

}  // namespace

void PosixFile::read(const vfs::OpContext& context, std::uint64_t offset,
                     std::span<const ::iovec> into, vfs::Done<std::size_t> done) {
    if (traits_.kind != vfs::FileKind::file) return done(fail(NtStatus::INVALID_DEVICE_REQUEST));
    if (traits_.path_only || (traits_.access & vfs::access_read_data) == 0) {
        return done(fail(NtStatus::ACCESS_DENIED));
    }
    const std::size_t total = total_of(into);
    if (total == 0 || offset > largest_offset - total) return done(std::size_t{0});
    std::size_t moved = 0;
    if (context.loop != nullptr && total <= longest_on_loop) {
        const ssize_t got =
            ::preadv2(fd(), into.data(), iov_count(into), static_cast<off_t>(offset), RWF_NOWAIT);
        if (got == 0) return done(std::size_t{0});
        if (got > 0) moved = static_cast<std::size_t>(got);
        if (moved == total) return done(moved);
        // A short count: the end of the file, or of what is cached.
        struct ::stat st {};
        if (moved > 0 && ::fstat(fd(), &st) == 0 &&
            static_cast<std::uint64_t>(st.st_size) <= offset + moved) {
            return done(moved);
        }
    }
    (new Transfer(Direction::read, *this, *share_, context, into, offset, 0, done))->start(moved);
}

// Into the page cache on the loop's thread: by a call that refuses to wait, where the file system
// has that (ext4 has not); else by one that might, for as long as none does.
ssize_t PosixFile::write_inline(const vfs::OpContext& context, std::span<const ::iovec> from,
                                off_t offset, int flags) {
    if (share_->nowait_writes()) {
        const ssize_t put =
            ::pwritev2(fd(), from.data(), iov_count(from), offset, flags | RWF_NOWAIT);
        if (put >= 0 || errno != EOPNOTSUPP) return put;
        share_->no_nowait_writes();
    }
    if (!share_->runs_inline(context)) {
        errno = EAGAIN;
        return -1;
    }
    const Pace::Watch watch(share_->pace());
    return ::pwritev2(fd(), from.data(), iov_count(from), offset, flags);
}

void PosixFile::write(const vfs::OpContext& context, std::uint64_t offset,
                      std::span<const ::iovec> from, bool through, vfs::Done<std::size_t> done) {
    if (traits_.kind != vfs::FileKind::file) return done(fail(NtStatus::INVALID_DEVICE_REQUEST));
    if (!traits_.writable) return done(fail(NtStatus::ACCESS_DENIED));
    const std::size_t total = total_of(from);
    const bool append =
        offset == vfs::append_offset || (traits_.access & vfs::access_append_only) != 0;
    if (append) offset = 0;
    if (offset > largest_offset - total) return done(fail(NtStatus::INVALID_PARAMETER));
    if (total == 0) return done(std::size_t{0});
    // Under the writer's identity: reserved blocks and set-user-id bits go by who writes.
    if (Result<void> worn = share_->wear(context); !worn) return done(fail(worn.error()));
    const bool durable = through || traits_.write_through;
    const int flags = (durable ? RWF_DSYNC : 0) | (append ? RWF_APPEND : 0);
    std::size_t moved = 0;
    if (context.loop != nullptr && !durable && total <= inline_write_limit) {
        const ssize_t put = write_inline(context, from, static_cast<off_t>(offset), flags);
        if (put > 0) moved = static_cast<std::size_t>(put);
        if (moved == total) return done(moved);
        if (put < 0 && errno != EAGAIN && errno != EINTR) return done(fail_errno());
    }
    (new Transfer(Direction::write, *this, *share_, context, from, offset, flags, done))
        ->start(moved);
}

void PosixFile::flush(const vfs::OpContext& context, vfs::Done<void> done) {
    if (traits_.path_only && traits_.kind != vfs::FileKind::directory) return done({});
    if (!traits_.path_only && ring_usable(context)) {
        context.loop->file_sync(*new RingFlush(done), fd(), false);
        return;
    }
    run_blocking(context, done, [this] { return flush_blocking(); });
}

// [fsync(2)] An error of writing back is told once to each descriptor that was open when it
// happened.
Result<void> PosixFile::flush_blocking() {
    if (!traits_.path_only) {
        if (::fsync(fd()) != 0) return fail_errno();
        return {};
    }
    const UniqueFd readable(::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (readable && ::fsync(readable.get()) != 0) return fail_errno();
    return {};
}

}  // namespace smb3d::vfs_posix
