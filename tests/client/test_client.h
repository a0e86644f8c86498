// TestClient: an SMB2 client for tests: synchronous helpers for what goes right, and raw messages
// for what must go wrong.
//
// Spec: [MS-SMB2] 3.2; no more of it than the tests need.
// Thread: one.  Lifetime: its TestServer outlives it.
// Errors: a Reply says `lost` if the connection ended, or nothing came within ten seconds, before
// it came.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/test_server.h"
#include "crypto/aead.h"
#include "crypto/preauth.h"
#include "crypto/signer.h"
#include "wire/message_list.h"

namespace smb3d::test {

struct Reply {
    wire::Header header;
    Message message;  // header and body; empty if lost
    bool lost{true};
    bool was_signed{false};  // and the signature was right
    bool bad_signature{false};
    bool encrypted{false};
    std::uint64_t arrival{0};  // counts what came over this connection

    // PENDING stands for "lost" too: no final response has it.
    NtStatus status() const { return lost ? NtStatus::PENDING : header.nt_status(); }
    bool ok() const { return !lost && header.nt_status() == NtStatus::SUCCESS; }
    // A body that does not parse is an empty one: its fields will not be what the test expects.
    template <class Body>
    Body body() const {
        auto parsed = wire::parse<Body>(message);
        return parsed ? *parsed : Body{};
    }
};

// What NEGOTIATE asks for.
struct NegotiateOptions {
    std::vector<std::uint16_t> dialects{0x0202, 0x0210, 0x0300, 0x0302, 0x0311};
    std::uint16_t security_mode{wire::security_mode::signing_enabled};
    std::uint32_t capabilities{wire::capabilities::encryption | wire::capabilities::large_mtu};
    // 3.1.1 contexts; encryption and signing are left out where the list is empty.
    std::vector<std::uint16_t> ciphers{wire::cipher::aes_128_gcm};
    std::vector<std::uint16_t> signing{wire::signing::aes_gmac};
    bool preauth{true};
};

// A request on its way to be sent.
struct Request {
    wire::Header header;
    Message body;
    bool sign{false};
};

struct CreateOptions {
    std::uint32_t access{0x0013019F};  // read, write, delete, attributes
    std::uint32_t share{wire::share_access::all};
    wire::CreateDisposition disposition{wire::CreateDisposition::open_if};
    std::uint32_t options{0};
    wire::OplockLevel oplock{wire::OplockLevel::none};
    Message contexts{};  // what a CreateContextBuilder has made
    bool replay{false};  // SMB2_FLAGS_REPLAY_OPERATION
};

class TestClient {
  public:
    explicit TestClient(TestServer& server, const std::string& host = "192.0.2.1");
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;
    // Closes the connection.
    ~TestClient();

    // -- the usual way
    Reply negotiate(std::uint16_t dialect);
    Reply negotiate(const NegotiateOptions& options);
    Reply session_setup(std::string_view token, std::uint64_t session = 0);
    // Makes this connection a channel of `other`'s session; `signed_with`: not its session's key.
    Reply bind(const TestClient& other, std::string_view token = "alice",
               const crypto::Signer* signed_with = nullptr);
    Reply tree_connect(std::string_view share);
    // All three; false if one of them fails.
    bool log_on(std::uint16_t dialect = 0x0311, std::string_view token = "alice",
                std::string_view share = "data");
    Reply tree_disconnect();
    Reply logoff();
    Reply echo();
    Reply create(std::string_view name, const CreateOptions& options = {});
    std::uint64_t send_create(std::string_view name, const CreateOptions& options = {});
    Reply close(wire::FileId file);
    Reply read(wire::FileId file, std::uint64_t offset, std::uint32_t length);
    Reply write(wire::FileId file, std::uint64_t offset, Bytes data);
    Reply flush(wire::FileId file);
    Reply lock(wire::FileId file, std::uint64_t offset, std::uint64_t length, std::uint32_t flags);
    Reply query_info(wire::FileId file, wire::InfoType type, std::uint8_t info_class,
                     std::uint32_t length = 4096);
    Reply set_info(wire::FileId file, std::uint8_t info_class, Bytes data);
    std::uint64_t send_set_info(wire::FileId file, std::uint8_t info_class, Bytes data);
    Reply rename(wire::FileId file, std::string_view name, bool replace = false);
    std::uint64_t send_rename(wire::FileId file, std::string_view name, bool replace = false);
    Reply delete_on_close(wire::FileId file);
    Reply query_directory(wire::FileId file, std::string_view pattern = "*", std::uint8_t flags = 0,
                          std::uint32_t length = 65536);
    Reply ioctl(wire::FileId file, std::uint32_t code, Bytes input,
                std::uint32_t max_output = 4096);

