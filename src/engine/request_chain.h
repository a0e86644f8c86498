// RequestChain: one message from the client: a request, or a compound of several, from receipt to
//   reply.
//
// Spec: [MS-SMB2] 3.3.5.2.7 (Handling Compounded Requests), 3.3.4.1.3 (compounding responses).
// Thread: its connection's loop.
// Lifetime: owns itself: run() destroys it when the last response is sent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/connection.h"
#include "engine/request.h"
#include "engine/respond.h"
#include "smb3d/small_vector.h"
#include "wire/compound.h"

namespace smb3d::engine {

// What a related request takes over from the ones before it: [MS-SMB2] 3.3.5.2.7.2.
struct RelatedState {
    std::uint64_t session_id{0};
    std::uint32_t tree_id{0};
    std::uint64_t file_persistent{0};
    std::uint64_t file_volatile{0};
    bool has_file{false};
    NtStatus create_failure{NtStatus::SUCCESS};  // of the CREATE that should have given the file
    NtStatus session_failure{NtStatus::SUCCESS};
};

class RequestChain : public FrameMemory {
  public:
    // Starts processing; deletes itself at the end.  `session`: the one whose keys decrypted the
    // message, or null.
    static void start(Connection& connection, Buffer message, std::shared_ptr<Session> session);

    Connection& connection() const { return connection_; }
    Call* current() { return call_ ? &*call_ : nullptr; }
    std::uint64_t began_ns() const { return began_ns_; }
    RelatedState& related() { return related_; }
    const std::shared_ptr<Session>& encryption_session() const { return encryption_session_; }
    const std::shared_ptr<const ServerConfig>& config() const { return config_; }

    // Sends what has been answered so far and the interim response after it; see Call::go_async.
    void send_interim(Response interim);

    // The connection's list.
    RequestChain* next{nullptr};
    RequestChain* previous{nullptr};

  private:
    RequestChain(Connection& connection, Buffer message, std::shared_ptr<Session> session);

    using Answered = OutgoingPart;

    Detached run();
    // One part; false if the connection must be closed.
    Task<bool> run_part(wire::ChainPart part);
    void finish(Result<Response>&& result);
    void flush_responses();

    Connection& connection_;
    Buffer message_;
    std::shared_ptr<Session> encryption_session_;
    std::shared_ptr<const ServerConfig> config_;
    std::optional<Call> call_;
    RelatedState related_;
    const std::uint64_t began_ns_;       // of the loop
    SmallVector<Answered, 4> answered_;  // what clients compound
};

}  // namespace smb3d::engine
