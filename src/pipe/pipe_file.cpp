#include "pipe/pipe_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pipe/pipe_share.h"

namespace smb3d::pipe {

namespace {

std::size_t total_size(std::span<const ::iovec> parts) {
    std::size_t size = 0;
    for (const ::iovec& part : parts) size += part.iov_len;
    return size;
}

std::vector<std::byte> gather(std::span<const ::iovec> parts) {
    std::vector<std::byte> data;
    data.reserve(total_size(parts));
    for (const ::iovec& part : parts) {
        const auto* begin = static_cast<const std::byte*>(part.iov_base);
        data.insert(data.end(), begin, begin + part.iov_len);
    }
    return data;
}

void scatter(Bytes data, std::span<const ::iovec> into) {
    for (const ::iovec& part : into) {
        const std::size_t size = std::min(part.iov_len, data.size());
        if (size != 0) std::memcpy(part.iov_base, data.data(), size);
        data = data.subspan(size);
    }
}

}  // namespace

PipeFile::PipeFile(const PipeService& service, std::shared_ptr<const ServerView> view,
                   std::uint64_t instance)
    : instance_(instance), connection_(service, std::move(view)) {}

vfs::FileStat PipeFile::stat_of(std::uint64_t instance) {
    constexpr std::uint32_t attribute_normal = 0x00000080;
    vfs::FileStat stat;
    stat.id = {0x49504324, instance, 0};  // "IPC$"; each open is a pipe of its own
    stat.kind = vfs::FileKind::pipe;
    stat.attributes = attribute_normal;
    stat.allocation_size = 4096;
    stat.mode = 0666;
    return stat;
}

void PipeFile::stat(const vfs::OpContext&, vfs::Done<vfs::FileStat> done) {
    done(stat_of(instance_));
}

void PipeFile::set_stat(const vfs::OpContext&, const vfs::StatChange&, vfs::Done<void> done) {
    done(fail(NtStatus::NOT_SUPPORTED));
}

void PipeFile::close(const vfs::OpContext&, vfs::Done<void> done) {
    std::vector<Completion> completions;
    {
        auto state = state_.lock();
        state->closed = true;
        serve_reads(*state, completions);
    }
    complete(completions);
    done({});
}

void PipeFile::complete(const Sink& sink, Result<std::vector<std::byte>> message) {
    if (const auto* read = std::get_if<vfs::Done<std::size_t>>(&sink.done)) {
        if (!message) {
            (*read)(fail(message.error()));
            return;
        }
        scatter(*message, sink.into);
        (*read)(message->size());
        return;
    }
    const auto& control = std::get<vfs::Done<Buffer>>(sink.done);
    if (!message) {
        control(fail(message.error()));
        return;
    }
    Buffer buffer = make_heap_buffer(message->size());
    std::copy(message->begin(), message->end(), buffer.data());
    control(std::move(buffer));
}

void PipeFile::complete(std::vector<Completion>& completions) {
    for (Completion& completion : completions) {
        // No listener may run once the request knows its result.
        const Read& read = *completion.read;
        if (read.cancel != nullptr) read.cancel->unlisten();
        complete(read.sink, std::move(completion.message));
    }
}

// The next message, or as much of it as there is room for; the rest stays.
Result<std::vector<std::byte>> PipeFile::take_message(State& state, std::size_t room) {
    auto& front = state.replies.front();
    const std::size_t left = front.size() - state.front_offset;
    const std::size_t size = std::min(room, left);
    const auto begin = front.begin() + static_cast<std::ptrdiff_t>(state.front_offset);
    std::vector<std::byte> part(begin, begin + static_cast<std::ptrdiff_t>(size));
    state.bytes -= size;
    if (size == left) {
        state.replies.pop_front();
        state.front_offset = 0;
    } else {
        state.front_offset += size;
    }
    incomplete_.store(size < left, std::memory_order_release);
    return part;
}

// Gives waiting reads what they wait for, first come first served.
void PipeFile::serve_reads(State& state, std::vector<Completion>& completions) {
    while (!state.reads.empty()) {
        const Read& read = *state.reads.front();
        if (!read.armed) return;  // its own thread looks again once it is
        Result<std::vector<std::byte>> message = fail(NtStatus::PIPE_BROKEN);
        if (!state.closed) {
            if (!state.replies.empty()) {
                message = take_message(state, read.sink.room);
            } else if (state.broken) {
                message = fail(NtStatus::PIPE_DISCONNECTED);
            } else {
                return;
            }
        }
        completions.push_back({std::move(state.reads.front()), std::move(message)});
        state.reads.pop_front();
    }
}

std::unique_ptr<PipeFile::Read> PipeFile::make_read(vfs::Cancellation* cancel, Sink sink) {
    auto read = std::make_unique<Read>(Read{this, cancel, sink, false, false});
    return read;
}

void PipeFile::read(const vfs::OpContext& context, std::uint64_t, std::span<const ::iovec> into,
                    vfs::Done<std::size_t> done) {
    incomplete_.store(false, std::memory_order_release);
    auto read = make_read(context.cancel, Sink{done, into, total_size(into)});
    Read* queued = read.get();
    bool full = false;
    {
        auto state = state_.lock();
        full = state->reads.size() >= max_queued_operations;
        if (!full) state->reads.push_back(std::move(read));
    }
    if (full) {
        done(fail(NtStatus::INSUFFICIENT_RESOURCES));
        return;
    }
    arm(queued);
}

// Sets the cancel listener of a queued read, with no lock held, then lets it take part.  Nobody
// else takes a read off the queue before that.
void PipeFile::arm(Read* read) {
    vfs::Cancellation* cancel = read->cancel;
    const bool listening = cancel == nullptr || cancel->listen(&PipeFile::on_cancel, read);
    std::vector<Completion> completions;
    {
        auto state = state_.lock();
        if (!listening || read->cancelled) {
            const auto found = std::find_if(state->reads.begin(), state->reads.end(),
                                            [&](const auto& other) { return other.get() == read; });
            completions.push_back({std::move(*found), fail(NtStatus::CANCELLED)});
            state->reads.erase(found);
        } else {
            read->armed = true;
        }
        serve_reads(*state, completions);
    }
    complete(completions);
}

// Runs inside Cancellation::request(), which keeps unlisten() waiting meanwhile: `context` is
// alive, since whoever takes a read off the queue calls unlisten() before letting it go.
void PipeFile::on_cancel(void* context) {
    auto* read = static_cast<Read*>(context);
    std::unique_ptr<Read> cancelled;
    {
        auto state = read->file->state_.lock();
        const auto found = std::find_if(state->reads.begin(), state->reads.end(),
                                        [&](const auto& other) { return other.get() == read; });
        if (found == state->reads.end()) return;  // it has a result already
        if (!read->armed) {
            read->cancelled = true;
            return;
        }
        cancelled = std::move(*found);
        state->reads.erase(found);
    }
    complete(cancelled->sink, fail(NtStatus::CANCELLED));
}

void PipeFile::write(const vfs::OpContext& context, std::uint64_t, std::span<const ::iovec> from,
                     bool, vfs::Done<std::size_t> done) {
    if (total_size(from) > max_pipe_write) {
        done(fail(NtStatus::INVALID_PARAMETER));
        return;
    }
    auto job = std::make_unique<Write>();
    job->context = &context;
    job->data = gather(from);
    job->written = done;
    submit(std::move(job));
}

void PipeFile::transceive(const vfs::OpContext& context, Bytes input, std::size_t max_output,
                          vfs::Done<Buffer> done) {
    if (input.size() > max_pipe_write) {
        done(fail(NtStatus::INVALID_PARAMETER));
        return;
    }
    auto job = std::make_unique<Write>();
    job->context = &context;
    job->data.assign(input.begin(), input.end());
    job->transceive = Sink{done, {}, max_output};
    submit(std::move(job));
}

void PipeFile::submit(std::unique_ptr<Write> job) {
    job->file = this;
    job->run = &PipeFile::run_work;
    auto refusal = NtStatus::SUCCESS;
    {
        auto state = state_.lock();
        if (state->closed || state->broken) {
            refusal = NtStatus::PIPE_DISCONNECTED;
        } else if (job->transceive && !state->replies.empty()) {
            // [MS-FSA] 2.1.5.10.27 via NPFS: a transceive needs an empty queue.
            refusal = NtStatus::PIPE_BUSY;
        } else if (state->writes.size() >= max_queued_operations ||
                   state->bytes > max_queued_replies - max_reply) {
            refusal = NtStatus::INSUFFICIENT_RESOURCES;
        } else if (state->busy) {
            state->writes.push_back(std::move(job));
            return;
        } else {
            state->busy = true;
        }
    }
    if (refusal != NtStatus::SUCCESS) {
        if (job->written) {
            (*job->written)(fail(refusal));
        } else {
            complete(*job->transceive, fail(refusal));
        }
        return;
    }
    // Services may wait for loops (ServerView), and authentication for the disk: not on a loop.
    if (Loop* loop = job->context->loop) {
        loop->pool().submit(Lane::metadata, *job.release());
        return;
    }
    run(std::move(job));
}

void PipeFile::run_work(Work* work) {
    std::unique_ptr<Write> job(static_cast<Write*>(work));
    PipeFile* file = job->file;
    file->run(std::move(job));
}

// Processes `job` and those that were queued meanwhile.  Once the last of them has its result the
// file may be gone.
void PipeFile::run(std::unique_ptr<Write> job) {
    while (job) {
        std::vector<rpc::Bits> replies;
        connection_.feed(job->data, *job->context->caller, replies);
        After after = after_processing(*job, replies);
        complete(after.completions);
        if (after.to_arm != nullptr) arm(after.to_arm);
        if (job->written) (*job->written)(job->data.size());
        job = std::move(after.next);
    }
}

// Puts the answers where reads find them.  A transceive is from here on the first of the reads.
PipeFile::After PipeFile::after_processing(const Write& job, std::vector<rpc::Bits>& replies) {
    After after;
    auto state = state_.lock();
    for (rpc::Bits& reply : replies) {
        state->bytes += reply.size();
        state->replies.push_back(std::move(reply));
    }
    state->broken = connection_.broken();
    if (job.transceive) {
        state->reads.push_front(make_read(job.context->cancel, *job.transceive));
        after.to_arm = state->reads.front().get();
    }
    serve_reads(*state, after.completions);
    if (state->writes.empty()) {
        state->busy = false;
    } else {
        after.next = std::move(state->writes.front());
        state->writes.pop_front();
    }
    return after;
}

// [MS-FSCC] 2.3.46 FSCTL_PIPE_PEEK reply
void PipeFile::peek(std::size_t max_output, vfs::Done<Buffer> done) {
    constexpr std::size_t fixed = 16;
    constexpr std::uint32_t connected_state = 3;
    if (max_output < fixed) {
        done(fail(NtStatus::INFO_LENGTH_MISMATCH));
        return;
    }
    ndr::Writer out;
    bool more = false;
    {
        auto state = state_.lock();
        const bool any = !state->replies.empty();
        const std::size_t left = any ? state->replies.front().size() - state->front_offset : 0;
        const std::size_t shown = std::min(left, max_output - fixed);
        out.u32(connected_state);
        out.u32(static_cast<std::uint32_t>(state->bytes));
        out.u32(static_cast<std::uint32_t>(state->replies.size()));
        out.u32(static_cast<std::uint32_t>(left));
        if (any) out.bytes(Bytes(state->replies.front()).subspan(state->front_offset, shown));
        more = shown < left;
    }
    incomplete_.store(more, std::memory_order_release);
    Buffer buffer = make_heap_buffer(out.size());
    std::copy(out.view().begin(), out.view().end(), buffer.data());
    done(std::move(buffer));
}

void PipeFile::control(const vfs::OpContext& context, std::uint32_t code, Bytes input,
                       std::size_t max_output, vfs::Done<Buffer> done) {
    incomplete_.store(false, std::memory_order_release);
    switch (code) {
        case fsctl_pipe_transceive:
            transceive(context, input, max_output, done);
            return;
        case fsctl_pipe_peek:
            peek(max_output, done);
            return;
        default:
            done(fail(NtStatus::NOT_SUPPORTED));
            return;
    }
}

}  // namespace smb3d::pipe
