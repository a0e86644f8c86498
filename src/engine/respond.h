// Respond: the only place that writes response headers, error bodies, credits, signatures and
//   transforms.
//
// Spec: [MS-SMB2] 3.3.4.1 (Sending Any Outgoing Message), 3.3.4.4 (error response).
// Thread: the connection's loop.
#pragma once

#include <memory>
#include <span>

#include "engine/request.h"

namespace smb3d::engine {

// Turns a failure into a response with an error body; empty head if there is no memory for one.
Response error_response(Call& call, NtStatus status);

// Writes the header of a finished response (all but NextCommand and Signature).
void write_header(Call& call, Response& response);

// The interim response, header included: [MS-SMB2] 3.3.4.2.
Response interim_response(Call& call);

// One response ready to go: what is still to be done when its place in the message is known.
struct OutgoingPart {
    Response response;
    std::shared_ptr<const crypto::Signer> signer;  // null: not signed
    crypto::SigningFields fields;
    // What the whole message, signature included, goes into: [MS-SMB2] 3.3.5.4, 3.3.5.5.
    crypto::PreauthHash* hash{nullptr};
};

// [MS-SMB2] 3.1.4.3: encrypts the pieces in place and puts a transform header before them.  False:
// the session cannot, or there is no memory.
bool seal_message(Connection& connection, Session& session, BufferChain& pieces);

// Links the parts into one message (padding, NextCommand), signs each, seals the whole if `seal` is
// given, sends it.
// What costs less in company (crypto/batch.h) waits in the loop's Outbox until the turn ends.
void send_parts(Connection& connection, std::span<OutgoingPart> parts,
                const std::shared_ptr<Session>& seal);

}  // namespace smb3d::engine
