#include "pipe/rpc.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace smb3d::pipe::rpc {

namespace {

constexpr std::uint16_t fragment_size(std::uint16_t proposed) {
    return std::clamp(proposed, least_fragment, preferred_fragment);
}

bool single_fragment(const Header& header) {
    constexpr auto both = static_cast<std::uint8_t>(first_fragment | last_fragment);
    return (header.flags & both) == both;
}

}  // namespace

void RpcConnection::feed(Bytes input, const Caller& caller, std::vector<Bits>& replies) {
    Work work{caller, replies};
    if (broken()) return;
    if (input.size() > max_input || input_.size() > max_input - input.size()) {
        break_off();
        return;
    }
    input_.insert(input_.end(), input.begin(), input.end());
    std::size_t at = 0;
    while (!broken() && input_.size() - at >= header_size) {
        const MutableBytes rest = MutableBytes(input_).subspan(at);
        const auto header = parse_header(rest);
        if (!header) {
            break_off();
            break;
        }
        if (header->version != 5 || header->minor > 1) {
            // [C706] 12.6.4.5: only a bind has an answer that says so.
            if (header->type == PduType::bind) {
                replies.push_back(
                    build_bind_nak(NakReason::protocol_version_not_supported, header->call_id));
            }
            break_off();
            break;
        }
        if (rest.size() < header->fragment_length) break;
        ++counters_.packets_received;
        const std::size_t sent = replies.size();
        on_pdu(rest.first(header->fragment_length), work);
        counters_.packets_sent += static_cast<std::uint32_t>(replies.size() - sent);
        at += header->fragment_length;
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(at));
    if (broken()) {
        input_.clear();
        assembly_.reset();
    }
}

void RpcConnection::on_pdu(MutableBytes whole, Work& work) {
    const auto pdu = parse_pdu(whole);
    if (!pdu) {
        break_off();
        return;
    }
    switch (pdu->header.type) {
        case PduType::bind:
            on_bind(*pdu, work);
            return;
        case PduType::alter_context:
            on_alter_context(*pdu, work);
            return;
        case PduType::auth3:
            on_auth3(*pdu);
            return;
        case PduType::request:
            on_request(*pdu, whole, work);
            return;
        case PduType::cancel:
            return;  // [C706] 12.6.4.6: calls here end before a cancel can be read
        case PduType::orphaned:
            if (assembly_ && assembly_->call_id == pdu->header.call_id) assembly_.reset();
            return;
        default:
            break_off();
            return;  // what servers send, and datagram PDUs
    }
}

// [MS-RPCE] 3.3.1.5.2.2: the first token of a bind or alter_context.  False if the bind cannot go
// on.
bool RpcConnection::begin_security(const Pdu& pdu, Work& work) {
    if (!pdu.auth) return true;
    const auto authority = view_->authority();
    security_ = RpcSecurity::begin(authority.get(), *pdu.auth, work.caller);
    if (!security_) {
        work.replies.push_back(
            build_bind_nak(NakReason::authentication_type_not_recognized, pdu.header.call_id));
        break_off();
        return false;
    }
    return true;
}

const Interface* RpcConnection::find_interface(const SyntaxId& wanted) const {
    for (const Interface* offered : {service_.interface, &mgmt_interface()}) {
        const SyntaxId& id = offered->id;
        if (wanted.uuid == id.uuid && wanted.major == id.major && wanted.minor <= id.minor) {
            return offered;
        }
    }
    return nullptr;
}

// [C706] 12.6.3.1: each proposed presentation context gets its own result.
ContextAnswer RpcConnection::answer(const PresentationContext& context) {
    ContextAnswer answer;
    if (context.transfer.size() == 1 && is_bind_time_features(context.transfer[0])) {
        // [MS-RPCE] 3.3.1.5.3: acknowledged; of the features, none is supported.
        answer.result = ContextResult::negotiate_ack;
        return answer;
    }
    const Interface* const offered = find_interface(context.abstract);
    if (offered == nullptr) {
        answer.reason = static_cast<std::uint16_t>(RejectReason::abstract_syntax_not_supported);
        return answer;
    }
    const auto& proposed = context.transfer;
    if (std::find(proposed.begin(), proposed.end(), ndr20_syntax()) == proposed.end()) {
        answer.reason = static_cast<std::uint16_t>(RejectReason::transfer_syntaxes_not_supported);
        return answer;
    }
    if (contexts_.size() >= max_contexts && !contexts_.contains(context.id)) {
        answer.reason = static_cast<std::uint16_t>(RejectReason::local_limit_exceeded);
        return answer;
    }
    contexts_[context.id] = offered;
    answer.result = ContextResult::acceptance;
    answer.transfer = ndr20_syntax();
    return answer;
}

