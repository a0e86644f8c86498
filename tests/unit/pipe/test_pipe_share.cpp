#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <thread>

#include "unit/pipe/pipe_fixture.h"

namespace smb3d::pipe::test {
namespace {

// A result, when it is there.
template <class T>
struct Outcome {
    std::optional<Result<T>> result;
    int calls{0};
    vfs::Done<T> done() {
        return vfs::Done<T>(
            [](void* context, Result<T>&& value) {
                auto* self = static_cast<Outcome*>(context);
                self->result.emplace(std::move(value));
                ++self->calls;
            },
            this);
    }
};

template <class T>
NtStatus status_of(const Outcome<T>& outcome) {
    if (!outcome.result) return NtStatus::PENDING;
    return *outcome.result ? NtStatus::SUCCESS : outcome.result->error();
}

class PipeShare : public ::testing::Test {
  protected:
    PipeShare() { context_.caller = &caller_; }

    std::shared_ptr<vfs::File> open(const std::string& path, NtStatus expected = NtStatus::SUCCESS,
                                    vfs::WantKind kind = vfs::WantKind::any) {
        vfs::OpenRequest request;
        request.path = path;
        request.kind = kind;
        Outcome<vfs::OpenReply> outcome;
        share_->open(context_, request, outcome.done());
        EXPECT_EQ(status_of(outcome), expected) << path;
        if (!outcome.result || !*outcome.result) return nullptr;
        stat_ = (*outcome.result)->stat;
        return (*outcome.result)->file;
    }

    void write(vfs::File& file, Bits data, NtStatus expected = NtStatus::SUCCESS) {
        ::iovec part{data.data(), data.size()};
        Outcome<std::size_t> outcome;
        file.write(context_, 0, std::span(&part, 1), false, outcome.done());
        ASSERT_EQ(status_of(outcome), expected);
        if (expected == NtStatus::SUCCESS) {
            EXPECT_EQ(**outcome.result, data.size());
        }
    }

    struct Read {
        Outcome<std::size_t> outcome;
        Bits memory;
        ::iovec part{};
        Bits data() const {
            return {memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(**outcome.result)};
        }
    };
    std::unique_ptr<Read> read(vfs::File& file, std::size_t size,
                               vfs::Cancellation* cancel = nullptr) {
        auto made = std::make_unique<Read>();
        made->memory.resize(size);
        made->part = {made->memory.data(), size};
        reading_ = context_;
        reading_.cancel = cancel;
        file.read(reading_, 0, std::span(&made->part, 1), made->outcome.done());
        return made;
    }

    Result<Buffer> control(vfs::File& file, std::uint32_t code, Bytes input, std::size_t room) {
        Outcome<Buffer> outcome;
        file.control(context_, code, input, room, outcome.done());
        EXPECT_TRUE(outcome.result.has_value());
        return outcome.result ? std::move(*outcome.result) : fail(NtStatus::PENDING);
    }

    void close(vfs::File& file) {
        Outcome<void> outcome;
        file.close(context_, outcome.done());
        EXPECT_EQ(status_of(outcome), NtStatus::SUCCESS);
    }

