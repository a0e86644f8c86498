// Messages that the server sends of its own accord: oplock and lease breaks.
//
// Spec: [MS-SMB2] 3.3.4.1 (sending), 3.3.4.6, 3.3.4.7, 2.2.1 (MessageId of a notification).
// Thread: any.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "engine/lease_table.h"
#include "wire/codec.h"
#include "wire/header.h"

namespace smb3d::engine {

// A message with the header of an unsolicited notification: no session, no tree, no signature.
template <class Body>
std::vector<std::byte> notification(const Body& body) {
    wire::Header header;
    header.command = Body::command;
    header.flags = wire::header_flags::server_to_redir;
    header.message_id = ~std::uint64_t{0};
    std::vector<std::byte> message(wire::header_size + wire::built_size(body));
    if (!wire::build_message(header, body, MutableBytes(message))) message.clear();
    return message;
}

// Sends on the first connection that is there: of the client, oldest first, unless the message must
// be sealed; then the channels of these sessions, sealed if the session or the target wants it.
// `undeliverable` runs if there is none.
void send_to_sessions(ServerImpl& server, const ClientGuid* client,
                      std::vector<BreakTarget> targets, std::vector<std::byte> message,
                      std::move_only_function<void()> undeliverable);

}  // namespace smb3d::engine
