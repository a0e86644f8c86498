// FileDispositionInformation(Ex): [MS-FSA] 2.1.5.15.3.
#include "engine/change_report.h"
#include "engine/connection.h"
#include "engine/file_access.h"
#include "engine/fsa_wait.h"
#include "engine/info/set.h"
#include "engine/server_impl.h"
#include "fscc/file_info.h"

namespace smb3d::engine {

namespace {

// A directory may be deleted if it holds nothing; looked at through an open of its own, since the
// client's may be listing.
Task<Result<bool>> is_empty(Call& call) {
    vfs::OpenRequest request;
    request.path = call.open->path();
    request.kind = vfs::WantKind::directory;
    request.access = vfs::access_read_data;
    Pending<vfs::OpenReply> opening(call.loop());
    call.tree->policy->backend->open(call.op(Lane::metadata), request, opening.done());
    Result<vfs::OpenReply> opened = co_await opening;
    if (!opened) co_return fail(opened.error());
    vfs::ListRequest listing;
    listing.restart = true;
    listing.names_only = true;
    listing.max_entries = 4;  // ".", ".." and one that counts
    Pending<vfs::DirBatch> reading(call.loop());
    opened->file->list(call.op(Lane::metadata), listing, reading.done());
    const Result<vfs::DirBatch> batch = co_await reading;
    Pending<void> closing(call.loop());
    opened->file->close(call.op(Lane::metadata), closing.done());
    const Result<void> closed = co_await closing;
    static_cast<void>(closed);
    if (!batch) co_return fail(batch.error());
    for (const vfs::DirEntry& entry : batch->entries) {
        if (entry.name != "." && entry.name != "..") co_return false;
    }
    co_return true;
}

// Whoever has the file open through a persistent handle has its end, too; if that cannot be
// recorded it is as it was.
Task<NtStatus> set_recorded(Call& call, fsa::Disposition disposition) {
    fsa::Open& open = *call.open->fsa;
    DurableKeeper& keeper = call.server().durable;
    fsa::Disposition before = disposition;
    before.ignore_readonly = true;
    before.remove = disposition.on_close ? open.file().is_delete_on_close(open)
                                         : open.file().delete_pending(open);
    const Result<void> set = open.file().set_disposition(open, disposition);
    if (!set) co_return set.error();
    Task<NtStatus> writing = keeper.write_all(open.file_ptr(), call.loop());
    const NtStatus written = co_await writing;
    if (written == NtStatus::SUCCESS) co_return written;
    if (before.remove != disposition.remove) {
        const Result<void> undone = open.file().set_disposition(open, before);
        static_cast<void>(undone);  // another handle has changed it
    }
    for (const auto& other : keeper.persistent_opens(open.file())) keeper.write_later(*other);
    co_return written;
}

Task<NtStatus> dispose(Call& call, fsa::Disposition disposition) {
    if (!call.open->fsa) co_return NtStatus::INVALID_PARAMETER;
    if (disposition.remove) {
        Task<NtStatus> breaking = break_handles(call);
        const NtStatus broken = co_await breaking;
        if (broken != NtStatus::SUCCESS) co_return broken;
        Pending<vfs::FileStat> asking(call.loop());
        call.open->file->stat(call.op(Lane::metadata), asking.done());
        const Result<vfs::FileStat> stat = co_await asking;
        if (!stat) co_return stat.error();
        disposition.attributes = stat->attributes;
        Task<NtStatus> allowing = may_remove_name(call, call.open->path(), stat->uid);
        const NtStatus allowed = co_await allowing;
        if (allowed != NtStatus::SUCCESS) co_return allowed;
        if (call.open->is_directory()) {
            Task<Result<bool>> looking = is_empty(call);
            const Result<bool> empty = co_await looking;
            if (!empty) co_return empty.error();
            disposition.directory_empty = *empty;
        }
    }
    Task<NtStatus> setting = set_recorded(call, disposition);
    const NtStatus set = co_await setting;
    if (set != NtStatus::SUCCESS) co_return set;
    report_disposition(call.server(), *call.open);
    co_return NtStatus::SUCCESS;
}

Task<NtStatus> refuse(NtStatus status) { co_return status; }

}  // namespace

Task<NtStatus> set_disposition(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FileDispositionInformation>(input);
    if (!info) return refuse(info.error());
    fsa::Disposition disposition;
    disposition.remove = info->delete_pending != 0;
    return dispose(call, disposition);
}

Task<NtStatus> set_disposition_ex(Call& call, Bytes input) {
    const auto info = wire::parse<fscc::FileDispositionInformationEx>(input);
    if (!info) return refuse(info.error());
    fsa::Disposition disposition;
    disposition.remove = (info->flags & fscc::disposition_flags::delete_) != 0;
    disposition.posix = (info->flags & fscc::disposition_flags::posix_semantics) != 0;
    disposition.on_close = (info->flags & fscc::disposition_flags::on_close) != 0;
    disposition.ignore_readonly =
        (info->flags & fscc::disposition_flags::ignore_readonly_attribute) != 0;
    return dispose(call, disposition);
}

}  // namespace smb3d::engine
