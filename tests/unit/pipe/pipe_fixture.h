// What the tests of src/pipe share: a made-up server, and a client that speaks RPC to a pipe in
// bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipe/pipe_share.h"
#include "pipe/rpc.h"

namespace smb3d::pipe::test {

using Bits = std::vector<std::byte>;

Bits from_hex(std::string_view hex);  // spaces are ignored
std::string to_hex(Bytes bytes);

class FakeView : public ServerView {
  public:
    FakeView();
    ServerIdentity identity() const override { return identity_; }
    std::vector<ShareEntry> shares(const Caller& caller) const override;
    std::vector<SessionEntry> sessions() const override { return sessions_; }
    std::vector<ConnectionEntry> connections() const override { return connections_; }
    std::vector<OpenEntry> opens() const override { return opens_; }
    bool close_open(std::uint32_t id) const override { return id == 77; }
    std::size_t end_sessions(const std::string& client, const std::string& user) const override {
        return client == "192.0.2.1" && user == "alice" ? 1 : 0;
    }
    std::shared_ptr<const auth::Authority> authority() const override { return authority_; }

    ServerIdentity identity_;
    std::vector<ShareEntry> shares_;
    std::vector<SessionEntry> sessions_;
    std::vector<ConnectionEntry> connections_;
    std::vector<OpenEntry> opens_;
    std::shared_ptr<const auth::Authority> authority_;
};

// An Authority whose exchange is "hello" -> "challenge" -> "proof" -> (`last`), with a known key.
class FakeAuthority : public auth::Authority {
  public:
    explicit FakeAuthority(std::string last = "") : last_(std::move(last)) {}
    std::vector<std::byte> hint() const override { return {}; }
    std::unique_ptr<auth::Exchange> begin(const auth::Peer& peer) const override;
    static Bits key();
    static std::uint32_t flags();
    const std::string& last_peer() const { return last_peer_; }

  private:
    std::string last_;
    mutable std::string last_peer_;
};

Caller user_caller();
Caller root_caller();
Caller anonymous_caller();

Bits text_bytes(std::string_view text);

// PDUs as clients send them.
struct ContextSpec {
    std::uint16_t id{0};
    SyntaxId abstract;
    std::vector<SyntaxId> transfer{rpc::ndr20_syntax()};
};
Bits bind_pdu(const std::vector<ContextSpec>& contexts, rpc::PduType type = rpc::PduType::bind,
              std::uint16_t fragment = 4280, std::uint32_t call_id = 1);
Bits bind_pdu(const Interface& interface, std::uint16_t fragment = 4280);
Bits request_pdu(std::uint16_t operation, Bytes stub, std::uint32_t call_id = 2,
                 std::uint8_t flags = 3, std::uint16_t context_id = 0);
// Adds an authentication verifier to a PDU.
Bits with_auth(Bits pdu, rpc::AuthType type, rpc::AuthLevel level, Bytes value,
               std::uint8_t extra_flags = 0);

std::uint16_t u16_at(Bytes bytes, std::size_t at);
std::uint32_t u32_at(Bytes bytes, std::size_t at);

// Feeds an RpcConnection, and puts the fragments of its answer together.
class Client {
  public:
    explicit Client(std::string_view pipe, std::shared_ptr<const ServerView> view,
                    Caller caller = user_caller());
    std::vector<Bits> feed(Bytes input);
    // Binds; asserts that it is accepted.
    void bind() { bind(*service_.interface); }
    void bind(const Interface& interface);
    // The stub of the response; nullopt and `fault` if there was a fault.
    std::optional<Bits> call(std::uint16_t operation, Bytes stub);

    Caller caller;
    std::uint32_t fault{0};
    std::size_t fragments{0};
    rpc::RpcConnection connection;

  private:
    const PipeService& service_;
};

// The stub of NetrShareEnum (15 and 36).
Bits share_enum_stub(std::uint32_t level, std::uint32_t preferred = 0xFFFFFFFF,
                     std::optional<std::uint32_t> resume = 0);

}  // namespace smb3d::pipe::test
