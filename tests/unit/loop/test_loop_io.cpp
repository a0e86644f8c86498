// Sockets, polling and files, on both loops.
#include <cerrno>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loop_fixture.h"

namespace smb3d::loop {
namespace {

using namespace std::chrono_literals;

class LoopIo : public LoopTest {
  protected:
    // Few buffers, so that tests run out of them.
    LoopOptions loop_options() override {
        LoopOptions options;
        options.ring_entries = 16;
        options.receive_buffers = 4;
        options.receive_buffer_size = 1024;
        options.scratch_size = 1024;
        return options;
    }
};

INSTANTIATE_TEST_SUITE_P(Kinds, LoopIo, ::testing::Values("io_uring", "epoll"),
                         [](const auto& param) { return std::string(param.param); });

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> data(size);
    std::uint32_t state = 1;
    for (std::byte& each : data) {
        state = state * 1664525 + 1013904223;
        each = static_cast<std::byte>(state >> 24);
    }
    return data;
}

std::vector<std::byte> read_slowly(int fd, std::size_t size, std::size_t step) {
    std::vector<std::byte> got(size);
    std::size_t have = 0;
    while (have < size) {
        const auto count = ::recv(fd, got.data() + have, std::min(step, size - have), 0);
        if (count <= 0) break;
        have += static_cast<std::size_t>(count);
        if (have % (16 * step) == 0) std::this_thread::sleep_for(1ms);
    }
    got.resize(have);
    return got;
}

TEST_P(LoopIo, ReceivesIntoItsOwnMemory) {
    for (const int flags : {0, static_cast<int>(SOCK_NONBLOCK)}) {
        SocketPair pair(flags);
        WaitedOp op(*loop_);
        run_on(*loop_, [&] { loop_->recv_pooled(op, pair.a); });
        std::this_thread::sleep_for(2ms);  // it waits by now
        ASSERT_EQ(::send(pair.b, "hello", 5, 0), 5);
        EXPECT_EQ(op.wait(), 5);
        EXPECT_EQ(op.data, "hello");

        WaitedOp end(*loop_);
        pair.close_b();
        run_on(*loop_, [&] { loop_->recv_pooled(end, pair.a); });
        EXPECT_EQ(end.wait(), 0);
    }
}

bool has_memory(const std::byte* at) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    auto* const start = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(at) / page * page);
    unsigned char resident = 0;
    return ::mincore(start, page, &resident) == 0 && (resident & 1) != 0;
}

