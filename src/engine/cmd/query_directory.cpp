// QUERY_DIRECTORY: [MS-SMB2] 3.3.5.18, [MS-FSA] 2.1.5.6.3.
#include <algorithm>

#include "base/utf16.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/file_access.h"
#include "fsa/access.h"
#include "fsa/name_match.h"
#include "fsa/path.h"
#include "fscc/directory_writer.h"

namespace smb3d::engine {

namespace {

using Flags = std::uint8_t;
constexpr std::size_t small_entry = 128;  // for a guess at how many entries an answer will hold
constexpr std::size_t max_batch = 4096;

NtStatus check(const Call& call, const wire::QueryDirectoryRequest& request) {
    if (request.output_buffer_length > call.connection.negotiated.max_transact) {
        return NtStatus::INVALID_PARAMETER;
    }
    if (!call.open->fsa || !call.open->is_directory()) return NtStatus::INVALID_PARAMETER;
    const auto allowed = fsa::check_operation(fsa::Operation::list, call.open->granted_access);
    return allowed ? NtStatus::SUCCESS : allowed.error();
}

// 3.3.5.18: the pattern is taken when a listing begins, and when the client says REOPEN.
Result<bool> begin(Enumeration& listing, const wire::QueryDirectoryRequest& request) {
    constexpr Flags anew =
        wire::query_directory_flags::restart_scans | wire::query_directory_flags::reopen;
    const bool restart = (request.flags & anew) != 0;
    if (listing.started && !restart) return false;
    if (!request.file_name.empty() || !listing.started) {
        const auto pattern = utf16le_to_utf8(request.file_name);
        const auto units =
            pattern ? utf8_to_utf16(pattern->empty() ? "*" : *pattern) : std::nullopt;
        if (!units) return fail(NtStatus::OBJECT_NAME_INVALID);
        Result<fsa::NameExpression> expression = fsa::NameExpression::parse(*units);
        if (!expression) return fail(expression.error());
        listing.filter = std::make_unique<fsa::NameExpression>(std::move(*expression));
    }
    listing.started = true;
    listing.any_given = false;
    listing.batch = {};
    listing.next_in_batch = 0;
    return true;
}

// A pattern without wildcards: one look-up instead of a listing.
Task<Result<vfs::DirBatch>> look_up(Call& call, const std::string& name) {
    vfs::OpenRequest request;
    request.path = call.open->path();
    if (!request.path.empty()) request.path += '/';
    request.path += name;
    Pending<vfs::OpenReply> opening(call.loop());
    call.tree->policy->backend->open(call.op(Lane::metadata), request, opening.done());
    Result<vfs::OpenReply> opened = co_await opening;
    vfs::DirBatch batch;
    batch.end = true;
    if (!opened) {
        const NtStatus status = opened.error();
        if (status != NtStatus::OBJECT_NAME_NOT_FOUND &&
            status != NtStatus::OBJECT_PATH_NOT_FOUND) {
            co_return fail(status);
        }
        co_return batch;
    }
    const std::string_view stored = fsa::last_component(opened->path);
    auto storage = std::make_unique<char[]>(stored.size());
    std::copy(stored.begin(), stored.end(), storage.get());
    batch.entries.push_back({{storage.get(), stored.size()}, opened->stat});
    batch.arena.push_back(std::move(storage));
    Pending<void> closing(call.loop());
    opened->file->close(call.op(Lane::metadata), closing.done());
    const Result<void> closed = co_await closing;
    static_cast<void>(closed);
    co_return batch;
}

Task<Result<vfs::DirBatch>> next_batch(Call& call, const fscc::DirectoryWriter& writer,
                                       bool restart, std::size_t wanted) {
    const auto& expression =
        static_cast<const fsa::NameExpression&>(*call.open->enumeration.filter);
    if (expression.is_literal()) {
        const auto units = utf8_to_utf16(expression.literal());
        if (units && fsa::is_valid_component(*units)) {
            Task<Result<vfs::DirBatch>> looking = look_up(call, expression.literal());
            co_return co_await looking;
        }
    }
    vfs::ListRequest request;
    request.restart = restart;
    request.names_only = !writer.needs_stat() && !call.tree->policy->access_based_enumeration;
    request.rights = call.tree->policy->access_based_enumeration;
    request.filter = expression.matches_all() ? nullptr : &expression;
    request.max_entries = wanted;
    Pending<vfs::DirBatch> listing(call.loop());
    call.open->file->list(call.op(Lane::metadata), request, listing.done());
    co_return co_await listing;
}

// Access-based enumeration: what the caller cannot read is not there.
bool visible(const Call& call, const vfs::FileStat& stat) {
    return !call.tree->policy->access_based_enumeration ||
           (access_by_mode(stat, acting_caller(call)) & fsa::access::read_data) != 0;
}

enum class Filled : std::uint8_t { end_of_listing, out_of_room, one_entry };

// Moves entries from the batch to the answer.
Filled take_entries(Call& call, fscc::DirectoryWriter& writer, bool single) {
    Enumeration& listing = call.open->enumeration;
    while (listing.next_in_batch < listing.batch.entries.size()) {
        const vfs::DirEntry& entry = listing.batch.entries[listing.next_in_batch];
        if (visible(call, entry.stat)) {
            if (!writer.add(entry.name, entry.stat)) return Filled::out_of_room;
            listing.any_given = true;
        }
        ++listing.next_in_batch;
        if (single && !writer.empty()) return Filled::one_entry;
    }
    return Filled::end_of_listing;
}

Task<NtStatus> fill(Call& call, fscc::DirectoryWriter& writer, bool restart, bool single,
                    std::size_t room) {
    // What is read ahead may be gone when it is asked for: no more than this answer is likely to
    // hold.
    const std::size_t wanted =
        single ? 1 : std::clamp<std::size_t>(room / small_entry, 16, max_batch);
    Enumeration& listing = call.open->enumeration;
    const bool had_any = listing.any_given;
    while (true) {
        const Filled filled = take_entries(call, writer, single);
        if (filled == Filled::out_of_room && writer.empty()) {
            co_return fscc::DirectoryWriter::first_does_not_fit;
        }
        if (filled != Filled::end_of_listing) co_return NtStatus::SUCCESS;
        if (listing.batch.end) break;
        Task<Result<vfs::DirBatch>> reading = next_batch(call, writer, restart, wanted);
        Result<vfs::DirBatch> batch = co_await reading;
        if (!batch) co_return batch.error();
        listing.batch = std::move(*batch);
        listing.next_in_batch = 0;
        restart = false;
        if (call.cancellation.requested()) co_return NtStatus::CANCELLED;
    }
    if (!writer.empty()) co_return NtStatus::SUCCESS;
    co_return had_any ? NtStatus::NO_MORE_FILES : NtStatus::NO_SUCH_FILE;
}

}  // namespace

Reply query_directory(Call& call, wire::QueryDirectoryRequest request) {
    if (const NtStatus status = check(call, request); status != NtStatus::SUCCESS) {
        co_return fail(status);
    }
    Serial::Acquire turn(call.open->enumeration_turn, call.loop());
    const Serial::Held held = co_await turn;
    Buffer out =
        call.loop().buffers().allocate(std::max<std::size_t>(request.output_buffer_length, 1));
    if (out.empty()) co_return fail(NtStatus::INSUFF_SERVER_RESOURCES);
    auto writer = fscc::DirectoryWriter::create(
        request.file_information_class, out.mutable_bytes().first(request.output_buffer_length));
    if (!writer) co_return fail(writer.error());
    const Result<bool> begun = begin(call.open->enumeration, request);
    if (!begun) co_return fail(begun.error());
    const bool single = (request.flags & wire::query_directory_flags::return_single_entry) != 0;
    Task<NtStatus> filling = fill(call, *writer, *begun, single, request.output_buffer_length);
    const NtStatus status = co_await filling;
    if (status != NtStatus::SUCCESS) co_return fail(status);
    out.truncate(writer->size());
    wire::QueryDirectoryResponse response;
    response.output = wire::Payload::outside(out.size());
    co_return reply(call, response, std::move(out));
}

}  // namespace smb3d::engine
