#include "engine/fsctl/copy_source.h"

#include <algorithm>
#include <span>

#include "crypto/random.h"
#include "engine/change_report.h"
#include "engine/fsa_wait.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

constexpr std::uint64_t buffer_size = 1 * limits::mib;  // of a copy through memory

bool same_file(const Open& a, const Open& b) { return a.file_id == b.file_id; }

// One buffer's worth.  Yields 0 at the end of the source.
Task<Result<std::uint64_t>> copy_buffered(Call& call, Open& source, vfs::CopyRequest range) {
    const bool whole = same_file(source, *call.open);
    const std::uint64_t size = whole ? range.length : std::min(range.length, buffer_size);
    const Buffer buffer = call.loop().buffers().allocate(static_cast<std::size_t>(size));
    if (buffer.empty()) co_return fail(NtStatus::INSUFF_SERVER_RESOURCES);
    const ::iovec into{const_cast<std::byte*>(buffer.data()), buffer.size()};
    Pending<std::size_t> reading(call.loop());
    source.file->read(call.op(Lane::bulk_io), range.source_offset, std::span(&into, 1),
                      reading.done());
    const Result<std::size_t> count = co_await reading;
    if (!count) co_return fail(count.error());
    if (*count == 0) co_return std::uint64_t{0};
    const ::iovec from{into.iov_base, *count};
    Pending<std::size_t> writing(call.loop());
    call.open->file->write(call.op(Lane::bulk_io), range.offset, std::span(&from, 1), false,
                           writing.done());
    const Result<std::size_t> written = co_await writing;
    if (!written) co_return fail(written.error());
    co_return std::uint64_t{*written};
}

Task<bool> store_times(Call& call, Open& open, std::optional<vfs::StatChange> change) {
    if (!change) co_return false;
    Pending<void> setting(call.loop());
    open.file->set_stat(call.op(Lane::metadata), *change, setting.done());
    const Result<void> set = co_await setting;
    co_return set.has_value();
}

template <class T>
void put(fscc::ResumeKey& key, std::size_t at, T value) {
    wire::detail::to_little(reinterpret_cast<std::byte*>(key.data() + at), value);
}
std::uint64_t get(const fscc::ResumeKey& key, std::size_t at) {
    return wire::detail::from_little<std::uint64_t>(
        reinterpret_cast<const std::byte*>(key.data() + at));
}

}  // namespace

// [MS-SMB2] 3.3.5.15.5: unique in the server.  The FileId finds the open; the random part keeps a
// key from being made up, and one that was never asked for from being known.
fscc::ResumeKey resume_key(Open& open) {
    std::uint64_t tag = open.resume_tag.load(std::memory_order_relaxed);
    while (tag == 0) {
        std::uint64_t fresh = 0;
        crypto::random_bytes(std::as_writable_bytes(std::span(&fresh, 1)));
        if (fresh != 0 && open.resume_tag.compare_exchange_strong(tag, fresh)) tag = fresh;
    }
    fscc::ResumeKey key{};
    put(key, 0, open.persistent_id);
    put(key, 8, open.id);
    put(key, 16, tag);
    return key;
}

OpenRef find_copy_source(Call& call, const fscc::ResumeKey& key) {
    std::shared_ptr<Open> open = call.session->find_open(get(key, 8), get(key, 0));
    const std::uint64_t tag = get(key, 16);
    if (!open || tag == 0 || open->resume_tag.load(std::memory_order_relaxed) != tag) return {};
    return OpenRef(std::move(open));
}

Task<Moved> copy_range(Call& call, Open& source, vfs::CopyRequest range) {
    Moved moved;
    bool by_backend = true;
    Task<bool> before = break_readers_recorded(call);
    co_await before;
    range.source = source.file.get();
    while (range.length > 0) {
        if (call.cancellation.requested()) {
            moved.status = NtStatus::CANCELLED;
            co_return moved;
        }
        Result<std::uint64_t> step = std::uint64_t{0};
        if (by_backend) {
            Pending<std::uint64_t> copying(call.loop());
            call.open->file->copy_range(call.op(Lane::bulk_io), range, copying.done());
            step = co_await copying;
            // A file that says it has ended here is read to make sure: some of the kernel's have no
            // size.
            if ((step && *step == 0) || (!step && step.error() == NtStatus::NOT_SUPPORTED)) {
                by_backend = false;
                continue;
            }
        } else {
            Task<Result<std::uint64_t>> copying = copy_buffered(call, source, range);
            step = co_await copying;
            if (step && *step == 0) step = fail(NtStatus::INVALID_VIEW_SIZE);
        }
        // What arrived is there although the rest failed.
        Task<bool> after = break_readers_recorded(call);
        co_await after;
        if (!step) {
            moved.status = step.error();
            co_return moved;
        }
        const std::uint64_t bytes = std::min(*step, range.length);
        moved.bytes += bytes;
        range.source_offset += bytes;
        range.offset += bytes;
        range.length -= bytes;
    }
    co_return moved;
}

Task<bool> keep_copy_times(Call& call, Open& source) {
    // Whoever began to cache meanwhile, and those who watch.
    Task<bool> after = break_readers_recorded(call);
    co_await after;
    report_write(call.server(), *call.open, call.loop());
    Task<bool> written = store_times(call, *call.open, call.open->time_pins.lock()->after_write());
    const bool first = co_await written;
    Task<bool> read = store_times(call, source, source.time_pins.lock()->after_read());
    const bool second = co_await read;
    co_return first || second;
}

}  // namespace smb3d::engine
