#include "client/test_link.h"

#include <cerrno>
#include <cstring>

#include <time.h>

#include "support/allocation_count.h"

namespace smb3d::test {

namespace {

Buffer flat_buffer(const Message& message) {
    const NotCounted own;
    Buffer buffer = make_heap_buffer(message.size());
    std::memcpy(buffer.data(), message.data(), message.size());
    return buffer;
}

}  // namespace

bool Arrivals::take(std::chrono::milliseconds timeout) {
    ::timespec until{};
    ::clock_gettime(CLOCK_REALTIME, &until);
    const auto nanoseconds =
        std::chrono::nanoseconds(until.tv_nsec) + std::chrono::nanoseconds(timeout);
    until.tv_sec += nanoseconds / std::chrono::seconds(1);
    until.tv_nsec = (nanoseconds % std::chrono::seconds(1)).count();
    int result = 0;
    do {
        result = ::sem_timedwait(&semaphore_, &until);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

TestLink::TestLink(std::shared_ptr<LinkCore> core, transport::Address peer)
    : core_(std::move(core)), peer_(std::move(peer)) {
    local_.text = "memory:445";
    local_.host = "memory";
    core_->link = this;
}

TestLink::~TestLink() { core_->link = nullptr; }

void TestLink::start(transport::LinkEvents& events) {
    events_ = &events;
    deliver();
}

void TestLink::send(BufferChain&& message) {
    if (ended_) return;
    const NotCounted own;
    Message flat;
    flat.reserve(chain_size(message));
    for (const Buffer& part : message) {
        flat.insert(flat.end(), part.bytes().begin(), part.bytes().end());
    }
    sent_ += flat.size();
    if (core_->queued.fetch_add(flat.size()) + flat.size() > high_water) above_high_water_ = true;
    core_->to_client.lock()->messages.push_back(std::move(flat));
    core_->arrived.add();
}

void TestLink::resume_receive() {
    paused_ = false;
    // Not from inside this call: the contract of Link.
    if (!waiting_.empty()) {
        post_to(*core_->loop, [core = core_] {
            if (core->link != nullptr) core->link->deliver();
        });
    }
}

void TestLink::close(const std::string& reason, bool) {
    if (closing_) return;
    closing_ = true;
    post_to(*core_->loop, [core = core_, reason] {
        if (core->link != nullptr) core->link->end(reason);
    });
}

void TestLink::arrive(Message message) {
    {
        const NotCounted own;
        waiting_.push_back(std::move(message));
    }
    deliver();
}

void TestLink::peer_closed() { end("closed by the peer"); }

void TestLink::drained() {
    if (ended_ || !above_high_water_ || core_->queued.load() > low_water) return;
    above_high_water_ = false;
    events_->on_send_drained();
}

void TestLink::deliver() {
    while (events_ != nullptr && !paused_ && !closing_ && !ended_ && !waiting_.empty()) {
        const Message message = std::move(waiting_.front());
        waiting_.pop_front();
        if (message.empty() || message.size() > max_message_) {
            return close("a message of a size that is not allowed", false);
        }
        Buffer buffer = flat_buffer(message);
        events_->on_message(std::move(buffer));
    }
}

void TestLink::end(const std::string& reason) {
    if (ended_) return;
    ended_ = true;
    closing_ = true;
    {
        auto to_client = core_->to_client.lock();
        to_client->closed = true;
        to_client->reason = reason;
    }
    core_->arrived.add();
    events_->on_closed(reason);
}

void LinkEnd::send(Message message) {
    if (closed()) return;  // the loop may be gone
    post_to(*core_->loop, [core = core_, message = std::move(message)]() mutable {
        if (core->link != nullptr) core->link->arrive(std::move(message));
    });
}

std::optional<Message> LinkEnd::receive(std::chrono::milliseconds timeout) {
    if (!core_->arrived.take(timeout)) return std::nullopt;
    std::optional<Message> message;
    {
        auto to_client = core_->to_client.lock();
        if (to_client->messages.empty()) {
            core_->arrived.add();  // the end is told every time
            return std::nullopt;
        }
        message = std::move(to_client->messages.front());
        to_client->messages.pop_front();
    }
    const std::size_t before = core_->queued.fetch_sub(message->size());
    if (before > TestLink::low_water && before - message->size() <= TestLink::low_water) {
        post_to(*core_->loop, [core = core_] {
            if (core->link != nullptr) core->link->drained();
        });
    }
    return message;
}

void LinkEnd::close() {
    if (closed()) return;
    post_to(*core_->loop, [core = core_] {
        if (core->link != nullptr) core->link->peer_closed();
    });
}

}  // namespace smb3d::test
