// PosixFile: guards and locks against what is not a client.
#include <thread>
#include <utility>

#include "vfs_posix/errno_map.h"
#include "vfs_posix/file.h"
#include "vfs_posix/job.h"

namespace smb3d::vfs_posix {

// On a remote file system a lease would say nothing about other machines.
void PosixFile::guard(const vfs::OpContext&, const vfs::GuardRequest& request,
                      vfs::Done<vfs::GuardState> done) {
    const bool possible = share_->options().host_leases && !share_->traits().remote &&
                          traits_.kind == vfs::FileKind::file && fd_;
    if (!possible) return done(fail(NtStatus::NOT_SUPPORTED));
    tracked_.store(true, std::memory_order_relaxed);
    // What another of our threads has just opened, or is about to close, is not known as ours for
    // some microseconds and looks like somebody else's.
    constexpr int attempts = 16;
    for (int attempt = 1;; ++attempt) {
        Result<vfs::GuardState> state = share_->open_files().guard(
            traits_.key, fd(), share_->traits().distinct_stamps, request);
        if (!state || state->level >= request.level || attempt == attempts) {
            return done(std::move(state));
        }
        std::this_thread::yield();
    }
}

void PosixFile::host_lock(const vfs::OpContext& context, const vfs::HostLock& lock,
                          vfs::Done<void> done) {
    if (!share_->options().host_locks || !tracked_.load(std::memory_order_relaxed)) {
        return done(fail(NtStatus::NOT_SUPPORTED));
    }
    const auto body = [this, lock] { return share_->open_files().lock(traits_.key, fd(), lock); };
    if (!share_->traits().remote) return done(body());
    run_blocking(context, done, body);
}

void PosixFile::host_unlock(const vfs::OpContext& context, const vfs::HostLock& lock,
                            vfs::Done<void> done) {
    if (!tracked_.load(std::memory_order_relaxed)) return done({});
    const auto body = [this, lock] { return share_->open_files().unlock(traits_.key, fd(), lock); };
    if (!share_->traits().remote) return done(body());
    run_blocking(context, done, body, WhenCancelled::run_all_the_same);
}

}  // namespace smb3d::vfs_posix
