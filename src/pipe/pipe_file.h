// PipeFile: one open pipe: the messages between a client and an RpcConnection, as a vfs::File.
//
// Purpose: WRITE and FSCTL_PIPE_TRANSCEIVE feed the connection; its PDUs wait as messages for READ.
// A read with
//   nothing to read waits until a message comes, it is cancelled, or the pipe ends.
// Spec: [MS-FSCC] 2.3.45 (peek), 2.3.49 (transceive), 2.4.37 (message mode); [MS-RPCE] 2.1.1.2.
// Thread: any; writes are processed one after another in the order they came, on the worker pool if
// the request has a
//   loop, while reads are served from what is there.
// Lifetime: as vfs.h says: close() comes last, when nothing is under way.
// Errors: PIPE_DISCONNECTED once the connection is broken and its last answer has been read;
// PIPE_BUSY for a
//   transceive while an answer waits to be read; INSUFFICIENT_RESOURCES beyond the limits below.
//
//   A read:  queued (arming) --listener set--> queued (armed) --message | cancel | end--> done
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/guarded.h"
#include "pipe/rpc.h"
#include "smb3d/vfs.h"

namespace smb3d::pipe {

inline constexpr std::size_t max_pipe_write = 128 * 1024;
inline constexpr std::size_t max_queued_operations = 64;  // of a pipe: reads, and writes
inline constexpr std::size_t max_queued_replies =
    4 * 1024 * 1024;  // bytes that nobody has read yet
static_assert(max_queued_replies > 2 * max_reply);
static_assert(max_pipe_write <= rpc::max_input);

class PipeFile : public vfs::File {
  public:
    PipeFile(const PipeService& service, std::shared_ptr<const ServerView> view,
             std::uint64_t instance);

    static vfs::FileStat stat_of(std::uint64_t instance);

    void close(const vfs::OpContext& context, vfs::Done<void> done) override;
    void stat(const vfs::OpContext& context, vfs::Done<vfs::FileStat> done) override;
    void set_stat(const vfs::OpContext& context, const vfs::StatChange& change,
                  vfs::Done<void> done) override;
    void read(const vfs::OpContext& context, std::uint64_t offset, std::span<const ::iovec> into,
              vfs::Done<std::size_t> done) override;
    void write(const vfs::OpContext& context, std::uint64_t offset, std::span<const ::iovec> from,
               bool through, vfs::Done<std::size_t> done) override;
    void control(const vfs::OpContext& context, std::uint32_t code, Bytes input,
                 std::size_t max_output, vfs::Done<Buffer> done) override;
    bool read_incomplete() const override { return incomplete_.load(std::memory_order_acquire); }

  private:
    // Where a message goes: a READ's memory, or a new Buffer for a transceive.
    struct Sink {
        std::variant<vfs::Done<std::size_t>, vfs::Done<Buffer>> done;
        std::span<const ::iovec> into;
        std::size_t room{0};
    };
    struct Read {
        PipeFile* file{nullptr};
        vfs::Cancellation* cancel{nullptr};
        Sink sink;
        bool armed{false};
        bool cancelled{false};
    };
    struct Write : Work {
        PipeFile* file{nullptr};
        const vfs::OpContext* context{nullptr};
        std::vector<std::byte> data;
        std::optional<vfs::Done<std::size_t>> written;  // a WRITE
        std::optional<Sink> transceive;                 // or this
    };
    // What is to be told once no lock is held.  The Read stays until its listener can no longer
    // run.
    struct Completion {
        std::unique_ptr<Read> read;
        Result<std::vector<std::byte>> message;
    };
    struct State {
        std::deque<std::vector<std::byte>> replies;
        std::size_t front_offset{0};  // what of the first has been read
        std::size_t bytes{0};         // in `replies`, not yet read
        bool busy{false};             // a thread is in connection_
        bool broken{false};
        bool closed{false};
        std::deque<std::unique_ptr<Read>> reads;
        std::deque<std::unique_ptr<Write>> writes;
    };

    void submit(std::unique_ptr<Write> job);
    static void run_work(Work* work);
    void run(std::unique_ptr<Write> job);
    // What processing a write leaves to do once no lock is held.
    struct After {
        std::unique_ptr<Write> next;
        std::vector<Completion> completions;
        Read* to_arm{nullptr};
    };
    After after_processing(const Write& job, std::vector<rpc::Bits>& replies);
    std::unique_ptr<Read> make_read(vfs::Cancellation* cancel, Sink sink);
    void arm(Read* read);
    void serve_reads(State& state, std::vector<Completion>& completions);
    static void on_cancel(void* context);
    Result<std::vector<std::byte>> take_message(State& state, std::size_t room);
    static void complete(std::vector<Completion>& completions);
    static void complete(const Sink& sink, Result<std::vector<std::byte>> message);
    void peek(std::size_t max_output, vfs::Done<Buffer> done);
    void transceive(const vfs::OpContext& context, Bytes input, std::size_t max_output,
                    vfs::Done<Buffer> done);

    const std::uint64_t instance_;
    std::atomic<bool> incomplete_{false};
    rpc::RpcConnection connection_;  // belongs to the thread that has set State::busy
    Guarded<State, Rank::leaf> state_;
};

}  // namespace smb3d::pipe
