// What the tests of the socket transport share: loops of both kinds, a listener, links whose events
// are recorded, and a plain blocking client.
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <dirent.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buffer_pool.h"
#include "loop/loop.h"
#include "transport/socket/socket_transport.h"

namespace smb3d::transport {

inline void run_on(Loop& loop, std::function<void()> function) {
    struct Call : Work {
        std::function<void()> function;
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

inline Buffer text_buffer(const std::string& text) {
    Buffer buffer = make_heap_buffer(text.size());
    std::memcpy(buffer.data(), text.data(), text.size());
    return buffer;
}

inline std::string framed(const std::string& message) {
    const std::size_t size = message.size();
    std::string bytes{'\0', static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                      static_cast<char>(size)};
    return bytes + message;
}

inline std::string pattern(std::size_t size, std::uint32_t seed) {
    std::string text(size, '\0');
    std::uint32_t state = seed;
    for (char& each : text) {
        state = state * 1664525 + 1013904223;
        each = static_cast<char>(state >> 24);
    }
    return text;
}

inline std::size_t open_descriptors() {
    std::size_t count = 0;
    ::DIR* directory = ::opendir("/proc/self/fd");
    while (::readdir(directory) != nullptr) ++count;
    ::closedir(directory);
    return count;
}

// A blocking TCP client.
class Client {
  public:
    explicit Client(const Address& server, int receive_buffer = 0) {
        const auto* name = reinterpret_cast<const ::sockaddr*>(&server.storage);
        fd_ = ::socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_buffer != 0) {
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        }
        const ::timeval limit{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        connected_ = ::connect(fd_, name, server.length) == 0;
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { close(); }

    bool connected() const { return connected_; }
    int fd() const { return fd_; }
    bool write(const std::string& bytes) const {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const auto count = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) return false;
            sent += static_cast<std::size_t>(count);
        }
        return true;
    }
    // Fewer only at the end of the stream, or after 20 s.
    std::string read(std::size_t size) const {
        std::string bytes(size, '\0');
        std::size_t have = 0;
        while (have < size) {
            const auto count = ::recv(fd_, bytes.data() + have, size - have, 0);
            // A socket with a time limit is interrupted by what a closed io_uring leaves to do on
            // its thread.
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) break;
            have += static_cast<std::size_t>(count);
        }
        bytes.resize(have);
        return bytes;
    }
    std::string read_message() const {
        const std::string head = read(4);
        if (head.size() < 4) return "";
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(head[i]); };
        return read(std::size_t{byte(1)} << 16 | std::size_t{byte(2)} << 8 | byte(3));
    }
    bool at_end() const { return read(1).empty(); }
    void end_output() const { ::shutdown(fd_, SHUT_WR); }
    void reset() {
        const ::linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

  private:
    int fd_{-1};
    bool connected_{false};
};

// Owns a link as the engine would; what happened can be waited for from the test's thread.
class Peer final : public LinkEvents {
  public:
    using OnMessage = std::function<void(Peer&, Buffer)>;

    Peer(std::unique_ptr<Link> link, OnMessage on_message)
        : link_(std::move(link)), on_message_(std::move(on_message)) {}

    void on_message(Buffer message) override {
        EXPECT_TRUE(link_->loop().in_loop_thread());
        if (on_message_) {
            on_message_(*this, std::move(message));
        } else {
            record(std::string(reinterpret_cast<const char*>(message.data()), message.size()));
        }
    }
    void on_send_drained() override {
        const std::scoped_lock lock(mutex_);
        ++drained_;
        changed_.notify_all();
    }
    void on_closed(const std::string& reason) override {
        link_.reset();  // allowed from here on
        const std::scoped_lock lock(mutex_);
        reason_ = reason;
        closed_ = true;
        changed_.notify_all();
    }
    void record(std::string message) {
        const std::scoped_lock lock(mutex_);
        messages_.push_back(std::move(message));
        changed_.notify_all();
    }
    Link& link() { return *link_; }
    Loop& home() { return *home_; }
    void remember_home() { home_ = &link_->loop(); }
    std::vector<std::string> wait_messages(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(20),
                          [&] { return messages_.size() >= count || closed_; });
        return messages_;
    }
    std::vector<std::string> messages() {
        const std::scoped_lock lock(mutex_);
        return messages_;
    }
    bool closed() {
        const std::scoped_lock lock(mutex_);
        return closed_;
    }
    std::string wait_closed() {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return closed_; });
        return closed_ ? reason_ : "(not closed)";
    }
    int wait_drained() {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return drained_ > 0 || closed_; });
        return drained_;
    }

  private:
    std::unique_ptr<Link> link_;
    Loop* home_{nullptr};
    OnMessage on_message_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> messages_;
    std::string reason_;
    bool closed_{false};
    int drained_{0};
};

