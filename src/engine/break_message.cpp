#include "engine/break_message.h"

#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "engine/connection.h"
#include "engine/respond.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

// A message on its way from channel to channel until one takes it.
struct Delivery {
    struct Stop {
        std::uint64_t connection_id;
        std::shared_ptr<Session> session;
        bool seal;
    };
    ServerImpl& server;
    std::vector<std::byte> message;
    std::vector<Stop> stops;
    std::size_t next{0};
    std::move_only_function<void()> undeliverable;
};

bool send(const Delivery& delivery, const Delivery::Stop& stop, Connection& connection) {
    OutgoingPart part;
    part.response.head = connection.loop().buffers().allocate(delivery.message.size());
    if (part.response.head.empty()) part.response.head = make_heap_buffer(delivery.message.size());
    std::memcpy(part.response.head.data(), delivery.message.data(), delivery.message.size());
    const bool seal = stop.seal && stop.session->keys.encryption != nullptr;
    send_parts(connection, std::span(&part, 1), seal ? stop.session.get() : nullptr);
    return !connection.closing();
}

void advance(std::shared_ptr<Delivery> delivery) {
    if (delivery->next == delivery->stops.size()) {
        delivery->undeliverable();
        return;
    }
    const std::size_t index = delivery->next++;
    const std::uint64_t id = delivery->stops[index].connection_id;
    ServerImpl& server = delivery->server;
    auto try_it = [delivery = std::move(delivery), index](Connection* connection) mutable {
        const bool open = connection != nullptr && !connection->closing();
        if (open && send(*delivery, delivery->stops[index], *connection)) return;
        advance(std::move(delivery));
    };
    // At once if it can be: what the client sends next must not be answered before.
    if (Connection* here = server.connection_here(id)) {
        try_it(here);
    } else {
        server.post_to_connection(id, std::move(try_it));
    }
}

}  // namespace

void send_to_sessions(ServerImpl& server, const ClientGuid* client,
                      std::vector<BreakTarget> targets, std::vector<std::byte> message,
                      std::move_only_function<void()> undeliverable) {
    auto delivery = std::make_shared<Delivery>(
        Delivery{server, std::move(message), {}, 0, std::move(undeliverable)});
    bool must_seal = false;
    for (const BreakTarget& target : targets) {
        const std::shared_ptr<Session> session = server.session_table.find(target.session_id);
        if (session == nullptr) continue;
        const bool seal = session->encrypt_data || target.encrypt;
        must_seal = must_seal || seal;
        const auto state = session->state.lock();
        for (const Channel& channel : state->channels) {
            delivery->stops.push_back({channel.connection_id, session, seal});
        }
    }
    if (client != nullptr && !must_seal && !delivery->stops.empty()) {
        std::vector<Delivery::Stop> stops;
        for (const std::uint64_t id : server.connections_of(*client)) {
            stops.push_back({id, nullptr, false});
        }
        delivery->stops.insert(delivery->stops.begin(), stops.begin(), stops.end());
    }
    advance(std::move(delivery));
}

}  // namespace smb3d::engine
