// Call and Response: one request with what verification proved of it, and what a handler answers.
//
// Purpose: a handler gets proven facts (session, tree, open references already held) and returns
//   Result<Response>; it never sees a signature or a credit, and only respond.cpp writes headers
//   and error bodies.
// Spec: [MS-SMB2] 3.3.5.2 (what was verified).
// Thread: its connection's loop.
// Lifetime: a Call lives in its RequestChain from verification until its response has been built.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "crypto/preauth.h"
#include "crypto/signer.h"
#include "engine/config.h"
#include "engine/open.h"
#include "engine/session.h"
#include "engine/task.h"
#include "smb3d/buffer.h"
#include "wire/codec.h"
#include "wire/header.h"

namespace smb3d::engine {

class Connection;
class RequestChain;
class ServerImpl;

struct Response {
    NtStatus status{NtStatus::SUCCESS};
    // room for the 64-byte header, then the body's fixed part and what was written after it
    Buffer head;
    Buffer data;  // what follows, never copied: READ's data, a directory listing
};

struct Call {
    Call(Connection& connection_, RequestChain& chain_) : connection(connection_), chain(chain_) {}

    Connection& connection;
    RequestChain& chain;

    wire::Header header;  // as received
    Bytes message;        // from the header to the end of this part of the chain
    bool related{false};  // SMB2_FLAGS_RELATED_OPERATIONS
    bool last{true};      // of its compound
    bool first{true};
    bool signed_request{false};
    bool encrypted{false};  // came inside a transform header
    std::uint16_t credit_charge{1};
    std::uint64_t began{0};            // TickClock: for the statistics
    std::uint16_t credits_granted{0};  // by the interim response

    std::shared_ptr<Session> session;
    std::shared_ptr<const Caller> caller;
    std::shared_ptr<const crypto::Signer> signer;  // what the response is signed with, if it is
    bool sign_response{false};
    std::shared_ptr<Tree> tree;
    OpenRef open;

    // Asynchronous processing: [MS-SMB2] 3.3.4.2.
    std::uint64_t async_id{0};  // not 0: an interim response was sent
    vfs::Cancellation cancellation;
    // Goes on when its connection is lost, as long as its session has another channel.
    bool outlives_channel{false};

    // The preauthentication hash that the response's bytes go into (NEGOTIATE, SESSION_SETUP of
    // 3.1.1).
    crypto::PreauthHash* hash_response{nullptr};
    // For the response's header where it differs from the request's (SESSION_SETUP, TREE_CONNECT).
    std::uint64_t response_session_id{0};
    std::uint32_t response_tree_id{0};

    Loop& loop() const;
    ServerImpl& server() const;
    const ServerConfig& config() const;
    Dialect dialect() const;

    // What a VFS operation of this request runs under; valid as long as the Call.
    const vfs::OpContext& op(Lane lane) {
        op_.caller = caller.get();
        op_.loop = &loop();
        op_.lane = lane;
        op_.cancel = &cancellation;
        return op_;
    }

    // Sends the interim response (STATUS_PENDING) if this request may go asynchronous; false if it
    // is not the last of its compound or the connection has too many already: then the handler must
    // not wait.
    bool go_async();

  private:
    vfs::OpContext op_;
};

// A response of `body`; `data` follows it on the wire without being copied.
template <class Body>
Result<Response> reply(Call& call, const Body& body, Buffer data = {},
                       NtStatus status = NtStatus::SUCCESS) {
    Response response;
    response.status = status;
    response.head = call.loop().buffers().allocate(wire::header_size + wire::built_size(body));
    if (response.head.empty()) return fail(NtStatus::INSUFF_SERVER_RESOURCES);
    const MutableBytes room = response.head.mutable_bytes().subspan(wire::header_size);
    if (auto built = wire::build(body, room); !built) return fail(built.error());
    response.data = std::move(data);
    return response;
}

}  // namespace smb3d::engine
