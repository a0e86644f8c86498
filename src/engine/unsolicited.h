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

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

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

// Which of the channels come first, and when a message counts as sent.
struct SendRules {
    std::uint64_t preferred_connection{0};  // before all others, if it is one of them
    bool newest_first{false};               // else in the order in which they came
    // Any connection of this client will do, before the sessions' own, the oldest first, unless the
    // message must be sealed (smb2.lease.v2_complex1).
    const ClientGuid* client{nullptr};
    // A channel whose network is down takes messages for long: if the peer's machine has not
    // confirmed the message within `confirm_after`, it goes over the next channel as well.  If
    // nothing at all has come from the peer since, the channel is closed: its client replays over
    // another one what it still waits for (smb2.multichannel.leases.test2).  The last channel is
    // closed only if the client has been silent on all of several for `gone_after`: then it is
    // gone, and who waits for its answer need not wait longer (leases.test4).
    bool until_confirmed{false};
    std::chrono::milliseconds gone_after{30'000};
    // Asked before it goes over a further channel, if there: false: the client has answered.
    std::function<bool()> still_wanted{};
};
inline constexpr std::chrono::milliseconds confirm_after{1000};

// Tries the recipients' channels until one takes the message.
void send_to_sessions(ServerImpl& server, const std::vector<Recipient>& recipients,
                      std::vector<std::byte> message, const SendRules& rules, Sent sent = {});

}  // namespace smb3d::engine
