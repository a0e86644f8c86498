// Connection: one client connection; it routes messages and owns what belongs to a connection only.
//
// Spec: [MS-SMB2] 3.3.1.7 (Per Transport Connection).
// Thread: its loop, for life.  Others reach it with ServerImpl::post_to_connection(id, ...).
// Lifetime: LoopState owns it from adopt() until the link is closed, every request has ended and
//   its channels are taken down; then it removes itself.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "auth/authority.h"
#include "base/gate.h"
#include "crypto/preauth.h"
#include "engine/config.h"
#include "engine/credits.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/statistics.h"
#include "smb3d/transport.h"
#include "wire/negotiate.h"

namespace smb3d::engine {

class RequestChain;
class ServerImpl;
struct LoopState;

// What NEGOTIATE settled.
struct Negotiated {
    bool done{false};
    // After an SMB1 multi-protocol negotiate answered with 0x02FF, an SMB2 NEGOTIATE must follow.
    bool wildcard_sent{false};
    Dialect dialect{Dialect::smb202};
    std::array<std::uint8_t, 16> client_guid{};
    std::uint16_t client_security_mode{0};
    std::uint32_t client_capabilities{0};
    std::uint32_t server_capabilities{0};
    std::uint16_t server_security_mode{0};
    std::vector<std::uint16_t> client_dialects;
    Cipher cipher{Cipher::none};
    SigningAlgorithm signing{SigningAlgorithm::hmac_sha256};
    bool supports_multi_credit{false};
    bool supports_notifications{false};  // SMB2_GLOBAL_CAP_NOTIFICATIONS
    std::uint32_t max_transact{0};
    crypto::PreauthHash preauth;  // 3.1.1: Connection.PreauthIntegrityHashValue

    bool smb3() const { return dialect >= Dialect::smb300; }
    bool multichannel() const {
        return (server_capabilities & wire::capabilities::multi_channel) != 0;
    }
};

// One of this connection's sessions: [MS-SMB2] 3.3.1.14 (Per Channel), with the logon that is under
// way.
struct SessionChannel {
    std::shared_ptr<Session> session;
    std::shared_ptr<const crypto::Signer> signer;  // Channel.SigningKey; null until authenticated
    // The logon (or re-authentication) under way.
    std::unique_ptr<auth::Exchange> exchange;
    crypto::PreauthHash preauth;  // Session.PreauthIntegrityHashValue
    bool step_running{false};     // a further SESSION_SETUP for it is refused meanwhile
    std::size_t rounds{0};
    bool binding{false};  // to a session that another connection logged on: 3.3.5.5.2
};

class Connection final : public transport::LinkEvents {
  public:
    Connection(ServerImpl& server, LoopState& local, std::uint64_t id,
               std::unique_ptr<transport::Link> link);
    ~Connection() override;

    void start();

    // transport::LinkEvents
    void on_message(Buffer message) override;
    void on_send_drained() override;
    void on_closed(const std::string& reason) override;

    std::uint64_t id() const { return id_; }
    Loop& loop() const { return link_->loop(); }
    ServerImpl& server() const { return server_; }
    LoopState& local() const { return local_; }
    transport::Link& link() const { return *link_; }
    LoopActivity::Transport& activity() const { return activity_; }
    const std::string& peer() const { return link_->peer().text; }
    std::uint64_t since() const { return since_; }

    Negotiated negotiated;
    SequenceWindow window;

    // -- sessions of this connection
    SessionChannel* find_channel(std::uint64_t session_id);
    SessionChannel& add_channel(std::shared_ptr<Session> session);
    void drop_channel(std::uint64_t session_id);
    // The key of a session of this connection, also of one that ended not long ago; null: none.
    std::shared_ptr<const crypto::Signer> signer_of(std::uint64_t session_id) const;
    std::size_t channel_count() const { return channels_.size(); }
    std::size_t unfinished_logons() const;
    // True if one of the sessions is that of a user with a password.
    bool has_user() const;
    // The first session became valid: the pre-authentication limits no longer apply.
    void authenticated();
    Channel describe_channel() const;

    // -- requests under way
    void enlist(RequestChain& chain);
    void delist(RequestChain& chain);
    bool busy() const { return chains_ != nullptr; }
    // Requests that their client should hear of by now: slow_requests.h.
    bool has_overdue(std::uint64_t now_ns) const;
    void answer_overdue(std::uint64_t now_ns);
    // False if there are too many.
    bool register_async(Call& call);
    void unregister_async(Call& call);
    // [MS-SMB2] 3.3.5.16: by AsyncId, or by MessageId.
    void cancel_request(const wire::Header& header);
    // Cancels every request of a session (LOGOFF, session end).
    void cancel_session(std::uint64_t session_id);

    // What waits in the outbox for this connection goes first.
    void send(BufferChain&& message);
    // How many messages of this connection the outbox holds; the outbox counts.
    std::size_t held_back{0};
    // Protocol abuse, or the administrator: closes the link.
    void disconnect(const std::string& reason, bool flush = false);
    bool closing() const { return closing_; }
    // The server stops: no new request; closes when those under way have been answered.
    void finish();
    // ... and does not wait any longer.
    void cut_off();

  private:
    void arm_authentication_deadline();
    void update_back_pressure();
    Detached take_down();
    void cancel_all();
    bool has_other_channel(Session& session) const;

    ServerImpl& server_;
    LoopState& local_;
    const std::uint64_t id_;
    std::unique_ptr<transport::Link> link_;
    LoopActivity::Transport& activity_;  // of links like this one, on this loop
    const std::uint64_t since_;
    Gate gate_;
    bool closing_{false};
    bool paused_{false};
    bool finishing_{false};
    std::size_t chains_under_way_{0};
    RequestChain* chains_{nullptr};  // intrusive list
    std::unordered_map<std::uint64_t, SessionChannel> channels_;
    // Of channels that are gone, the latest last: a client that signs believes only a signed answer
    // that its session has been deleted.
    struct Departed {
        std::uint64_t session_id;
        std::shared_ptr<const crypto::Signer> signer;
    };
    std::vector<Departed> departed_;
    std::unordered_map<std::uint64_t, Call*> async_;
    struct OwnedTimer : Timer {
        Connection* owner{nullptr};
    } authentication_deadline_;
};

}  // namespace smb3d::engine
