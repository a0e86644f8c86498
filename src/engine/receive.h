// Receive: from a message to verified requests.
//
// Spec: [MS-SMB2] 3.3.5.2 (Receiving Any Message), 3.3.5.2.1 (decrypting) to 3.3.5.2.11 (tree
//   connect).
// Thread: the connection's loop.
// Errors: a status that the request is answered with, or a reason to close the connection.
#pragma once

#include <memory>
#include <string_view>

#include "engine/request.h"
#include "engine/request_chain.h"

namespace smb3d::engine {

// One whole message: decrypts it if it is sealed, answers the SMB1 negotiate, starts a RequestChain
// for anything else, or closes the connection.
void receive(Connection& connection, Buffer message);

struct Verification {
    std::string_view disconnect;         // not empty: protocol abuse, no answer
    NtStatus status{NtStatus::SUCCESS};  // else what the request fails with
    static Verification abuse(std::string_view reason) { return {reason, NtStatus::SUCCESS}; }
    static Verification refuse(NtStatus status) { return {{}, status}; }
};

// The header's form, direction and message id: what decides whether there is a request at all.
Verification verify_header(Call& call);
// Session, signature, encryption, tree: fills in the Call.
Verification verify_rights(Call& call);

}  // namespace smb3d::engine