class SocketTest : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        std::string why_not;
        const bool uring = std::string(GetParam()) == "io_uring";
        if (uring && !loop::uring_works(why_not)) GTEST_SKIP() << why_not;
        pool_ = std::make_unique<SizedBufferPool>(pool_options_);
        loop::LoopOptions options;
        options.buffers = pool_.get();
        for (unsigned i = 0; i < 2; ++i) {
            loops_[i] = uring ? loop::make_uring_loop(i, options, why_not)
                              : loop::make_epoll_loop(i, options, why_not);
            ASSERT_NE(loops_[i], nullptr) << why_not;
            threads_[i].start(*loops_[i], "loop");
        }
    }
    void TearDown() override {
        if (listener_ != nullptr) {
            std::promise<void> closed;
            listener_->stop([&] { closed.set_value(); });
            closed.get_future().wait();
            // `closed` runs on the loop; it has returned when the next post runs.
            run_on(*loops_[0], [] {});
            listener_.reset();
        }
        for (const auto& peer : peers_) {
            run_on(peer->home(), [&] {
                if (peer->closed()) return;
                peer->link().close("the test ends", false);
            });
            peer->wait_closed();
        }
        for (auto& thread : threads_) thread.stop();
        peers_.clear();
        for (auto& loop : loops_) loop.reset();
    }

    // Bytes of the pool in use, once the loops have finished what they are doing.
    std::size_t pool_in_use() {
        for (int i = 0; i < 200 && pool_->stats().in_use != 0; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return pool_->stats().in_use;
    }
    // Accepts on loop 0; links live on loop `home`.
    void listen(const std::string& address = "127.0.0.1:0", unsigned home = 1) {
        run_on(*loops_[0], [&] {
            auto result = transport_.listen(
                *loops_[0], address, limits_,
                [this, home](const Address&) { return refuse_ ? nullptr : loops_[home].get(); },
                [this](std::unique_ptr<Link> link) { take(std::move(link)); });
            ASSERT_TRUE(result.has_value()) << result.error();
            listener_ = std::move(*result);
        });
    }
    void take(std::unique_ptr<Link> link) {
        EXPECT_TRUE(link->loop().in_loop_thread());
        auto peer = std::make_shared<Peer>(std::move(link), on_message_);
        peer->remember_home();
        if (on_start_) on_start_(*peer);
        peer->link().start(*peer);
        const std::scoped_lock lock(mutex_);
        peers_.push_back(std::move(peer));
        changed_.notify_all();
    }
    std::shared_ptr<Peer> wait_peer(std::size_t number = 0) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return peers_.size() > number; });
        return peers_.size() > number ? peers_[number] : nullptr;
    }
    std::size_t peer_count() {
        const std::scoped_lock lock(mutex_);
        return peers_.size();
    }

    BufferPoolOptions pool_options_;
    std::unique_ptr<SizedBufferPool> pool_;
    std::unique_ptr<loop::EventLoop> loops_[2];
    loop::LoopThread threads_[2];
    SocketTransport transport_;
    Limits limits_;
    std::atomic<bool> refuse_{false};
    Peer::OnMessage on_message_;
    std::function<void(Peer&)> on_start_;
    std::unique_ptr<Listener> listener_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::shared_ptr<Peer>> peers_;
};

inline void echo(Peer& peer, Buffer message) {
    BufferChain chain;
    // In two pieces, so that vectored sends are exercised.
    const std::size_t half = message.size() / 2;
    chain.push_back(message.slice(0, half));
    chain.push_back(message.slice(half, message.size() - half));
    peer.link().send(std::move(chain));
}

}  // namespace smb3d::transport