    std::shared_ptr<FakeView> view_ = std::make_shared<FakeView>();
    std::shared_ptr<vfs::Share> share_ = make_pipe_share(view_);
    Caller caller_ = user_caller();
    vfs::OpContext context_;
    vfs::OpContext reading_;
    vfs::FileStat stat_;
};

TEST_F(PipeShare, IsAPipeShare) {
    EXPECT_TRUE(share_->capabilities().is_pipe);
    EXPECT_TRUE(share_->capabilities().case_insensitive);
}

TEST_F(PipeShare, NamesComeFromAFixedTable) {
    for (const char* name : {"srvsvc", "SRVSVC", "wkssvc", "lsarpc", "lsass", "PIPE/srvsvc",
                             "pipe\\wkssvc", "\\srvsvc"}) {
        EXPECT_NE(open(name), nullptr) << name;
        EXPECT_EQ(stat_.kind, vfs::FileKind::pipe);
        EXPECT_EQ(stat_.allocation_size, 4096U);
        EXPECT_EQ(stat_.attributes, 0x80U);
        EXPECT_EQ(stat_.links, 1U);
    }
    for (const char* name :
         {"srvsv", "srvsvcx", "../srvsvc", "srvsvc/", "/srvsvc/..", "srvsvc/x", "../../tmp/x",
          "pipe/pipe/srvsvc", "pipe", "pipe/", "spoolss", "/proc/self/maps", "srvsvc:x", "*"}) {
        EXPECT_EQ(open(name, NtStatus::OBJECT_NAME_NOT_FOUND), nullptr) << name;
    }
    EXPECT_EQ(open(std::string("srvsvc\0x", 8), NtStatus::OBJECT_NAME_NOT_FOUND), nullptr);
    EXPECT_EQ(open("srvsvc", NtStatus::NOT_A_DIRECTORY, vfs::WantKind::directory), nullptr);
}

TEST_F(PipeShare, EachOpenIsAFileOfItsOwn) {
    open("srvsvc");
    const auto first = stat_.id;
    open("srvsvc");
    EXPECT_NE(first, stat_.id);
}

TEST_F(PipeShare, WriteThenRead) {
    const auto file = open("srvsvc");
    write(*file, bind_pdu(srvsvc_interface()));
    const auto ack = read(*file, 4280);
    ASSERT_EQ(status_of(ack->outcome), NtStatus::SUCCESS);
    EXPECT_EQ(static_cast<unsigned>(ack->data()[2]), 12U);
    EXPECT_FALSE(file->read_incomplete());
    write(*file, request_pdu(15, share_enum_stub(1)));
    const auto reply = read(*file, 4280);
    ASSERT_EQ(status_of(reply->outcome), NtStatus::SUCCESS);
    EXPECT_EQ(static_cast<unsigned>(reply->data()[2]), 2U);
    close(*file);
}

TEST_F(PipeShare, Transceive) {
    const auto file = open("srvsvc");
    auto ack = control(*file, fsctl_pipe_transceive, bind_pdu(srvsvc_interface()), 4280);
    ASSERT_TRUE(ack);
    EXPECT_EQ(static_cast<unsigned>(ack->bytes()[2]), 12U);
    auto reply = control(*file, fsctl_pipe_transceive, request_pdu(15, share_enum_stub(1)), 4280);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->size(), u16_at(reply->bytes(), 8));
    close(*file);
}

TEST_F(PipeShare, BothFormsGiveTheSame) {
    const auto a = open("srvsvc");
    const auto b = open("srvsvc");
    write(*a, bind_pdu(srvsvc_interface()));
    const auto ack = control(*b, fsctl_pipe_transceive, bind_pdu(srvsvc_interface()), 4280);
    EXPECT_EQ(to_hex(read(*a, 4280)->data()), to_hex(ack->bytes()));
    write(*a, request_pdu(15, share_enum_stub(1)));
    const auto reply =
        control(*b, fsctl_pipe_transceive, request_pdu(15, share_enum_stub(1)), 4280);
    EXPECT_EQ(to_hex(read(*a, 4280)->data()), to_hex(reply->bytes()));
}

TEST_F(PipeShare, AShortReadLeavesTheRestOfTheMessage) {
    const auto file = open("srvsvc");
    auto start = control(*file, fsctl_pipe_transceive, bind_pdu(srvsvc_interface()), 10);
    ASSERT_TRUE(start);
    EXPECT_EQ(start->size(), 10U);
    EXPECT_TRUE(file->read_incomplete());
    // As npfs has it, a transceive needs an empty pipe.
    const auto busy = control(*file, fsctl_pipe_transceive, request_pdu(15, {}), 100);
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error(), NtStatus::PIPE_BUSY);
    const auto next = read(*file, 20);
    EXPECT_EQ(next->data().size(), 20U);
    EXPECT_TRUE(file->read_incomplete());
    const auto rest = read(*file, 4280);
    EXPECT_FALSE(file->read_incomplete());
    EXPECT_EQ(10 + 20 + rest->data().size(), u16_at(start->bytes(), 8));
}

