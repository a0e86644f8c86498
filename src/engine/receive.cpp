#include "engine/receive.h"

#include "base/filetime.h"
#include "base/log.h"
#include "engine/cmd/smb1_negotiate.h"
#include "engine/connection.h"
#include "engine/dispatch.h"
#include "engine/server_impl.h"
#include "engine/session_bind.h"
#include "wire/header.h"

namespace smb3d::engine {

namespace {

// [MS-SMB2] 3.3.5.2.1.1: Decrypting the Message.  Yields the inner message, or an empty one after
// closing the connection.
Buffer decrypt(Connection& connection, const Buffer& message, std::shared_ptr<Session>& session) {
    const auto abuse = [&](std::string_view reason) {
        connection.disconnect(std::string(reason));
        return Buffer();
    };
    if (!connection.negotiated.done || !connection.negotiated.smb3()) {
        return abuse("encrypted message, but encryption was not negotiated");
    }
    auto header = wire::parse<wire::TransformHeader>(message.bytes());
    if (!header) return abuse("malformed transform header");
    if (header->flags != wire::transform_flag_encrypted) {
        return abuse("transform header with an unknown algorithm");
    }
    const std::size_t size = message.size() - wire::transform_header_size;
    if (header->original_message_size != size || size < wire::header_size) {
        return abuse("transform header with a wrong message size");
    }
    SessionChannel* channel = connection.find_channel(header->session_id);
    // A channel that is being bound has no rights yet, although its session has keys.
    if (channel == nullptr || !channel->signer || !channel->session->keys.decryption) {
        return abuse("encrypted message of an unknown session");
    }
    // Whoever listens knows an anonymous session's keys.  As Windows: a connection that has no
    // other session is closed (smb2.session.anon-encryption1).
    if (channel->session->anonymous && !connection.has_user()) {
        return abuse("encrypted message of an anonymous session");
    }
    Buffer inner = message.slice(wire::transform_header_size, size);
    const std::span<const std::byte, crypto::Aead::transform_size> sealed(
        message.data(), wire::transform_header_size);
    if (!channel->session->keys.decryption->open(sealed, inner.mutable_bytes())) {
        return abuse("encrypted message that fails authentication");
    }
    if (wire::message_kind(inner.bytes()) != wire::MessageKind::smb2) {
        return abuse("encrypted message without an SMB2 header");
    }
    session = channel->session;
    return inner;
}

// [MS-SMB2] 3.3.5.2.9: Verifying the Session.
Verification verify_session(Call& call, const CommandRow& row) {
    std::uint64_t id = call.header.session_id;
    RelatedState& related = call.chain.related();
    if (call.related) {
        if (related.session_failure != NtStatus::SUCCESS) {
            return Verification::refuse(related.session_failure);
        }
        id = related.session_id;
    }
    const bool wanted = row.needs_session;
    SessionChannel* channel = call.connection.find_channel(id);
    if (channel == nullptr || !channel->signer) {
        // An unfinished logon admits nothing but its SESSION_SETUP.
        if (!wanted) return {};
        sign_refusal(call, id);
        // 3.3.5.2.7.2: what relates to a request without a session is itself malformed.
        related.session_failure = NtStatus::INVALID_PARAMETER;
        return Verification::refuse(NtStatus::USER_SESSION_DELETED);
    }
    call.session = channel->session;
    call.signer = channel->signer;
    call.response_session_id = id;
    related.session_id = id;
    SessionState state{};
    {
        auto locked = call.session->state.lock();
        if (locked->state == SessionState::valid && locked->expires != 0 &&
            locked->expires < filetime_now()) {
            Session::transition(*locked, SessionState::expired);
        }
        state = locked->state;
        call.caller = locked->caller;
    }
    call.session->last_used_ns.store(call.loop().now_ns(), std::memory_order_relaxed);
    if (state == SessionState::ended || state == SessionState::in_progress) {
        call.session.reset();
        call.signer.reset();
        if (!wanted) return {};
        related.session_failure = NtStatus::INVALID_PARAMETER;
        return Verification::refuse(NtStatus::USER_SESSION_DELETED);
    }
    if (state == SessionState::expired && !row.while_expired) {
        // The refusal is signed or sealed like any response, so the session stays with the call.
        return Verification::refuse(NtStatus::NETWORK_SESSION_EXPIRED);
    }
    return {};
}

// [MS-SMB2] 3.3.5.2.4: Verifying the Signature; 3.3.5.2.9 and 3.3.5.2.11: what must not come in the
// clear.
Verification verify_protection(Call& call) {
    if (!call.session) {
        return call.signed_request && call.header.command != wire::Command::session_setup &&
                       call.header.session_id != 0
                   ? Verification::refuse(NtStatus::USER_SESSION_DELETED)
                   : Verification{};
    }
    if (call.encrypted) {
        // 3.3.5.2.1.1: the transform header's session is the one that every part must name.
        if (call.chain.encryption_session() != call.session) {
            return Verification::abuse("encrypted request that names another session");
        }
        return {};
    }
    const bool setup = call.header.command == wire::Command::session_setup;
    if (call.signed_request) {
        if (call.session->guest) return {};  // no key that both sides know
        call.sign_response = true;
        const crypto::SigningFields fields{call.header.message_id, false,
                                           call.header.command == wire::Command::cancel};
        if (!call.signer->verify(call.message, fields)) {
            log::warn(log::Component::engine, "{}: {} with a wrong signature",
                      call.connection.peer(), find_command(call.header.command)->name);
            return Verification::refuse(NtStatus::ACCESS_DENIED);
        }
    } else if (call.session->signing_required && call.header.command != wire::Command::negotiate) {
        // SESSION_SETUP too: what re-authenticates a session must come from its owner.
        log::warn(log::Component::engine, "{}: {} unsigned although signing is required",
                  call.connection.peer(), find_command(call.header.command)->name);
        return Verification::refuse(NtStatus::ACCESS_DENIED);
    }
    if (call.session->encrypt_data && !setup) {
        return Verification::refuse(NtStatus::ACCESS_DENIED);
    }
    return {};
}

// [MS-SMB2] 3.3.5.2.11: Verifying the Tree Connect.
Verification verify_tree(Call& call) {
    RelatedState& related = call.chain.related();
    const std::uint32_t id = call.related ? related.tree_id : call.header.tree_id;
    call.tree = call.session->find_tree(id);
    if (!call.tree) return Verification::refuse(NtStatus::NETWORK_NAME_DELETED);
    related.tree_id = id;
    call.response_tree_id = id;
    if (call.tree->encrypt && !call.encrypted) return Verification::refuse(NtStatus::ACCESS_DENIED);
    return {};
}

}  // namespace

Verification verify_header(Call& call) {
    const Negotiated& negotiated = call.connection.negotiated;
    if (call.header.is_response()) return Verification::abuse("a response from a client");
    if (!negotiated.done && call.header.command != wire::Command::negotiate) {
        return Verification::abuse("a request before NEGOTIATE");
    }
    if (call.header.command == wire::Command::cancel) return {};
    // [MS-SMB2] 3.3.5.2.3: Verifying the Sequence Number.
    call.credit_charge = negotiated.supports_multi_credit
                             ? std::max<std::uint16_t>(call.header.credit_charge, 1)
                             : 1;
    if (!call.connection.window.consume(call.header.message_id, call.credit_charge)) {
        return Verification::abuse("a message id outside the sequence window");
    }
    return {};
}

Verification verify_rights(Call& call) {
    const CommandRow* row = find_command(call.header.command);
    // [MS-SMB2] 3.3.5.2.6
    if (row == nullptr) return Verification::refuse(NtStatus::INVALID_PARAMETER);
    // 3.3.5.2.7.2: the first of a compound has nothing to relate to.
    if (call.related && call.first) {
        call.chain.related().session_failure = NtStatus::INVALID_PARAMETER;
        return Verification::refuse(NtStatus::INVALID_PARAMETER);
    }
    if (Verification v = verify_session(call, *row);
        !v.disconnect.empty() || v.status != NtStatus::SUCCESS) {
        return v;
    }
    if (Verification v = verify_protection(call);
        !v.disconnect.empty() || v.status != NtStatus::SUCCESS) {
        return v;
    }
    if (row->needs_tree) return verify_tree(call);
    return {};
}

void receive(Connection& connection, Buffer message) {
    switch (wire::message_kind(message.bytes())) {
        case wire::MessageKind::smb2:
            RequestChain::start(connection, std::move(message), nullptr);
            return;
        case wire::MessageKind::transform: {
            std::shared_ptr<Session> session;
            Buffer inner = decrypt(connection, message, session);
            if (!inner.empty()) {
                RequestChain::start(connection, std::move(inner), std::move(session));
            }
            return;
        }
        case wire::MessageKind::smb1:
            smb1_negotiate(connection, message.bytes());
            return;
        case wire::MessageKind::compressed:
            connection.disconnect("compressed message, but compression was not negotiated");
            return;
        case wire::MessageKind::unknown:
            connection.disconnect("not an SMB message");
            return;
    }
}

}  // namespace smb3d::engine
