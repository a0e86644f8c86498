// TestLink and LinkEnd: a connection in memory, whole messages both ways.
//
// Purpose: the engine without a socket.  TestLink is the engine's end on its loop, LinkEnd the
// test's, on any thread. Thread: TestLink: its loop.  LinkEnd: one test thread at a time. Lifetime:
// both refer to a shared LinkCore, so either may go first.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semaphore.h>

#include "base/guarded.h"
#include "smb3d/transport.h"

namespace smb3d::test {

using Message = std::vector<std::byte>;

class TestLink;

// A counting semaphore.  Not std::counting_semaphore: try_acquire_for of libstdc++ 12 may sleep
// although there is something to take (its bug 104928).
class Arrivals {
  public:
    Arrivals() { ::sem_init(&semaphore_, 0, 0); }
    Arrivals(const Arrivals&) = delete;
    Arrivals& operator=(const Arrivals&) = delete;
    ~Arrivals() { ::sem_destroy(&semaphore_); }
    void add() { ::sem_post(&semaphore_); }
    // False if none came in time.
    bool take(std::chrono::milliseconds timeout);

  private:
    ::sem_t semaphore_{};
};

// What both ends share.
struct LinkCore {
    struct ToClient {
        std::deque<Message> messages;
        bool closed{false};
        std::string reason;
    };
    Loop* loop{nullptr};
    TestLink* link{nullptr};  // the loop's thread only
    Guarded<ToClient, Rank::leaf> to_client;
    Arrivals arrived;                    // one for every message, and one for the end
    std::atomic<std::size_t> queued{0};  // bytes sent and not yet received by the test
    std::atomic<bool> silent{false};     // the network is down, as far as the server can tell
};

class TestLink final : public transport::Link {
  public:
    static constexpr std::size_t high_water = 4U << 20;
    static constexpr std::size_t low_water = 1U << 20;

    TestLink(std::shared_ptr<LinkCore> core, transport::Address peer);
    ~TestLink() override;

    void start(transport::LinkEvents& events) override;
    void send(BufferChain&& message) override;
    std::size_t send_queued() const override { return core_->queued.load(); }
    std::size_t send_high_water() const override { return high_water; }
    // What the test has received is confirmed.
    std::uint64_t sent_position() const override { return sent_; }
    std::uint64_t confirmed_position() const override { return sent_ - core_->queued.load(); }
    std::chrono::milliseconds unheard() const override {
        return core_->silent ? std::chrono::hours(1) : std::chrono::milliseconds(0);
    }
    void pause_receive() override { paused_ = true; }
    void resume_receive() override;
    void set_max_message(std::size_t bytes) override { max_message_ = bytes; }
    void close(const std::string& reason, bool flush) override;
    const transport::Address& peer() const override { return peer_; }
    const transport::Address& local() const override { return local_; }
    Loop& loop() override { return *core_->loop; }
    const char* kind() const override { return "test"; }

    // From the other end, on the loop's thread.
    void arrive(Message message);
    void peer_closed();
    void drained();

  private:
    void deliver();
    void end(const std::string& reason);

    std::shared_ptr<LinkCore> core_;
    transport::Address peer_;
    transport::Address local_;
    transport::LinkEvents* events_{nullptr};
    std::deque<Message> waiting_;
    std::size_t max_message_{0};
    std::uint64_t sent_{0};
    bool paused_{false};
    bool closing_{false};
    bool ended_{false};
    bool above_high_water_{false};
};

class LinkEnd {
  public:
    explicit LinkEnd(std::shared_ptr<LinkCore> core) : core_(std::move(core)) {}

    void send(Message message);
    // Nothing if the connection was closed (and everything before read), or nothing came in time.
    std::optional<Message> receive(std::chrono::milliseconds timeout);
    void close();
    // To the server it looks as if the network were down.
    void go_silent() { core_->silent = true; }
    bool closed() const { return core_->to_client.lock()->closed; }

  private:
    std::shared_ptr<LinkCore> core_;
};

// Runs `function` on the loop's thread, later.
template <class Function>
void post_to(Loop& loop, Function function) {
    struct Posted : Work {
        explicit Posted(Function&& f) : function(std::move(f)) {}
        Function function;
    };
    auto* work = new Posted(std::move(function));
    work->run = [](Work* self) {
        const std::unique_ptr<Posted> owned(static_cast<Posted*>(self));
        owned->function();
    };
    loop.post(*work);
}

}  // namespace smb3d::test