// What a burst has touched goes back, and what comes afterwards arrives all the same.
TEST_P(LoopIo, ReceiveBuffersTakeNoMemoryWhileLittleComes) {
    if (std::string(GetParam()) != "io_uring") GTEST_SKIP() << "one small scratch buffer";
    struct Op : WaitedOp {
        using WaitedOp::WaitedOp;
        const std::byte* at{nullptr};
        IoOp::Done then{done};
    };
    SocketPair pair;
    const std::byte* at = nullptr;
    for (int i = 0; i < 20; ++i) {
        Op op(*loop_);
        op.done = [](IoOp* self, int result) {
            auto* mine = static_cast<Op*>(self);
            mine->at = mine->loop->received(*mine).data();
            mine->then(self, result);
        };
        run_on(*loop_, [&] { loop_->recv_pooled(op, pair.a); });
        const std::string text = "burst " + std::to_string(i);
        ASSERT_EQ(::send(pair.b, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        ASSERT_EQ(op.wait(), static_cast<int>(text.size()));
        ASSERT_EQ(op.data, text);
        at = op.at;
    }
    EXPECT_TRUE(has_memory(at));
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (has_memory(at) && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(50ms);
    }
    EXPECT_FALSE(has_memory(at));
    for (int i = 0; i < 8; ++i) {
        WaitedOp op(*loop_);
        run_on(*loop_, [&] { loop_->recv_pooled(op, pair.a); });
        ASSERT_EQ(::send(pair.b, "after", 5, 0), 5);
        ASSERT_EQ(op.wait(), 5);
        EXPECT_EQ(op.data, "after");
    }
}

TEST_P(LoopIo, MoreReceiversThanReceiveBuffers) {
    constexpr std::size_t count = 40;
    std::vector<std::unique_ptr<SocketPair>> pairs;
    std::vector<std::unique_ptr<WaitedOp>> ops;
    for (std::size_t i = 0; i < count; ++i) {
        pairs.push_back(std::make_unique<SocketPair>());
        ops.push_back(std::make_unique<WaitedOp>(*loop_));
    }
    for (int round = 0; round < 2; ++round) {
        run_on(*loop_, [&] {
            for (std::size_t i = 0; i < count; ++i) {
                ops[i] = std::make_unique<WaitedOp>(*loop_);
                loop_->recv_pooled(*ops[i], pairs[i]->a);
            }
            // All become ready while the loop is busy here.
            for (std::size_t i = 0; i < count; ++i) {
                const std::string text = std::to_string(i + 1000);
                EXPECT_EQ(::send(pairs[i]->b, text.data(), text.size(), 0), 4);
            }
        });
        for (std::size_t i = 0; i < count; ++i) {
            EXPECT_EQ(ops[i]->wait(), 4);
            EXPECT_EQ(ops[i]->data, std::to_string(i + 1000));
        }
    }
}

TEST_P(LoopIo, SendsEverythingToASlowReader) {
    for (const int flags : {0, static_cast<int>(SOCK_NONBLOCK)}) {
        SocketPair pair(flags);
        const int blocking = ::fcntl(pair.b, F_GETFL) & ~O_NONBLOCK;
        ASSERT_EQ(::fcntl(pair.b, F_SETFL, blocking), 0);
        auto data = pattern(6U << 20);
        // More pieces than IOV_MAX, of odd lengths, some empty.
        std::vector<::iovec> parts;
        for (std::size_t offset = 0; offset < data.size();) {
            const std::size_t size = std::min<std::size_t>(data.size() - offset, 1 + offset % 3001);
            parts.push_back({data.data() + offset, size});
            if (parts.size() % 7 == 0) parts.push_back({data.data(), 0});
            offset += size;
        }
        ASSERT_GT(parts.size(), 2048U);
        WaitedOp op(*loop_);
        run_on(*loop_, [&] { loop_->send_all(op, pair.a, parts); });
        EXPECT_EQ(read_slowly(pair.b, data.size(), 65536), data);
        EXPECT_EQ(op.wait(), static_cast<int>(data.size()));
    }
}

TEST_P(LoopIo, ReceivesExactlyFromASlowWriter) {
    SocketPair pair;
    const auto data = pattern(300'001);
    std::vector<std::byte> got(data.size());
    WaitedOp op(*loop_);
    run_on(*loop_, [&] { loop_->recv_exact(op, pair.a, got); });
    for (std::size_t offset = 0; offset < data.size();) {
        const std::size_t size = std::min<std::size_t>(data.size() - offset, 9973);
        const auto sent = ::send(pair.b, data.data() + offset, size, 0);
        ASSERT_GT(sent, 0);
        offset += static_cast<std::size_t>(sent);
        if (offset % 5 == 0) std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(op.wait(), static_cast<int>(data.size()));
    EXPECT_EQ(got, data);
}

TEST_P(LoopIo, ReceivesFewerOnlyAtTheEnd) {
    SocketPair pair;
    std::vector<std::byte> got(100);
    WaitedOp op(*loop_);
    run_on(*loop_, [&] { loop_->recv_exact(op, pair.a, got); });
    ASSERT_EQ(::send(pair.b, "abc", 3, 0), 3);
    pair.close_b();
    EXPECT_EQ(op.wait(), 3);
}

TEST_P(LoopIo, TellsErrors) {
    SocketPair pair;
    pair.close_b();
    char byte = 'x';
    ::iovec part{&byte, 1};
    WaitedOp op(*loop_);
    run_on(*loop_, [&] { loop_->send_all(op, pair.a, {&part, 1}); });
    EXPECT_EQ(op.wait(), -EPIPE);

    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    WaitedOp no_socket(*loop_);
    run_on(*loop_, [&] { loop_->recv_pooled(no_socket, pipe_ends[0]); });
    EXPECT_EQ(no_socket.wait(), -ENOTSOCK);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
}

TEST_P(LoopIo, CompletesFromTheTopNeverNested) {
    SocketPair pair;
    bool inside = false;
    bool nested = false;
    struct Op : IoOp {
        bool* inside;
        bool* nested;
        std::shared_ptr<std::promise<void>> promise{std::make_shared<std::promise<void>>()};
    };
    Op ops[3];
    char byte = 'x';
    ::iovec part{&byte, 1};
    ASSERT_EQ(::send(pair.b, "y", 1, 0), 1);
    run_on(*loop_, [&] {
        for (Op& op : ops) {
            op.inside = &inside;
            op.nested = &nested;
            op.done = [](IoOp* done, int) {
                auto* self = static_cast<Op*>(done);
                *self->nested = *self->nested || *self->inside;
                const auto promise = self->promise;
                promise->set_value();
            };
        }
        inside = true;
        loop_->send_all(ops[0], pair.a, {&part, 1});
        loop_->recv_pooled(ops[1], pair.a);
        loop_->send_all(ops[2], pair.b, {});
        inside = false;
    });
    for (Op& op : ops) op.promise->get_future().wait();
    EXPECT_FALSE(nested);
}

TEST_P(LoopIo, CancelsWhatWaits) {
    for (const int flags : {0, static_cast<int>(SOCK_NONBLOCK)}) {
        SocketPair pair(flags);
        std::vector<std::byte> got(10);
        const auto data = pattern(8U << 20);
        ::iovec part{const_cast<std::byte*>(data.data()), data.size()};
        WaitedOp exact(*loop_);
        WaitedOp send(*loop_);
        WaitedOp pooled(*loop_);
        WaitedOp poll(*loop_);
        SocketPair other(flags);
        SocketPair third(flags);
        run_on(*loop_, [&] {
            loop_->recv_exact(exact, pair.a, got);
            loop_->send_all(send, pair.a, {&part, 1});
            loop_->recv_pooled(pooled, other.a);
            loop_->poll(poll, third.a, POLLIN);
        });
        std::this_thread::sleep_for(5ms);
        run_on(*loop_, [&] {
            for (IoOp* op : {static_cast<IoOp*>(&exact), static_cast<IoOp*>(&send),
                             static_cast<IoOp*>(&pooled), static_cast<IoOp*>(&poll)}) {
                loop_->cancel(*op);
                loop_->cancel(*op);
            }
        });
        EXPECT_EQ(exact.wait(), -ECANCELED);
        EXPECT_EQ(send.wait(), -ECANCELED);
        EXPECT_EQ(pooled.wait(), -ECANCELED);
        EXPECT_EQ(poll.wait(), -ECANCELED);

        // At once, before anything was submitted; and again with the same descriptor.
        WaitedOp soon(*loop_);
        WaitedOp again(*loop_);
        run_on(*loop_, [&] {
            loop_->recv_pooled(soon, other.a);
            loop_->cancel(soon);
        });
        EXPECT_EQ(soon.wait(), -ECANCELED);
        run_on(*loop_, [&] { loop_->recv_pooled(again, other.a); });
        ASSERT_EQ(::send(other.b, "z", 1, 0), 1);
        EXPECT_EQ(again.wait(), 1);
    }
}

TEST_P(LoopIo, ADescriptorNumberThatComesBackIsNewToIt) {
    for (int round = 0; round < 50; ++round) {
        SocketPair pair;
        WaitedOp cancelled(*loop_);
        run_on(*loop_, [&] { loop_->recv_pooled(cancelled, pair.a); });
        if (round % 2 == 0) std::this_thread::sleep_for(200us);
        run_on(*loop_, [&] { loop_->cancel(cancelled); });
        EXPECT_EQ(cancelled.wait(), -ECANCELED);
        const int number = pair.a;
        // Closed and opened again within one turn.
        SocketPair next;
        WaitedOp op(*loop_);
        run_on(*loop_, [&] {
            ASSERT_EQ(::dup3(next.a, number, O_CLOEXEC), number);
            loop_->recv_pooled(op, number);
        });
        if (round % 3 == 0) std::this_thread::sleep_for(200us);
        ASSERT_EQ(::send(next.b, "new", 3, 0), 3);
        EXPECT_EQ(op.wait(), 3);
        EXPECT_EQ(op.data, "new");
    }
}

TEST_P(LoopIo, PollsAndAccepts) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    WaitedOp readable(*loop_);
    WaitedOp writable(*loop_);
    run_on(*loop_, [&] {
        loop_->poll(readable, ends[0], POLLIN);
        loop_->poll(writable, ends[1], POLLOUT);
    });
    EXPECT_EQ(writable.wait(), POLLOUT);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    EXPECT_EQ(readable.wait(), POLLIN);
    ::close(ends[0]);
    ::close(ends[1]);

    for (const int flags : {0, static_cast<int>(SOCK_NONBLOCK)}) {
        const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
        ::sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::socklen_t length = sizeof address;
        auto* generic = reinterpret_cast<::sockaddr*>(&address);
        ASSERT_EQ(::bind(listener, generic, length), 0);
        ASSERT_EQ(::listen(listener, 5), 0);
        ASSERT_EQ(::getsockname(listener, generic, &length), 0);
        WaitedOp accepted(*loop_);
        run_on(*loop_, [&] { loop_->accept(accepted, listener); });
        const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(::connect(client, generic, length), 0);
        const int server = accepted.wait();
        ASSERT_GE(server, 0);
        EXPECT_NE(::fcntl(server, F_GETFD) & FD_CLOEXEC, 0);
        ::close(server);
        ::close(client);
        ::close(listener);
    }
}

TEST_P(LoopIo, ManyOperationsThanTheRingHasEntries) {
    constexpr std::size_t count = 300;  // ring_entries is 16
    std::vector<std::unique_ptr<SocketPair>> pairs;
    std::vector<std::unique_ptr<WaitedOp>> ops;
    for (std::size_t i = 0; i < count; ++i) {
        pairs.push_back(std::make_unique<SocketPair>());
        ops.push_back(std::make_unique<WaitedOp>(*loop_));
    }
    run_on(*loop_, [&] {
        for (std::size_t i = 0; i < count; ++i) loop_->recv_pooled(*ops[i], pairs[i]->a);
    });
    for (std::size_t i = 0; i < count; i += 2) ASSERT_EQ(::send(pairs[i]->b, "x", 1, 0), 1);
    for (std::size_t i = 0; i < count; i += 2) EXPECT_EQ(ops[i]->wait(), 1);
    run_on(*loop_, [&] {
        for (std::size_t i = 1; i < count; i += 2) loop_->cancel(*ops[i]);
    });
    for (std::size_t i = 1; i < count; i += 2) EXPECT_EQ(ops[i]->wait(), -ECANCELED);
}

TEST_P(LoopIo, OperationsBegunBeforeItRuns) {
    std::string why_not;
    LoopOptions options = loop_options();
    options.buffers = &pool_;
    auto other = make_loop(GetParam(), 1, options, why_not);
    ASSERT_NE(other, nullptr) << why_not;
    constexpr std::size_t count = 40;
    std::vector<std::unique_ptr<SocketPair>> pairs;
    std::vector<std::unique_ptr<WaitedOp>> ops;
    for (std::size_t i = 0; i < count; ++i) {
        pairs.push_back(std::make_unique<SocketPair>());
        ops.push_back(std::make_unique<WaitedOp>(*other));
        other->recv_pooled(*ops[i], pairs[i]->a);
    }
    other->cancel(*ops[0]);
    LoopThread thread;
    thread.start(*other, "other");
    EXPECT_EQ(ops[0]->wait(), -ECANCELED);
    for (std::size_t i = 1; i < count; ++i) {
        ASSERT_EQ(::send(pairs[i]->b, "x", 1, 0), 1);
        EXPECT_EQ(ops[i]->wait(), 1);
    }
    thread.stop();
}

TEST_P(LoopIo, FileOperationsIfItHasThem) {
    if (!loop_->has_file_io()) GTEST_SKIP() << "the worker pool does them";
    const int fd = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    auto data = pattern(100'000);
    const ::iovec from[2] = {{data.data(), 60'000}, {data.data() + 60'000, 40'000}};
    WaitedOp write(*loop_);
    run_on(*loop_, [&] { loop_->file_write(write, fd, from, 4096, 0); });
    EXPECT_EQ(write.wait(), 100'000);
    WaitedOp sync(*loop_);
    run_on(*loop_, [&] { loop_->file_sync(sync, fd, true); });
    EXPECT_EQ(sync.wait(), 0);
    std::vector<std::byte> got(200'000);
    const ::iovec into{got.data(), got.size()};
    WaitedOp read(*loop_);
    run_on(*loop_, [&] { loop_->file_read(read, fd, {&into, 1}, 4096); });
    EXPECT_EQ(read.wait(), 100'000);
    got.resize(100'000);
    EXPECT_EQ(got, data);
    WaitedOp end(*loop_);
    run_on(*loop_, [&] { loop_->file_read(end, fd, {&into, 1}, 1'000'000); });
    EXPECT_EQ(end.wait(), 0);
    ::close(fd);
}

}  // namespace
}  // namespace smb3d::loop
