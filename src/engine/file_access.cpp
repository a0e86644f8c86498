#include "engine/file_access.h"

#include <algorithm>

#include "dtyp/access_mask.h"
#include "dtyp/posix_sd.h"
#include "engine/connection.h"
#include "fsa/attributes.h"
#include "fsa/path.h"

namespace smb3d::engine {

namespace {

constexpr std::uint32_t sticky = 01000;

bool in_group(const Caller& caller, std::uint32_t gid) {
    return caller.gid == gid ||
           std::find(caller.groups.begin(), caller.groups.end(), gid) != caller.groups.end();
}

// What the back end says, or the one of the three classes that the kernel would go by.
std::uint32_t mode_bits(const vfs::FileStat& stat, const Caller& caller) {
    if (stat.rights) return *stat.rights;
    if (caller.uid == stat.uid) return (stat.mode >> 6) & 7;
    if (in_group(caller, stat.gid)) return (stat.mode >> 3) & 7;
    return stat.mode & 7;
}

}  // namespace

const Caller& acting_caller(const Call& call) {
    const auto& forced = call.tree->capabilities.acts_as;
    return forced ? *forced : *call.caller;
}

std::uint32_t access_by_mode(const vfs::FileStat& stat, const Caller& caller) {
    if (caller.uid == 0 && !caller.guest && !caller.anonymous) {
        return dtyp::file_all_access | dtyp::access_system_security;
    }
    const bool directory = stat.kind == vfs::FileKind::directory;
    return dtyp::access_of_mode(mode_bits(stat, caller), directory, caller.uid == stat.uid);
}

std::uint32_t maximal_access(const Call& call, const vfs::FileStat& stat) {
    std::uint32_t access = access_by_mode(stat, acting_caller(call)) & call.tree->maximal_access;
    const bool directory = stat.kind == vfs::FileKind::directory;
    if (!directory && (stat.attributes & fsa::attribute::readonly) != 0) {
        access &= ~(fsa::access::write_data | fsa::access::append_data);
    }
    return access;
}

Task<NtStatus> may_remove_name(Call& call, std::string path, std::uint32_t owner_uid) {
    const Caller& caller = acting_caller(call);
    if (caller.uid == 0 && !caller.guest && !caller.anonymous) co_return NtStatus::SUCCESS;
    vfs::OpenRequest request;
    request.path = std::string(fsa::parent_path(path));
    request.kind = vfs::WantKind::directory;
    Pending<vfs::OpenReply> opening(call.loop());
    call.tree->policy->backend->open(call.op(Lane::metadata), request, opening.done());
    Result<vfs::OpenReply> parent = co_await opening;
    if (!parent) co_return parent.error();
    const vfs::FileStat& stat = parent->stat;
    const bool writable = (access_by_mode(stat, caller) & dtyp::file_add_file) != 0;
    const bool held_back =
        (stat.mode & sticky) != 0 && caller.uid != stat.uid && caller.uid != owner_uid;
    Pending<void> closing(call.loop());
    parent->file->close(call.op(Lane::metadata), closing.done());
    const Result<void> closed = co_await closing;
    static_cast<void>(closed);
    co_return writable && !held_back ? NtStatus::SUCCESS : NtStatus::ACCESS_DENIED;
}

}  // namespace smb3d::engine
