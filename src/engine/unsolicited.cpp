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

    void report(std::uint64_t connection_id) {
        if (sent) sent(connection_id);
    }
};

void try_next(std::unique_ptr<Delivery> delivery) {
    if (delivery->stops.empty()) {
        delivery->report(0);
        return;
    }
    Delivery::Stop stop = std::move(delivery->stops.back());
    delivery->stops.pop_back();
    ServerImpl& server = *delivery->server;
    const std::uint64_t id = stop.connection_id;
    server.post_to_connection(id, [stop = std::move(stop),
                                   delivery = std::move(delivery)](Connection* connection) mutable {
        if (connection != nullptr &&
            send_unsolicited(*connection, stop.recipient, delivery->message)) {
            delivery->report(stop.connection_id);
            return;
        }
        try_next(std::move(delivery));
    });
}

}  // namespace

bool send_unsolicited(Connection& connection, const Recipient& recipient, Bytes message) {
    if (connection.closing()) return false;
    Session& session = *recipient.session;
    const SessionChannel* channel = connection.find_channel(session.id);
    if (channel == nullptr || channel->session.get() != &session || !channel->signer) return false;
    Buffer copy = connection.loop().buffers().allocate(message.size());
    if (copy.empty()) copy = make_heap_buffer(message.size());
    std::memcpy(copy.data(), message.data(), message.size());
    BufferChain pieces;
    pieces.push_back(std::move(copy));
    if (recipient.encrypt && session.keys.encryption &&
        !seal_message(connection, session, pieces)) {
        return false;
    }
    connection.send(std::move(pieces));
    return true;
}

void send_to_sessions(ServerImpl& server, const std::vector<Recipient>& recipients,
                      std::uint64_t preferred_connection, std::vector<std::byte> message,
                      Sent sent) {
    auto delivery = std::make_unique<Delivery>();
    delivery->server = &server;
    delivery->message = std::move(message);
    delivery->sent = std::move(sent);
    auto& stops = delivery->stops;
    for (const Recipient& recipient : recipients) {
        const auto state = recipient.session->state.lock();
        for (const Channel& channel : state->channels) {
            stops.push_back({channel.connection_id, recipient});
        }
    }
    std::reverse(stops.begin(), stops.end());
    const auto preferred = std::find_if(stops.begin(), stops.end(), [&](const auto& stop) {
        return stop.connection_id == preferred_connection;
    });
    if (preferred != stops.end()) std::rotate(preferred, preferred + 1, stops.end());
    try_next(std::move(delivery));
}

}  // namespace smb3d::engine
