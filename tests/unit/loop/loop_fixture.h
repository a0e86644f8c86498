// What the tests of loops share: both kinds of loop, on a thread, and a way to run code there.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer_pool.h"
#include "loop/loop.h"
#include "loop/worker_pool.h"

namespace smb3d::loop {

inline std::unique_ptr<EventLoop> make_loop(const std::string& kind, unsigned index,
                                            const LoopOptions& options, std::string& why_not) {
    return kind == "io_uring" ? make_uring_loop(index, options, why_not)
                              : make_epoll_loop(index, options, why_not);
}

// A posted function, for tests: waits until it has run.
inline void run_on(Loop& loop, std::function<void()> function) {
    struct Call : Work {
        std::function<void()> function;
        // Shared: it outlives the one who waits for it.
        std::shared_ptr<std::promise<void>> done{std::make_shared<std::promise<void>>()};
    } call;
    call.function = std::move(function);
    call.run = [](Work* work) {
        auto* self = static_cast<Call*>(work);
        const auto done = self->done;
        self->function();
        done->set_value();
    };
    const auto finished = call.done->get_future();
    loop.post(call);
    finished.wait();
}

class LoopTest : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        std::string why_not;
        if (std::string(GetParam()) == "io_uring" && !uring_works(why_not)) {
            GTEST_SKIP() << why_not;
        }
        LoopOptions options = loop_options();
        options.buffers = &pool_;
        options.pool = &workers_;
        loop_ = make_loop(GetParam(), 0, options, why_not);
        ASSERT_NE(loop_, nullptr) << why_not;
        thread_.start(*loop_, "loop");
    }
    void TearDown() override { thread_.stop(); }
    virtual LoopOptions loop_options() { return {}; }

    SizedBufferPool pool_;
    WorkerThreads workers_;
    std::unique_ptr<EventLoop> loop_;
    LoopThread thread_;
};

// An operation whose result a test thread waits for.
struct WaitedOp : IoOp {
    std::shared_ptr<std::promise<int>> result{std::make_shared<std::promise<int>>()};
    std::future<int> future{result->get_future()};
    std::string data;  // of recv_pooled
    Loop* loop{nullptr};

    explicit WaitedOp(Loop& of) : loop(&of) {
        done = [](IoOp* op, int value) {
            auto* self = static_cast<WaitedOp*>(op);
            if (value > 0) {
                const Bytes bytes = self->loop->received(*self);
                if (bytes.data() != nullptr) {
                    self->data.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                }
            }
            const auto promise = self->result;
            promise->set_value(value);
        };
    }
    int wait() { return future.get(); }
};

struct SocketPair {
    int a{-1};
    int b{-1};
    explicit SocketPair(int flags = 0) {
        int pair[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, pair), 0);
        a = pair[0];
        b = pair[1];
    }
    SocketPair(const SocketPair&) = delete;
    SocketPair& operator=(const SocketPair&) = delete;
    ~SocketPair() {
        close_a();
        close_b();
    }
    void close_a() {
        if (a >= 0) ::close(std::exchange(a, -1));
    }
    void close_b() {
        if (b >= 0) ::close(std::exchange(b, -1));
    }
};

}  // namespace smb3d::loop
