// Unsolicited messages: what the server sends without having been asked: oplock and lease breaks,
//   notifications.
//
// Purpose: a session may have several channels, any of which may be dead without anybody knowing;
//   the message goes out on one that takes it.
// Spec: [MS-SMB2] 3.3.4.6 (oplock break), 3.3.4.7 (lease break), 3.3.4.1 (sending any message),
//   2.2.44 (notifications), 2.2.1 (MessageId).
// Thread: send_unsolicited: the connection's loop.  The others: any.
// Lifetime: the server outlives messages under way, as it does connections.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/lease_table.h"
#include "engine/session.h"
#include "wire/header.h"

namespace smb3d::engine {

class Connection;
class ServerImpl;

// Header and body.  `session_id`: of notifications; breaks have 0.
//
// Such a message is never signed: there is no request whose MessageId would make a nonce of its own
// (3.3.4.1.1), and clients do not look for a signature (3.2.5.1.3).
template <wire::Body Body>
std::vector<std::byte> unsolicited(const Body& body, std::uint64_t session_id = 0) {
    wire::Header header;
    header.command = Body::command;
    header.flags = wire::header_flags::server_to_redir;
    header.message_id = ~std::uint64_t{0};
    header.session_id = session_id;
    std::vector<std::byte> message = wire::to_bytes(header);
    const std::vector<std::byte> bytes = wire::to_bytes(body);
    message.insert(message.end(), bytes.begin(), bytes.end());
    return message;
}

// A session's client, and whether what it is told must be sealed: Session.EncryptData, or that of
// the tree concerned.
struct Recipient {
    std::shared_ptr<Session> session;
    bool encrypt{false};
};

// False if the connection is closing, or is no channel of the session (any more).
bool send_unsolicited(Connection& connection, const Recipient& recipient, Bytes message);

// Runs once, on any loop and perhaps before the call that takes it returns, with the connection
// that took the message, or 0 if none did.
using Sent = std::move_only_function<void(std::uint64_t connection_id)>;

// Tries the recipients' channels, each session's in the order in which they came, until one takes
// the message; `preferred_connection` comes before all others if it is one of them.  `client`: any
// connection of that client will do, the oldest first, unless the message must be sealed
// (smb2.lease.v2_complex1).
void send_to_sessions(ServerImpl& server, const std::vector<Recipient>& recipients,
                      std::uint64_t preferred_connection, std::vector<std::byte> message,
                      Sent sent = {}, const ClientGuid* client = nullptr);

}  // namespace smb3d::engine