TEST_F(PipeShare, EachFragmentIsAMessage) {
    for (int i = 0; i < 100; ++i) {
        ShareEntry share;
        share.name = "share" + std::to_string(i);
        view_->shares_.push_back(share);
    }
    const auto file = open("srvsvc");
    ASSERT_TRUE(control(*file, fsctl_pipe_transceive, bind_pdu(srvsvc_interface(), 1432), 4280));
    const auto first =
        control(*file, fsctl_pipe_transceive, request_pdu(15, share_enum_stub(1)), 65536);
    ASSERT_TRUE(first);
    EXPECT_LE(first->size(), 1432U);
    EXPECT_FALSE(file->read_incomplete());
    const auto second = read(*file, 65536);
    EXPECT_EQ(static_cast<unsigned>(second->data()[3]) & 1U, 0U);
    EXPECT_EQ(second->data().size(), u16_at(second->data(), 8));
}

TEST_F(PipeShare, AReadWaitsForAnAnswer) {
    const auto file = open("srvsvc");
    const auto waiting = read(*file, 4280);
    EXPECT_EQ(status_of(waiting->outcome), NtStatus::PENDING);
    const auto second = read(*file, 4280);
    write(*file, bind_pdu(srvsvc_interface()));
    ASSERT_EQ(status_of(waiting->outcome), NtStatus::SUCCESS);
    EXPECT_EQ(static_cast<unsigned>(waiting->data()[2]), 12U);
    EXPECT_EQ(status_of(second->outcome), NtStatus::PENDING);
    close(*file);
    EXPECT_EQ(status_of(second->outcome), NtStatus::PIPE_BROKEN);
    EXPECT_EQ(second->outcome.calls, 1);
}

TEST_F(PipeShare, AWaitingReadCanBeCancelled) {
    const auto file = open("srvsvc");
    vfs::Cancellation cancel;
    const auto waiting = read(*file, 4280, &cancel);
    EXPECT_EQ(status_of(waiting->outcome), NtStatus::PENDING);
    cancel.request();
    EXPECT_EQ(status_of(waiting->outcome), NtStatus::CANCELLED);
    EXPECT_EQ(waiting->outcome.calls, 1);
    vfs::Cancellation before;
    before.request();
    const auto late = read(*file, 4280, &before);
    EXPECT_EQ(status_of(late->outcome), NtStatus::CANCELLED);
    // The answer that comes then is for the next reader.
    write(*file, bind_pdu(srvsvc_interface()));
    EXPECT_EQ(status_of(read(*file, 4280)->outcome), NtStatus::SUCCESS);
    vfs::Cancellation unused;
    write(*file, request_pdu(15, share_enum_stub(0)));
    const auto served = read(*file, 4280, &unused);
    unused.request();
    EXPECT_EQ(served->outcome.calls, 1);
    EXPECT_EQ(status_of(served->outcome), NtStatus::SUCCESS);
}

TEST_F(PipeShare, CancelAndAnswerMayMeet) {
    for (int round = 0; round < 300; ++round) {
        const auto file = open("srvsvc");
        vfs::Cancellation cancel;
        const auto waiting = read(*file, 4280, &cancel);
        std::thread other([&] { cancel.request(); });
        write(*file, bind_pdu(srvsvc_interface()));
        other.join();
        EXPECT_EQ(waiting->outcome.calls, 1);
        const NtStatus status = status_of(waiting->outcome);
        EXPECT_TRUE(status == NtStatus::SUCCESS || status == NtStatus::CANCELLED);
        close(*file);
    }
}