BindAck RpcConnection::make_ack(const Bind& bind) {
    BindAck ack;
    ack.max_transmit = max_transmit_;
    ack.max_receive = fragment_size(bind.max_transmit);
    ack.group = group_;
    for (const PresentationContext& context : bind.contexts) {
        ack.answers.push_back(answer(context));
    }
    return ack;
}

std::optional<AuthToken> RpcConnection::token_for(const Bits& token) const {
    if (!security_ || token.empty()) return std::nullopt;
    return AuthToken{security_->type(), security_->level(), security_->context_id(), token};
}

void RpcConnection::on_bind(const Pdu& pdu, Work& work) {
    const auto bind = parse_bind(pdu);
    if (state_ != State::unbound || !bind || !single_fragment(pdu.header)) {
        // [MS-RPCE] 3.3.3.3: a second bind, or one in pieces, is a violation.
        work.replies.push_back(build_bind_nak(NakReason::not_specified, pdu.header.call_id));
        break_off();
        return;
    }
    if (!begin_security(pdu, work)) return;
    Bits token;
    if (security_) {
        auto step = security_->step(pdu.auth->value);
        if (!step) {
            work.replies.push_back(build_bind_nak(NakReason::invalid_checksum, pdu.header.call_id));
            break_off();
            return;
        }
        token = std::move(*step);
        header_signing_ = (pdu.header.flags & header_signing) != 0;
    }
    max_transmit_ = fragment_size(bind->max_receive);
    // [C706] 12.6.3.6: 0 asks for a new group.  Nothing is shared in a group here: handles belong
    // to the pipe.
    group_ = bind->group != 0 ? bind->group : 0x53F0U;
    BindAck ack = make_ack(*bind);
    ack.secondary_address = service_.secondary_address;
    const auto flags = static_cast<std::uint8_t>(header_signing_ ? header_signing : 0);
    work.replies.push_back(
        build_bind_ack(ack, PduType::bind_ack, flags, pdu.header.call_id, token_for(token)));
    state_ = security_ && !security_->complete() ? State::authenticating : State::bound;
}

void RpcConnection::on_alter_context(const Pdu& pdu, Work& work) {
    const auto bind = parse_bind(pdu);
    if (state_ == State::unbound || !bind || !single_fragment(pdu.header)) {
        fault(Fault::protocol_error, 0, pdu.header.call_id, work);
        break_off();
        return;
    }
    Bits token;
    if (pdu.auth && !(security_ && security_->complete())) {
        // The next leg of the exchange that the bind began, or the first one if it came without.
        if (!security_ && !begin_security(pdu, work)) return;
        auto step = security_->matches(*pdu.auth)
                        ? security_->step(pdu.auth->value)
                        : Result<std::vector<std::byte>>(fail(NtStatus::INVALID_PARAMETER));
        if (!step) {
            // [MS-RPCE] 3.3.1.5.2.2: an alter_context has no nak.
            fault(Fault::access_denied, 0, pdu.header.call_id, work);
            break_off();
            return;
        }
        token = std::move(*step);
    } else if (pdu.auth && !security_->matches(*pdu.auth)) {
        // Only one security context at a time: multiplexing them was not negotiated.
        fault(Fault::access_denied, 0, pdu.header.call_id, work);
        return;
    }
    const BindAck ack = make_ack(*bind);
    const auto flags = static_cast<std::uint8_t>(header_signing_ ? header_signing : 0);
    work.replies.push_back(build_bind_ack(ack, PduType::alter_context_response, flags,
                                          pdu.header.call_id, token_for(token)));
    state_ = security_ && !security_->complete() ? State::authenticating : State::bound;
}

// [MS-RPCE] 3.3.1.5.2.2: the last leg, which has no answer; a failure shows in the next call.
void RpcConnection::on_auth3(const Pdu& pdu) {
    if (state_ != State::authenticating || !pdu.auth || !security_->matches(*pdu.auth)) {
        break_off();
        return;
    }
    const auto step = security_->step(pdu.auth->value);
    if (step && security_->complete()) state_ = State::bound;
}

