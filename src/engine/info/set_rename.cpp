// FileRenameInformation(Ex), FileLinkInformation(Ex): [MS-FSA] 2.1.5.15.11, 2.1.5.15.6.
#include <string>

#include "engine/change_report.h"
#include "engine/connection.h"
#include "engine/fsa_wait.h"
#include "engine/info/set.h"
#include "engine/server_impl.h"
#include "fsa/access.h"
#include "fsa/path.h"
#include "fscc/file_info.h"

namespace smb3d::engine {

namespace {

struct Target {
    std::string path;
    bool replace{false};
    bool posix{false};
    bool ignore_readonly{false};
};

Result<Target> target_of(std::uint64_t root_directory, Bytes name) {
    // 3.3.5.21.1: names are relative to the share.
    if (root_directory != 0 || name.empty()) return fail(NtStatus::INVALID_PARAMETER);
    const auto parsed = fsa::parse_name(name, fsa::LeadingSeparator::skipped);
    if (!parsed) return fail(parsed.error());
    if (parsed->has_stream || parsed->stream_syntax) return fail(NtStatus::NOT_SUPPORTED);
    if (parsed->path.empty()) return fail(NtStatus::INVALID_PARAMETER);
    Target target;
    target.path = parsed->path;
    return target;
}

Result<Target> plain_target(Bytes input) {
    const auto info = wire::parse<fscc::FileRenameInformation>(input);
    if (!info) return fail(info.error());
    Result<Target> target = target_of(info->root_directory, info->file_name);
    if (target) target->replace = info->replace_if_exists != 0;
    return target;
}

Result<Target> ex_target(Bytes input) {
    const auto info = wire::parse<fscc::FileRenameInformationEx>(input);
    if (!info) return fail(info.error());
    Result<Target> target = target_of(info->root_directory, info->file_name);
    if (!target) return target;
    target->replace = (info->flags & fscc::rename_flags::replace_if_exists) != 0;
    target->posix = (info->flags & fscc::rename_flags::posix_semantics) != 0;
    target->ignore_readonly = (info->flags & fscc::rename_flags::ignore_readonly_attribute) != 0;
    return target;
}

fsa::ShareId share_id(const Call& call) { return share_id(*call.tree); }

// What a path names now; nothing is kept open.
Task<Result<vfs::FileStat>> look(Call& call, std::string path) {
    vfs::OpenRequest request;
    request.path = std::move(path);
    request.open_reparse_point = true;
    Pending<vfs::OpenReply> opening(call.loop());
    call.tree->policy->backend->open(call.op(Lane::metadata), request, opening.done());
    Result<vfs::OpenReply> opened = co_await opening;
    if (!opened) co_return fail(opened.error());
    Pending<void> closing(call.loop());
    opened->file->close(call.op(Lane::metadata), closing.done());
    const Result<void> closed = co_await closing;
    static_cast<void>(closed);
    co_return opened->stat;
}

// May the target's name be taken?  Both the directory's opens and the present owner of the name
// have a say.  `replaces`: another file has the name.
Task<NtStatus> check_target(Call& call, const Target& target, bool& replaces) {
    Task<Result<vfs::FileStat>> looking_above =
        look(call, std::string(fsa::parent_path(target.path)));
    const Result<vfs::FileStat> parent = co_await looking_above;
    if (!parent) {
        co_return parent.error() == NtStatus::OBJECT_NAME_NOT_FOUND
            ? NtStatus::OBJECT_PATH_NOT_FOUND
            : parent.error();
    }
    fsa::FileTable& files = call.server().files;
    const auto directory =
        files.check_target_directory({share_id(call), parent->id}, call.open->is_directory());
    if (!directory) co_return directory.error();
    Task<Result<vfs::FileStat>> looking = look(call, target.path);
    const Result<vfs::FileStat> present = co_await looking;
    if (!present) {
        co_return present.error() == NtStatus::OBJECT_NAME_NOT_FOUND ? NtStatus::SUCCESS
                                                                     : present.error();
    }
    // Another case of its own name, or a further link to the same file.
    if (present->id == call.open->file_id) co_return NtStatus::SUCCESS;
    if (!target.replace) co_return NtStatus::OBJECT_NAME_COLLISION;
    const std::shared_ptr<fsa::File> open_target = files.find({share_id(call), present->id});
    if (open_target) {
        Task<NtStatus> breaking = break_handles_of(call, open_target);
        const NtStatus broken = co_await breaking;
        if (broken != NtStatus::SUCCESS) co_return broken;
    }
    replaces = true;
    const auto replaceable = files.check_target({share_id(call), present->id}, present->attributes,
                                                present->kind == vfs::FileKind::directory,
                                                target.posix, target.ignore_readonly);
    co_return replaceable ? NtStatus::SUCCESS : replaceable.error();
}

// Persistent handles find their file by its name: both are on disk before it has the other.
Task<Result<std::string>> rename_recorded(Call& call, vfs::RenameRequest request) {
    fsa::Open& open = *call.open->fsa;
    DurableKeeper& keeper = call.server().durable;
    Result<std::string> renamed;
    keeper.set_next_path(open.file(), call.tree->place.in_store(request.to));
    Task<NtStatus> announcing = keeper.write_all(open.file_ptr(), call.loop());
    const NtStatus announced = co_await announcing;
    if (announced == NtStatus::SUCCESS) {
        Pending<std::string> renaming(call.loop());
        call.tree->policy->backend->rename(call.op(Lane::metadata), request, renaming.done());
        renamed = co_await renaming;
        if (renamed) *renamed = call.tree->place.in_store(*renamed);
    } else {
        renamed = fail(announced);
    }
    call.server().files.finish_rename(open, renamed);
    keeper.set_next_path(open.file(), {});
    // The records as they are have the file in any case.
    for (const auto& other : keeper.persistent_opens(open.file())) keeper.write_later(*other);
    co_return renamed;
}

Task<NtStatus> rename_to(Call& call, Result<Target> target) {
    if (!target) co_return target.error();
    if (!call.open->fsa) co_return NtStatus::INVALID_PARAMETER;
    fsa::Open& open = *call.open->fsa;
    Task<NtStatus> breaking = break_handles(call);
    const NtStatus broken = co_await breaking;
    if (broken != NtStatus::SUCCESS) co_return broken;
    if (call.open->path() == target->path) co_return NtStatus::SUCCESS;
    bool replaces = false;
    Task<NtStatus> checking = check_target(call, *target, replaces);
    const NtStatus checked = co_await checking;
    if (checked != NtStatus::SUCCESS) co_return checked;
    fsa::FileTable& files = call.server().files;
    const Result<fsa::RenameTicket> ticket = files.prepare_rename(open);
    if (!ticket) co_return ticket.error();
    vfs::RenameRequest request;
    request.from = call.tree->place.in_share(ticket->from);
    request.id = ticket->id;
    request.to = target->path;
    request.replace = target->replace;
    Task<Result<std::string>> renaming = rename_recorded(call, request);
    const Result<std::string> renamed = co_await renaming;
    if (!renamed) co_return renamed.error();
    report_rename(call.server(), *call.open, ticket->from, *renamed, replaces);
    // Windows tells of a renamed file's new attributes when the handle is closed (smbtorture
    // smb2.notify.mask-change and rec).
    if (!call.open->is_directory()) {
        report_later(*call.open, fsa::change::attributes | fsa::change::creation);
    }
    co_return NtStatus::SUCCESS;
}

Task<NtStatus> link_to(Call& call, Result<Target> target) {
    if (!target) co_return target.error();
    if (!call.open->fsa) co_return NtStatus::INVALID_PARAMETER;
    if (call.open->is_directory()) co_return NtStatus::FILE_IS_A_DIRECTORY;
    if (call.tree->read_only()) co_return NtStatus::ACCESS_DENIED;
    bool replaces = false;
    Task<NtStatus> checking = check_target(call, *target, replaces);
    const NtStatus checked = co_await checking;
    if (checked != NtStatus::SUCCESS) co_return checked;
    vfs::RenameRequest request;
    request.from = call.open->path();
    request.id = call.open->file_id;
    request.to = target->path;
    request.replace = target->replace;
    Pending<void> linking(call.loop());
    call.tree->policy->backend->link(call.op(Lane::metadata), *call.open->file, request,
                                     linking.done());
    const Result<void> linked = co_await linking;
    if (!linked) co_return linked.error();
    const std::string path = call.tree->place.in_store(target->path);
    const fsa::Change change =
        replaces ? fsa::Change{fsa::ChangeAction::modified, fsa::change::whole_file, path}
                 : fsa::Change{fsa::ChangeAction::added, fsa::change::file_name, path};
    report_change(call.server(), share_id(call), change, origin_of(*call.open));
    co_return NtStatus::SUCCESS;
}

}  // namespace

Task<NtStatus> set_rename(Call& call, Bytes input) { return rename_to(call, plain_target(input)); }
Task<NtStatus> set_rename_ex(Call& call, Bytes input) { return rename_to(call, ex_target(input)); }
Task<NtStatus> set_link(Call& call, Bytes input) { return link_to(call, plain_target(input)); }
Task<NtStatus> set_link_ex(Call& call, Bytes input) { return link_to(call, ex_target(input)); }

}  // namespace smb3d::engine