TEST_F(PipeShare, WaitingReadsAreLimited) {
    const auto file = open("srvsvc");
    std::vector<std::unique_ptr<Read>> reads;
    for (int i = 0; i < 64; ++i) reads.push_back(read(*file, 16));
    EXPECT_EQ(status_of(read(*file, 16)->outcome), NtStatus::INSUFFICIENT_RESOURCES);
    close(*file);
}

TEST_F(PipeShare, ABrokenConnectionEndsThePipe) {
    const auto file = open("srvsvc");
    write(*file, Bits(64, std::byte{0xFF}));
    EXPECT_EQ(status_of(read(*file, 4280)->outcome), NtStatus::PIPE_DISCONNECTED);
    write(*file, bind_pdu(srvsvc_interface()), NtStatus::PIPE_DISCONNECTED);
    EXPECT_FALSE(control(*file, fsctl_pipe_transceive, bind_pdu(srvsvc_interface()), 4280));
}

TEST_F(PipeShare, TheLastAnswerOfABrokenConnectionCanBeRead) {
    const auto file = open("srvsvc");
    write(*file, request_pdu(15, share_enum_stub(1)));  // before any bind
    const auto reply = read(*file, 4280);
    ASSERT_EQ(status_of(reply->outcome), NtStatus::SUCCESS);
    EXPECT_EQ(static_cast<unsigned>(reply->data()[2]), 3U);
    EXPECT_EQ(status_of(read(*file, 4280)->outcome), NtStatus::PIPE_DISCONNECTED);
}

TEST_F(PipeShare, AClientThatNeverReadsIsStopped) {
    for (int i = 0; i < 20000; ++i) {
        ShareEntry share;
        share.name = "share number " + std::to_string(i);
        view_->shares_.push_back(share);
    }
    const auto file = open("srvsvc");
    write(*file, bind_pdu(srvsvc_interface()));
    Bits pdu = request_pdu(15, share_enum_stub(1));
    ::iovec part{pdu.data(), pdu.size()};
    NtStatus status = NtStatus::SUCCESS;
    int sent = 0;
    while (status == NtStatus::SUCCESS && sent < 100) {
        Outcome<std::size_t> outcome;
        file->write(context_, 0, std::span(&part, 1), false, outcome.done());
        status = status_of(outcome);
        ++sent;
    }
    EXPECT_EQ(status, NtStatus::INSUFFICIENT_RESOURCES);
    EXPECT_LT(sent, 20);
}

TEST_F(PipeShare, AnOversizedWriteIsRefused) {
    const auto file = open("srvsvc");
    write(*file, Bits(1 << 20), NtStatus::INVALID_PARAMETER);
}

TEST_F(PipeShare, Peek_MsFscc_2_3_46) {
    const auto file = open("srvsvc");
    auto empty = control(*file, fsctl_pipe_peek, {}, 1024);
    ASSERT_TRUE(empty);
    EXPECT_EQ(to_hex(empty->bytes()), "03000000000000000000000000000000");
    write(*file, bind_pdu(srvsvc_interface()));
    auto peeked = control(*file, fsctl_pipe_peek, {}, 24);
    ASSERT_TRUE(peeked);
    EXPECT_EQ(to_hex(peeked->bytes()), "0300000044000000010000004400000005000c0310000000");
    EXPECT_TRUE(file->read_incomplete());
    EXPECT_EQ(read(*file, 4280)->data().size(), 0x44U);
    EXPECT_FALSE(control(*file, fsctl_pipe_peek, {}, 15));
}

