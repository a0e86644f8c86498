#include "engine/unsolicited.h"

#include <algorithm>
#include <cstring>

#include "engine/connection.h"
#include "engine/respond.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

// One message on its way from channel to channel.
struct Delivery {
    struct Stop {
        std::uint64_t connection_id{0};
        Recipient recipient;
    };
    ServerImpl* server{nullptr};
    std::vector<std::byte> message;
    std::vector<Stop> stops;  // the next one last
    Sent sent;
    bool until_confirmed{false};
    std::function<bool()> still_wanted;
    std::chrono::milliseconds gone_after{0};
    std::uint64_t taken{0};       // by this connection, the last of those that took it
    std::uint64_t watched_ns{0};  // since when; 0: not yet

    void report() {
        if (sent) sent(taken);
    }
};

void try_next(std::unique_ptr<Delivery> delivery);

// On the loop of the connection that took the message: looks after a while whether it arrived.
struct ConfirmTimer : Timer {
    std::unique_ptr<Delivery> delivery;
    std::uint64_t position{0};
};

bool is_confirmed(const Connection& connection, std::uint64_t position) {
    return connection.link().confirmed_position() >= position;
}

// Not a slow one, or one whose client does not read: its machine would say so.
bool is_silent(const Connection& connection) {
    constexpr std::chrono::milliseconds grain{50};  // of the timer, and of the kernel's clock
    return connection.link().unheard() + grain >= confirm_after;
}

void on_confirm_timer(Timer* timer);

void watch(Connection& connection, std::unique_ptr<Delivery> delivery, std::uint64_t position) {
    auto* timer = new ConfirmTimer;
    timer->fire = on_confirm_timer;
    timer->position = position;
    delivery->server->work_began();  // the loops turn until it has fired
    if (delivery->watched_ns == 0) delivery->watched_ns = connection.loop().now_ns();
    timer->delivery = std::move(delivery);
    connection.loop().arm(*timer, confirm_after);
}

// The message has not arrived in time.
void go_on(Connection* connection, std::unique_ptr<Delivery> delivery, std::uint64_t position) {
    const bool last = delivery->stops.empty();
    if (connection != nullptr && is_silent(*connection)) {
        const std::uint64_t waited_ns = connection->loop().now_ns() - delivery->watched_ns;
        if (!last || std::chrono::nanoseconds(waited_ns) >= delivery->gone_after) {
            connection->disconnect("it does not confirm what is sent to it");
            connection = nullptr;
        }
    }
    if (last && connection != nullptr) {
        watch(*connection, std::move(delivery), position);
    } else {
        try_next(std::move(delivery));
    }
}

void on_confirm_timer(Timer* timer) {
    const std::unique_ptr<ConfirmTimer> self(static_cast<ConfirmTimer*>(timer));
    ServerImpl& server = *self->delivery->server;
    Connection* connection = server.connection_here(self->delivery->taken);
    if (connection != nullptr && connection->closing()) connection = nullptr;
    const auto& still_wanted = self->delivery->still_wanted;
    if ((still_wanted && !still_wanted()) ||
        (connection != nullptr && is_confirmed(*connection, self->position))) {
        self->delivery->report();
    } else {
        go_on(connection, std::move(self->delivery), self->position);
    }
    server.work_ended();
}

void try_next(std::unique_ptr<Delivery> delivery) {
    if (delivery->stops.empty()) {
        delivery->report();
        return;
    }
    Delivery::Stop stop = std::move(delivery->stops.back());
    delivery->stops.pop_back();
    ServerImpl& server = *delivery->server;
    const std::uint64_t id = stop.connection_id;
    auto attempt = [stop = std::move(stop),
                    delivery = std::move(delivery)](Connection* connection) mutable {
        if (connection != nullptr &&
            send_unsolicited(*connection, stop.recipient, delivery->message)) {
            delivery->taken = stop.connection_id;
            // The last of several too, as long as an answer can be waited for.
            const bool further = !delivery->stops.empty();
            const bool last_of_several = delivery->watched_ns != 0 && delivery->still_wanted;
            if (delivery->until_confirmed && (further || last_of_several)) {
                const std::uint64_t position = connection->link().sent_position();
                watch(*connection, std::move(delivery), position);
            } else {
                delivery->report();
            }
            return;
        }
        try_next(std::move(delivery));
    };
    // At once if it can be: what the client sends next must not be answered before.
    if (Connection* here = server.connection_here(id)) {
        attempt(here);
    } else {
        server.post_to_connection(id, std::move(attempt));
    }
}

}  // namespace

bool send_unsolicited(Connection& connection, const Recipient& recipient, Bytes message) {
    if (connection.closing()) return false;
    Session* const session = recipient.session.get();
    if (session != nullptr) {
        const SessionChannel* channel = connection.find_channel(session->id);
        if (channel == nullptr || channel->session.get() != session || !channel->signer) {
            return false;
        }
    }
    Buffer copy = connection.loop().buffers().allocate(message.size());
    if (copy.empty()) copy = make_heap_buffer(message.size());
    std::memcpy(copy.data(), message.data(), message.size());
    BufferChain pieces;
    pieces.push_back(std::move(copy));
    if (session != nullptr && recipient.encrypt && session->keys.encryption &&
        !seal_message(connection, *session, pieces)) {
        return false;
    }
    connection.send(std::move(pieces));
    return true;
}

void send_to_sessions(ServerImpl& server, const std::vector<Recipient>& recipients,
                      std::vector<std::byte> message, const SendRules& rules, Sent sent) {
    auto delivery = std::make_unique<Delivery>();
    delivery->server = &server;
    delivery->message = std::move(message);
    delivery->sent = std::move(sent);
    delivery->until_confirmed = rules.until_confirmed;
    delivery->still_wanted = rules.still_wanted;
    delivery->gone_after = rules.gone_after;
    auto& stops = delivery->stops;
    bool must_seal = false;
    for (const Recipient& recipient : recipients) {
        must_seal = must_seal || recipient.encrypt;
        const auto state = recipient.session->state.lock();
        for (const Channel& channel : state->channels) {
            stops.push_back({channel.connection_id, recipient});
        }
    }
    if (rules.client != nullptr && !must_seal && !stops.empty()) {
        std::vector<Delivery::Stop> all;
        for (const std::uint64_t id : server.connections_of(*rules.client)) {
            std::erase_if(stops, [&](const auto& stop) { return stop.connection_id == id; });
            all.push_back({id, {}});
        }
        stops.insert(stops.begin(), all.begin(), all.end());
    }
    if (!rules.newest_first) std::reverse(stops.begin(), stops.end());
    const auto preferred = std::find_if(stops.begin(), stops.end(), [&](const auto& stop) {
        return stop.connection_id == rules.preferred_connection;
    });
    if (preferred != stops.end()) std::rotate(preferred, preferred + 1, stops.end());
    try_next(std::move(delivery));
}

}  // namespace smb3d::engine
