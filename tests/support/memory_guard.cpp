// MemoryShare: guards, and what "the host" does to guarded files.
#include <algorithm>

#include "support/memory_vfs_impl.h"

namespace smb3d::test {

using vfs::GuardLevel;
using vfs::GuardState;

void MemoryFile::guard(const vfs::OpContext& context, const vfs::GuardRequest& request,
                       vfs::Done<GuardState> done) {
    if (!share_->guards_supported_ || !is_file()) return done(fail(NtStatus::NOT_SUPPORTED));
    share_->dispatch(VfsOp::guard, context, done, [this, &request](const MemoryShare::Plan&) {
        return share_->do_guard(node_->inode, request);
    });
}

Result<GuardState> MemoryShare::do_guard(std::uint64_t inode, const vfs::GuardRequest& request) {
    const auto guards = guards_.lock();
    Guard& guard = guards->by_inode[inode];
    guard.listener = request.listener;
    if (guard.state.number == 0) guard.state.number = ++guards->number;
    if (guard.breaking) return guard.state;
    const GuardLevel possible = guard.host_writes  ? GuardLevel::none
                                : guard.host_reads ? GuardLevel::read
                                                   : GuardLevel::write;
    const GuardLevel level = std::min(std::max(request.level, guard.held), possible);
    if (level != guard.held) guard.state = {level, ++guards->number};
    guard.held = level;
    return guard.state;
}

std::uint64_t MemoryShare::inode_of(const std::string& path) {
    const auto tree = tree_->lock();
    const auto place = find(*tree, path, false);
    return place && place->found ? place->entry->second.node->inode : 0;
}

bool MemoryShare::host_open(const std::string& path, bool writes) {
    const std::uint64_t inode = inode_of(path);
    std::shared_ptr<vfs::GuardListener> listener;
    GuardState state;
    {
        const auto guards = guards_.lock();
        Guard& guard = guards->by_inode[inode];
        (writes ? guard.host_writes : guard.host_reads) = true;
        const GuardLevel left = writes ? GuardLevel::none : GuardLevel::read;
        if (guard.held <= left) return true;
        guard.breaking = true;
        guard.state = state = {left, ++guards->number};
        listener = guard.listener;
    }
    listener->guard_broken({1, inode, 0}, state);
    return !host_waits(path);
}

void MemoryShare::host_close(const std::string& path) {
    const std::uint64_t inode = inode_of(path);
    const auto guards = guards_.lock();
    Guard& guard = guards->by_inode[inode];
    guard.host_writes = guard.host_reads = false;
}

bool MemoryShare::host_waits(const std::string& path) {
    const std::uint64_t inode = inode_of(path);
    return guards_.lock()->by_inode[inode].breaking;
}

void MemoryShare::guard_settled(vfs::FileId file, GuardState state) {
    const auto guards = guards_.lock();
    Guard& guard = guards->by_inode[file.inode];
    if (!guard.breaking || guard.state.number != state.number) return;
    guard.breaking = false;
    guard.held = state.level;
}

}  // namespace smb3d::test
