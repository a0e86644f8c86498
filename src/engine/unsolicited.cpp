#include "engine/unsolicited.h"

#include <algorithm>
#include <cstring>

#include "engine/connection.h"
#include "engine/respond.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

// One message on its way through the channels.
struct Delivery {
    ServerImpl* server{nullptr};
    std::shared_ptr<Session> session;
    std::shared_ptr<const Unsolicited> message;
    std::vector<std::uint64_t> connections;  // still to be tried, the next one last
    Sent sent;
};

void report(Delivery& delivery, std::uint64_t connection_id) {
    if (delivery.sent) delivery.sent(connection_id);
}

void try_next(std::unique_ptr<Delivery> delivery) {
    if (delivery->connections.empty()) {
        report(*delivery, 0);
        return;
    }
    const std::uint64_t id = delivery->connections.back();
    delivery->connections.pop_back();
    ServerImpl& server = *delivery->server;
    server.post_to_connection(
        id, [id, delivery = std::move(delivery)](Connection* connection) mutable {
            if (connection != nullptr &&
                send_unsolicited(*connection, *delivery->session, *delivery->message)) {
                report(*delivery, id);
                return;
            }
            try_next(std::move(delivery));
        });
}

}  // namespace

bool send_unsolicited(Connection& connection, Session& session, const Unsolicited& message) {
    if (connection.closing()) return false;
    const SessionChannel* channel = connection.find_channel(session.id);
    if (channel == nullptr || channel->session.get() != &session || !channel->signer) return false;
    Buffer copy = make_heap_buffer(message.message.size());
    std::memcpy(copy.data(), message.message.data(), message.message.size());
    BufferChain pieces;
    pieces.push_back(std::move(copy));
    if (message.encrypt && session.keys.encryption && !seal_message(connection, session, pieces)) {
        return false;
    }
    connection.send(std::move(pieces));
    return true;
}

void send_to_session(ServerImpl& server, std::shared_ptr<Session> session,
                     std::uint64_t preferred_connection, std::shared_ptr<const Unsolicited> message,
                     Sent sent) {
    auto delivery = std::make_unique<Delivery>();
    delivery->server = &server;
    delivery->message = std::move(message);
    delivery->sent = std::move(sent);
    std::vector<std::uint64_t>& connections = delivery->connections;
    for (const Channel& channel : session->state.lock()->channels) {
        connections.push_back(channel.connection_id);
    }
    std::reverse(connections.begin(), connections.end());
    const auto preferred = std::find(connections.begin(), connections.end(), preferred_connection);
    if (preferred != connections.end()) std::rotate(preferred, preferred + 1, connections.end());
    delivery->session = std::move(session);
    try_next(std::move(delivery));
}

}  // namespace smb3d::engine