TEST_F(PipeShare, Wait_MsFscc_2_3_49) {
    const auto root = open("");
    ASSERT_TRUE(root);
    const auto known = from_hex("0000000000000000 0c000000 00 00 730072007600730076006300");
    EXPECT_TRUE(control(*root, fsctl_pipe_wait, known, 0));
    const auto unknown = from_hex("0000000000000000 02000000 00 00 7300");
    EXPECT_EQ(control(*root, fsctl_pipe_wait, unknown, 0).error(), NtStatus::OBJECT_NAME_NOT_FOUND);
    const auto lies = from_hex("0000000000000000 ffffffff 00 00 7300");
    EXPECT_EQ(control(*root, fsctl_pipe_wait, lies, 0).error(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(control(*root, fsctl_pipe_peek, {}, 16).error(), NtStatus::NOT_SUPPORTED);
    for (std::size_t size = 0; size < 14; ++size) {
        EXPECT_FALSE(control(*root, fsctl_pipe_wait, Bytes(known).first(size), 0));
    }
    close(*root);
}

TEST_F(PipeShare, OtherControlsAreNotSupported) {
    const auto file = open("srvsvc");
    EXPECT_EQ(control(*file, 0x00060194, {}, 16).error(), NtStatus::NOT_SUPPORTED);
}

// With a loop, calls run on its worker pool: a pool of one thread shows the order and the
// hand-over.
class ThreadPool : public WorkerPool {
  public:
    void submit(Lane, smb3d::Work& work) override {
        threads_.emplace_back([&work] { work.run(&work); });
    }
    void join() {
        for (std::thread& thread : threads_) thread.join();
        threads_.clear();
    }

  private:
    std::vector<std::thread> threads_;
};

class PoolLoop : public Loop {
  public:
    unsigned index() const override { return 0; }
    bool in_loop_thread() const override { return true; }
    std::uint64_t now_ns() const override { return 0; }
    BufferPool& buffers() override { std::abort(); }
    WorkerPool& pool() override { return pool_; }
    void post(smb3d::Work&) override { std::abort(); }
    void arm(Timer&, std::chrono::nanoseconds) override { std::abort(); }
    void disarm(Timer&) override { std::abort(); }
    void accept(IoOp&, int) override { std::abort(); }
    void recv_pooled(IoOp&, int) override { std::abort(); }
    Bytes received(const IoOp&) const override { std::abort(); }
    void recv_exact(IoOp&, int, MutableBytes) override { std::abort(); }
    void send_all(IoOp&, int, std::span<::iovec>) override { std::abort(); }
    void poll(IoOp&, int, std::uint32_t) override { std::abort(); }
    void cancel(IoOp&) override { std::abort(); }
    bool has_file_io() const override { return false; }
    void file_read(IoOp&, int, std::span<const ::iovec>, std::uint64_t) override { std::abort(); }
    void file_write(IoOp&, int, std::span<const ::iovec>, std::uint64_t, int) override {
        std::abort();
    }
    void file_sync(IoOp&, int, bool) override { std::abort(); }

    ThreadPool pool_;
};

TEST_F(PipeShare, CallsRunOnTheWorkerPool) {
    PoolLoop loop;
    const auto file = open("srvsvc");
    context_.loop = &loop;
    Outcome<Buffer> ack;
    const Bits bind = bind_pdu(srvsvc_interface());
    file->control(context_, fsctl_pipe_transceive, bind, 4280, ack.done());
    loop.pool_.join();
    ASSERT_EQ(status_of(ack), NtStatus::SUCCESS);

    // Several writes at once are processed in their order, whichever thread gets them.
    std::vector<Bits> pdus;
    std::vector<::iovec> parts(20);
    std::vector<Outcome<std::size_t>> outcomes(20);
    for (std::uint32_t i = 0; i < 20; ++i) {
        pdus.push_back(request_pdu(15, share_enum_stub(1), 100 + i));
        parts[i] = {pdus[i].data(), pdus[i].size()};
    }
    for (std::size_t i = 0; i < 20; ++i) {
        file->write(context_, 0, std::span(&parts[i], 1), false, outcomes[i].done());
    }
    loop.pool_.join();
    for (std::uint32_t i = 0; i < 20; ++i) {
        EXPECT_EQ(status_of(outcomes[i]), NtStatus::SUCCESS);
        EXPECT_EQ(u32_at(read(*file, 4280)->data(), 12), 100 + i);
    }
    close(*file);
}

}  // namespace
}  // namespace smb3d::pipe::test
