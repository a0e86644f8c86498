// RpcConnection: the server's side of connection-oriented RPC on one pipe: bytes in, PDUs out.
//
// Purpose: takes what a client writes in whatever pieces, keeps the state of the association, calls
// the service's
//   operations and makes the answering PDUs, each of which is one message of the pipe.
// Spec: [C706] 12.6 and Chapter 9 (the CO_SERVER machines), [MS-RPCE] 3.3.3 (server).
// Thread: one feed() at a time, any thread; it may wait as ServerView may.
// Lifetime: of one open pipe.
// Errors: a call's trouble is a fault PDU, a bind's a bind_nak; after a violation of the protocol
// the connection is
//   broken: it answers what there is to answer and takes nothing further.
//
//   unbound --bind, no token or a complete exchange--> bound --bind, protocol error, bad
//   signature--> broken unbound --bind with a token--> authenticating --alter_context, auth3-->
//   bound (or refused: calls are faulted)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "pipe/interface.h"
#include "pipe/rpc_pdu.h"
#include "pipe/rpc_security.h"

namespace smb3d::pipe::rpc {

// What a client may make the connection hold.
inline constexpr std::size_t max_request = 1024 * 1024;  // a request's fragments together
inline constexpr std::size_t max_input = 128 * 1024;     // not yet a whole PDU

class RpcConnection {
  public:
    RpcConnection(const PipeService& service, std::shared_ptr<const ServerView> view)
        : service_(service), view_(std::move(view)) {}

    // Processes `input` on behalf of `caller` (the pipe's; a bind that authenticates itself
    // overrides it) and appends the answers to `replies`.
    void feed(Bytes input, const Caller& caller, std::vector<Bits>& replies);
    bool broken() const { return state_ == State::broken; }

  private:
    enum class State : std::uint8_t { unbound, authenticating, bound, broken };
    struct Assembly {
        std::uint32_t call_id{0};
        std::uint16_t context_id{0};
        std::uint16_t operation{0};
        bool big_endian{false};
        std::vector<std::byte> stub;
    };
    struct Work {
        const Caller& caller;
        std::vector<Bits>& replies;
    };

    void on_pdu(MutableBytes whole, Work& work);
    void on_bind(const Pdu& pdu, Work& work);
    void on_alter_context(const Pdu& pdu, Work& work);
    void on_auth3(const Pdu& pdu);
    void on_request(const Pdu& pdu, MutableBytes whole, Work& work);
    void run(const Assembly& request, Work& work);
    void respond(const Assembly& request, Bytes stub, Work& work);

    bool begin_security(const Pdu& pdu, Work& work);
    const Interface* find_interface(const SyntaxId& wanted) const;
    ContextAnswer answer(const PresentationContext& context);
    BindAck make_ack(const Bind& bind);
    std::optional<AuthToken> token_for(const Bits& token) const;
    void fault(Fault code, std::uint16_t context_id, std::uint32_t call_id, Work& work,
               bool executed = false);
    void break_off() { state_ = State::broken; }

    const PipeService& service_;
    std::shared_ptr<const ServerView> view_;
    State state_{State::unbound};
    std::vector<std::byte> input_;
    std::map<std::uint16_t, const Interface*> contexts_;  // accepted presentation contexts
    std::optional<Assembly> assembly_;
    std::unique_ptr<RpcSecurity> security_;
    std::vector<ndr::ContextHandle> handles_;
    RpcCounters counters_;
    std::uint16_t max_transmit_{preferred_fragment};
    std::uint32_t group_{0};
    bool header_signing_{false};
};

}  // namespace smb3d::pipe::rpc
