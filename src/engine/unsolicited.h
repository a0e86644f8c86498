// Unsolicited messages: what the server sends without having been asked: oplock and lease breaks,
//   notifications.
//
// Purpose: a session may have several channels, any of which may be dead without anybody knowing;
//   the message goes out on one that takes it.
// Spec: [MS-SMB2] 3.3.4.6 (oplock break), 3.3.4.7 (lease break), 3.3.4.1 (sending any message),
//   2.2.44 (notifications).
// Thread: send_to_session: any.  send_unsolicited: the connection's loop.
// Lifetime: the server outlives messages under way, as it does connections.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/session.h"
#include "wire/header.h"

namespace smb3d::engine {

class Connection;
class ServerImpl;

// Header and body; sealed anew for each attempt.
struct Unsolicited {
    std::vector<std::byte> message;
    // Inside a transform header, with the session's key: Session.EncryptData, or the tree's.  They
    // are never signed: there is no request whose MessageId would make a nonce (3.3.4.1.1), and
    // clients do not look (3.2.5.1.3).
    bool encrypt{false};
};

// `session_id`, `tree_id`: as the header shall have them (breaks have 0).
template <wire::Body Body>
std::shared_ptr<const Unsolicited> make_unsolicited(const Body& body, std::uint64_t session_id,
                                                    bool encrypt) {
    wire::Header header;
    header.command = Body::command;
    header.flags = wire::header_flags::server_to_redir;
    header.message_id = ~std::uint64_t{0};
    header.session_id = session_id;
    auto made = std::make_shared<Unsolicited>();
    made->encrypt = encrypt;
    made->message = wire::to_bytes(header);
    const std::vector<std::byte> bytes = wire::to_bytes(body);
    made->message.insert(made->message.end(), bytes.begin(), bytes.end());
    return made;
}

// False if the connection is closing, or is no channel of the session (any more).
bool send_unsolicited(Connection& connection, Session& session, const Unsolicited& message);

// Tries `preferred_connection` first (0: none is preferred), then the session's other channels in
// the order in which they came.  `sent` runs once, on any loop and perhaps before the call returns,
// with the connection that took the message, or 0 if none did.
using Sent = std::move_only_function<void(std::uint64_t connection_id)>;
void send_to_session(ServerImpl& server, std::shared_ptr<Session> session,
                     std::uint64_t preferred_connection, std::shared_ptr<const Unsolicited> message,
                     Sent sent = {});

}  // namespace smb3d::engine
