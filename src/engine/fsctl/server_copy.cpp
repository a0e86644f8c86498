// FSCTL_SRV_REQUEST_RESUME_KEY, FSCTL_SRV_COPYCHUNK, FSCTL_SRV_COPYCHUNK_WRITE:
// [MS-SMB2] 3.3.5.15.5, 3.3.5.15.6.
#include <cstring>
#include <span>

#include "engine/fsctl/copy_source.h"
#include "engine/fsctl/fsctl.h"
#include "engine/server_impl.h"
#include "fsa/access.h"

namespace smb3d::engine {

namespace {

using Chunk = fscc::SrvCopychunk;

constexpr std::uint64_t max_offset = 0x7FFF'FFFF'FFFF'FFFF;
constexpr std::size_t resume_key_size = 32;
constexpr std::size_t response_size = 12;

FsctlOutput answer(NtStatus status, const fscc::SrvCopychunkResponse& response) {
    FsctlOutput output;
    output.status = status;
    output.small = wire::to_bytes(response);
    return output;
}

// [MS-SMB2] 3.3.5.15.6.2 Sending an Invalid Parameter Server-Side Copy Response.
FsctlOutput limits_of(const ServerConfig& config) {
    return answer(NtStatus::INVALID_PARAMETER, {config.copy_max_chunks, config.copy_max_chunk_size,
                                                config.copy_max_request_size});
}

bool ends_within(std::uint64_t offset, std::uint64_t length, std::uint64_t end) {
    return offset <= end && length <= end - offset;
}

bool within_limits(const ServerConfig& config, const fscc::SrvCopychunkCopy& copy) {
    if (copy.chunk_count > config.copy_max_chunks) return false;
    std::uint64_t total = 0;
    for (const Chunk& chunk : copy.chunks) {
        if (chunk.length == 0 || chunk.length > config.copy_max_chunk_size) return false;
        if (!ends_within(chunk.source_offset, chunk.length, max_offset)) return false;
        if (!ends_within(chunk.target_offset, chunk.length, max_offset)) return false;
        total += chunk.length;
    }
    return total <= config.copy_max_request_size;
}

NtStatus check_opens(const Call& call, const Open& source, std::uint32_t code) {
    if (!source.fsa || source.is_directory() || call.open->is_directory()) {
        return NtStatus::INVALID_DEVICE_REQUEST;
    }
    // 3.3.5.15.6: what the source and the destination must have been opened for.
    const auto readable = fsa::check_operation(fsa::Operation::read, source.granted_access);
    if (!readable) return readable.error();
    const bool reads_back = code == static_cast<std::uint32_t>(fscc::Fsctl::srv_copychunk);
    if (reads_back && !call.open->may(fsa::access::read_data)) return NtStatus::ACCESS_DENIED;
    return NtStatus::SUCCESS;
}

NtStatus check_chunk(const Call& call, const Open& source, const Chunk& chunk, std::uint64_t size) {
    if (!ends_within(chunk.source_offset, chunk.length, size)) return NtStatus::INVALID_VIEW_SIZE;
    const auto read = source.fsa->file().check_read(*source.fsa, chunk.source_offset, chunk.length);
    if (!read) return read.error();
    const auto write =
        call.open->fsa->file().check_write(*call.open->fsa, chunk.target_offset, chunk.length);
    return write ? NtStatus::SUCCESS : write.error();
}

struct Copying {
    Call& call;
    Open& source;
    std::span<const Chunk> chunks;
    fscc::SrvCopychunkResponse response{};

    // The chunks from `first` on that follow each other in both files: the back end gets them as
    // one. Not within one file, where each may change what the next one reads.
    std::size_t run_length(std::size_t first, std::uint64_t size) const {
        std::size_t last = first;
        if (source.file_id == call.open->file_id) return 1;
        while (last + 1 < chunks.size()) {
            const Chunk& next = chunks[last + 1];
            if (next.source_offset != chunks[last].source_offset + chunks[last].length) break;
            if (next.target_offset != chunks[last].target_offset + chunks[last].length) break;
            if (check_chunk(call, source, next, size) != NtStatus::SUCCESS) break;
            ++last;
        }
        return last - first + 1;
    }