    // -- the parts of it
    // ---------------------------------------------------------------------------------------- A
    // request with this client's session, tree and protection, and the next message id.
    template <wire::Body Body>
    Request make(const Body& body, std::uint16_t charge = 1) {
        Request request = make_raw(Body::command, wire::to_bytes(body), charge);
        return request;
    }
    Request make_raw(wire::Command command, Message body, std::uint16_t charge = 1);
    // Sends it; the message id is the ticket for wait().
    std::uint64_t send(Request request);
    // Several in one message.  `related`: all but the first refer to it.
    std::vector<std::uint64_t> send_compound(std::vector<Request> requests, bool related);
    // The final response.
    Reply wait(std::uint64_t message_id);
    // Waits for the interim response; its Reply.
    Reply wait_interim(std::uint64_t message_id);
    template <wire::Body Body>
    Reply call(const Body& body, std::uint16_t charge = 1) {
        return wait(send(make(body, charge)));
    }
    // -- without waiting, for a test that drives several clients
    // Files what has come by now; false once the connection has ended and all of it is read.
    bool poll();
    // The final response, if it has come.
    std::optional<Reply> take(std::uint64_t message_id);
    // True: what the server sends unasked is collected in `notices`, else it is the response to
    // message id ~0.
    bool keep_notices{false};
    std::deque<Reply> notices;

    // By AsyncId if an interim response came, else by MessageId.
    void cancel(std::uint64_t message_id);
    void send_message(Message message) { link_->send(std::move(message)); }
    // One message as it comes.
    std::optional<Message> receive_message();
    // Waits for the end of the connection; false if it does not come.
    bool disconnected();
    // The server has closed it; what it sent before may still be unread.
    bool ended() const { return link_->closed(); }
    void disconnect() { link_->close(); }
    void go_silent() { link_->go_silent(); }
    bool refused() const { return link_ == nullptr; }

    // -- state, for tests to look at and to falsify
    std::uint16_t dialect{0};
    std::uint16_t cipher{0};
    std::uint16_t signing_algorithm{0};
    std::uint64_t session_id{0};
    std::uint32_t tree_id{0};
    std::uint64_t next_message_id{0};
    std::uint16_t credits_to_ask{16};
    std::uint32_t credits{1};
    bool sign{false};  // what make() does
    bool encrypt{false};
    NegotiateOptions negotiated_with;
    std::array<std::uint8_t, 16> client_guid{};
    std::uint16_t channel_sequence{0};  // of 3.x requests
    bool replay{false};                 // SMB2_FLAGS_REPLAY_OPERATION
    std::shared_ptr<const crypto::Signer> signer;
    std::shared_ptr<const crypto::Signer> session_signer;  // of the channel logged on with
    std::shared_ptr<const crypto::Aead> seal;
    std::shared_ptr<const crypto::Aead> open;

  private:
    Message seal_message(Message plain) const;
    // Reads one message from the link and files its replies; false at the end.
    bool pump();
    void file(Message message);
    void file_part(Bytes part, const wire::Header& header, bool encrypted);
    void derive_keys();
    Reply bind_leg(std::string_view token, const crypto::Signer* signed_with);
    Reply setup_leg(std::string_view token, std::uint64_t session, bool renewal);

    std::unique_ptr<LinkEnd> link_;
    crypto::PreauthHash connection_hash_;
    crypto::PreauthHash session_hash_;
    std::map<std::uint64_t, Reply> final_;
    std::map<std::uint64_t, Reply> interim_;
    std::uint64_t arrivals_{0};
};

Message utf16(std::string_view text);
// Sets NextCommand, pads, and joins; the requests' `sign` is left to the caller.
Message header_and_body(const Request& request);

}  // namespace smb3d::test