void RpcConnection::on_request(const Pdu& pdu, MutableBytes whole, Work& work) {
    const auto request = parse_request(pdu);
    const std::uint32_t call_id = pdu.header.call_id;
    if (!request || state_ == State::unbound) {
        fault(Fault::protocol_error, 0, call_id, work);
        break_off();
        return;
    }
    // [MS-RPCE] 3.3.1.5.2.2: no call before the exchange has succeeded, and none that goes round
    // its protection.
    if (state_ == State::authenticating) {
        fault(Fault::access_denied, request->context_id, call_id, work);
        if (security_->failed()) break_off();
        return;
    }
    if (security_ && security_->protects()) {
        const bool fits = pdu.auth && security_->matches(*pdu.auth) &&
                          security_->open(whole, request->stub_at, *pdu.auth);
        if (!fits) {
            fault(Fault::access_denied, request->context_id, call_id, work);
            break_off();
            return;
        }
    }

    const bool first = (pdu.header.flags & first_fragment) != 0;
    if (first == assembly_.has_value() || (assembly_ && assembly_->call_id != call_id)) {
        // [C706] 12.6.4.9: fragments of a call are in order, and calls one after another.
        fault(Fault::protocol_error, request->context_id, call_id, work);
        break_off();
        return;
    }
    if (first) {
        assembly_.emplace(
            Assembly{call_id, request->context_id, request->operation, pdu.header.big_endian, {}});
    }
    if (request->stub.size() > max_request - assembly_->stub.size()) {
        fault(Fault::remote_no_memory, request->context_id, call_id, work);
        break_off();
        return;
    }
    assembly_->stub.insert(assembly_->stub.end(), request->stub.begin(), request->stub.end());
    if ((pdu.header.flags & last_fragment) == 0) return;
    const Assembly whole_request = std::move(*assembly_);
    assembly_.reset();
    run(whole_request, work);
}

void RpcConnection::run(const Assembly& request, Work& work) {
    ++counters_.calls_received;
    const auto context = contexts_.find(request.context_id);
    if (context == contexts_.end()) {
        fault(Fault::unknown_interface, request.context_id, request.call_id, work);
        return;
    }
    const auto operations = context->second->operations;
    const Operation operation =
        request.operation < operations.size() ? operations[request.operation] : nullptr;
    if (operation == nullptr) {
        fault(Fault::op_range_error, request.context_id, request.call_id, work);
        return;
    }
    const bool own = security_ && security_->complete() && security_->caller() != nullptr;
    Call call{own ? *security_->caller() : work.caller, *view_, handles_, counters_};
    ndr::Reader in(request.stub, request.big_endian);
    ndr::Writer out;
    const Fault result = operation(call, in, out);
    if (result != Fault::none) {
        fault(result, request.context_id, request.call_id, work, true);
        return;
    }
    respond(request, out.view(), work);
}

// [C706] 12.6.4.10: as many fragments as the client's fragment size asks for.
void RpcConnection::respond(const Assembly& request, Bytes stub, Work& work) {
    const bool protect = security_ && security_->protects();
    std::size_t room = max_transmit_ - call_header_size;
    if (protect) {
        room -= auth_trailer_size + NtlmProtection::signature_size;
        room -= room % auth_padding;
    } else {
        room -= room % 8;  // [C706] 12.6.3.1: all fragments but the last are a multiple of 8
    }
    std::size_t at = 0;
    do {
        const Bytes part = stub.subspan(at, std::min(room, stub.size() - at));
        std::uint8_t flags = at == 0 ? first_fragment : 0;
        if (at + part.size() == stub.size()) flags |= last_fragment;
        ndr::Writer pdu;
        pdu.u8(5);
        pdu.u8(0);
        pdu.u8(static_cast<std::uint8_t>(PduType::response));
        pdu.u8(flags);
        pdu.u32(0x10);
        pdu.u16(static_cast<std::uint16_t>(call_header_size + part.size()));
        pdu.u16(0);
        pdu.u32(request.call_id);
        pdu.u32(static_cast<std::uint32_t>(stub.size() - at));  // alloc_hint
        pdu.u16(request.context_id);
        pdu.u8(0);
        pdu.u8(0);
        pdu.bytes(part);
        Bits bytes = pdu.take();
        if (protect && !security_->seal(bytes, call_header_size)) {
            break_off();
            return;
        }
        work.replies.push_back(std::move(bytes));
        at += part.size();
    } while (at < stub.size());
}

void RpcConnection::fault(Fault code, std::uint16_t context_id, std::uint32_t call_id, Work& work,
                          bool executed) {
    log::debug(log::Component::pipe, "{}: fault {:#010x}", service_.name,
               static_cast<std::uint32_t>(code));
    const auto flags = static_cast<std::uint8_t>(executed ? 0 : did_not_execute);
    // Faults carry no verifier, on protected connections either: it is optional for them, and
    // clients of both Windows and Samba take them so.
    work.replies.push_back(build_fault(code, context_id, call_id, flags));
}

}  // namespace smb3d::pipe::rpc