    void count(std::span<const Chunk> run, std::uint64_t bytes) {
        response.total_bytes_written += static_cast<std::uint32_t>(bytes);
        for (const Chunk& chunk : run) {
            if (bytes < chunk.length) break;
            bytes -= chunk.length;
            ++response.chunks_written;
        }
        response.chunk_bytes_written = static_cast<std::uint32_t>(bytes);
    }
};

Task<NtStatus> copy_chunks(Copying& copying) {
    Call& call = copying.call;
    const bool one_file = copying.source.file_id == call.open->file_id;
    std::uint64_t size = 0;
    for (std::size_t at = 0; at < copying.chunks.size();) {
        if (at == 0 || one_file) {
            Pending<vfs::FileStat> looking(call.loop());
            copying.source.file->stat(call.op(Lane::metadata), looking.done());
            const Result<vfs::FileStat> stat = co_await looking;
            if (!stat) co_return stat.error();
            size = stat->end_of_file;
        }
        const Chunk& chunk = copying.chunks[at];
        const NtStatus status = check_chunk(call, copying.source, chunk, size);
        if (status != NtStatus::SUCCESS) co_return status;
        const auto run = copying.chunks.subspan(at, copying.run_length(at, size));
        vfs::CopyRequest range;
        range.source_offset = chunk.source_offset;
        range.offset = chunk.target_offset;
        range.length = run.back().source_offset + run.back().length - chunk.source_offset;
        Task<Moved> moving = copy_range(call, copying.source, range);
        const Moved moved = co_await moving;
        copying.count(run, moved.bytes);
        if (moved.status != NtStatus::SUCCESS) co_return moved.status;
        at += run.size();
    }
    co_return NtStatus::SUCCESS;
}

Task<NtStatus> finish_copy(Copying& copying) {
    Call& call = copying.call;
    Task<bool> keeping = keep_copy_times(call, copying.source);
    co_await keeping;
    if (!call.open->write_through()) co_return NtStatus::SUCCESS;
    Pending<void> flushing(call.loop());
    call.open->file->flush(call.op(Lane::bulk_io), flushing.done());
    const Result<void> flushed = co_await flushing;
    co_return flushed ? NtStatus::SUCCESS : flushed.error();
}

}  // namespace

FsctlReply fsctl_request_resume_key(Call& call, const wire::IoctlRequest& request) {
    if (request.max_output_response < resume_key_size) co_return fail(NtStatus::INVALID_PARAMETER);
    fscc::SrvRequestResumeKey response;
    response.resume_key = resume_key(*call.open);
    FsctlOutput output;
    output.small = wire::to_bytes(response);
    co_return output;
}

FsctlReply fsctl_copychunk(Call& call, const wire::IoctlRequest& request) {
    fscc::ResumeKey key{};
    if (request.input.size() < resume_key_size) co_return fail(NtStatus::INVALID_PARAMETER);
    std::memcpy(key.data(), request.input.data(), key.size());
    const OpenRef source = find_copy_source(call, key);
    if (!source) co_return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
    if (request.max_output_response < response_size) co_return fail(NtStatus::INVALID_PARAMETER);
    const auto copy = wire::parse<fscc::SrvCopychunkCopy>(request.input);
    // A buffer that is too short for its chunks, too: "InputCount is less than the size".
    if (!copy || !within_limits(call.config(), *copy)) co_return limits_of(call.config());
    const NtStatus allowed = check_opens(call, *source, request.ctl_code);
    if (allowed != NtStatus::SUCCESS) co_return fail(allowed);

    Copying copying{call, *source, copy->chunks};
    Task<NtStatus> running = copy_chunks(copying);
    NtStatus status = co_await running;
    if (copying.response.total_bytes_written != 0) {
        Task<NtStatus> finishing = finish_copy(copying);
        const NtStatus finished = co_await finishing;
        if (status == NtStatus::SUCCESS) status = finished;
    }
    // INVALID_PARAMETER would make the client take the counts for limits.
    if (status == NtStatus::INVALID_PARAMETER) co_return limits_of(call.config());
    // 3.3.5.15.6.1: how far it came goes with the error.
    co_return answer(status, copying.response);
}

}  // namespace smb3d::engine
