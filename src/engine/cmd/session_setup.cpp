// SESSION_SETUP: [MS-SMB2] 3.3.5.5.
#include "base/filetime.h"
#include "base/log.h"
#include "base/utf16.h"
#include "crypto/kdf.h"
#include "crypto/provider.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/server_impl.h"
#include "engine/session_bind.h"

namespace smb3d::engine {

namespace {

// of one logon; NTLM takes 2, Kerberos and negotiation a few more
constexpr std::size_t max_rounds = 8;

// [MS-SMB2] 3.3.5.5.3: an authentication that fails ends the session, a re-authentication the one
// that there was.  A failed binding leaves the session as it was.
void abandon(Call& call, std::uint64_t session_id) {
    SessionChannel* channel = call.connection.find_channel(session_id);
    if (channel == nullptr) return;
    const bool binding = channel->binding;
    const std::shared_ptr<Session> session = channel->session;
    call.connection.drop_channel(session_id);
    if (!binding) call.server().end_session_on(session, call.loop(), call.connection.id());
}

// [MS-SMB2] 3.3.5.5, steps before authentication: finds or makes the channel that this request is
// about.
Result<SessionChannel*> channel_for(Call& call, const wire::SessionSetupRequest& request) {
    Connection& connection = call.connection;
    const ServerConfig& config = call.config();
    // 3.3.5.5 step 1: a server that insists on encryption has no use for a client that cannot.
    if (config.encryption == Encryption::required && connection.negotiated.cipher == Cipher::none) {
        log::info(log::Component::engine,
                  "{}: refused: encryption is required and the client cannot encrypt",
                  connection.peer());
        return fail(NtStatus::ACCESS_DENIED);
    }
    if (call.header.session_id == 0) {
        if (connection.channel_count() >= limits::max_sessions_per_connection) {
            return fail(NtStatus::SMB_TOO_MANY_UIDS);
        }
        if (connection.unfinished_logons() >= limits::max_unfinished_logons) {
            return fail(NtStatus::INSUFFICIENT_RESOURCES);
        }
        std::shared_ptr<Session> session = call.server().session_table.create(config.max_sessions);
        if (!session) return fail(NtStatus::SMB_TOO_MANY_UIDS);
        session->created_at = filetime_now();
        session->dialect = connection.negotiated.dialect;
        session->client_guid = connection.negotiated.client_guid;
        session->state.lock()->channels.push_back(connection.describe_channel());
        SessionChannel& channel = connection.add_channel(std::move(session));
        channel.preauth = connection.negotiated.preauth;
        return &channel;
    }
    const bool binding = (request.flags & wire::session_flag_binding) != 0;
    SessionChannel* channel = connection.find_channel(call.header.session_id);
    if (channel == nullptr || channel->binding) return channel_of_other_connection(call, binding);
    if (channel->session->state.lock()->state == SessionState::ended) {
        sign_refusal(call, call.header.session_id);
        return fail(NtStatus::USER_SESSION_DELETED);
    }
    // 3.3.5.5 step 4: it is one of this connection's sessions already.
    if (binding) return fail(NtStatus::REQUEST_NOT_ACCEPTED);
    return channel;
}

void update_hash(Call& call, SessionChannel& channel) {
    if (call.dialect() != Dialect::smb311 || channel.signer) return;
    channel.preauth.update(call.message);
}

// [MS-SMB2] 3.3.5.5.3: what a first successful authentication makes of the session.
Result<void> establish(Call& call, SessionChannel& channel, const auth::Identity& identity,
                       const wire::SessionSetupRequest& request) {
    const Negotiated& negotiated = call.connection.negotiated;
    const ServerConfig& config = call.config();
    Session& session = *channel.session;
    session.anonymous = identity.caller->anonymous;
    session.guest = identity.caller->guest;
    session.cipher = negotiated.cipher;
    session.signing = negotiated.signing;
    // [MS-NLMP] 3.2.5.1.2: an anonymous logon's key is all zeros, or exchanged under such a key:
    // protection that keeps nobody out, but that a client may ask for.  A guest's password was not
    // checked, so there is no key that both sides know.
    std::vector<std::byte> session_key = identity.session_key;
    if (session.anonymous && session_key.empty()) session_key.resize(16);
    const bool can_protect = !session.guest && !session_key.empty();
    const bool client_insists = ((request.security_mode | negotiated.client_security_mode) &
                                 wire::security_mode::signing_required) != 0;
    session.signing_required =
        can_protect && !session.anonymous && (config.signing_required || client_insists);
    // Deviation: 3.3.5.5.3 exempts guests from RequireMessageSigning.  An administrator who
    // requires signing does not mean to let in exactly those that nobody knows, unsigned; clients
    // that require it refuse a guest's session themselves (3.2.5.3.1).
    if (session.guest && config.signing_required) {
        log::info(log::Component::auth,
                  "{}: a guest is refused: signing is required, and guests have no key",
                  call.connection.peer());
        return fail(NtStatus::ACCESS_DENIED);
    }
    const crypto::SessionKeys keys = crypto::derive_session_keys(
        static_cast<std::uint16_t>(negotiated.dialect), session_key, channel.preauth.value(),
        static_cast<crypto::Cipher>(negotiated.cipher));
    const crypto::Provider& provider = config.crypto ? *config.crypto : crypto::openssl_provider();
    auto signer = provider.make_signer(static_cast<crypto::SigningAlgorithm>(negotiated.signing),
                                       keys.signing.bytes());
    if (!signer) return fail(signer.error());
    if (can_protect && negotiated.smb3() && negotiated.cipher != Cipher::none) {
        const auto cipher = static_cast<crypto::Cipher>(negotiated.cipher);
        auto decryption = provider.make_aead(cipher, keys.decryption.bytes());
        auto encryption = provider.make_aead(cipher, keys.encryption.bytes());
        if (!decryption || !encryption) return fail(NtStatus::INTERNAL_ERROR);
        session.keys.decryption = std::move(*decryption);
        session.keys.encryption = std::move(*encryption);
        session.encrypt_data = config.encryption == Encryption::required && !session.anonymous;
    }
    // A key that everybody knows protects nothing.
    const bool sealed = session.keys.encryption && !session.anonymous;
    if (config.encryption == Encryption::required && !sealed) return fail(NtStatus::ACCESS_DENIED);
    session.keys.session = keys.session;
    session.keys.application = keys.application;
    if (can_protect) session.keys.signer = *signer;
    channel.signer = std::move(*signer);
    return {};
}

// [MS-SMB2] 3.3.5.5.3: PreviousSessionId: the client lost its connection and is back.
void end_previous(Call& call, std::uint64_t previous_id, const Caller& caller) {
    if (previous_id == 0 || previous_id == call.response_session_id) return;
    const std::shared_ptr<Session> previous = call.server().session_table.find(previous_id);
    if (!previous) return;
    const std::shared_ptr<const Caller> owner = previous->caller();
    if (!owner || !same_account(*owner, caller)) return;
    call.server().end_session_on(previous, call.loop(), 0);
}

Result<void> complete(Call& call, SessionChannel& channel, auth::Identity&& identity,
                      const wire::SessionSetupRequest& request) {
    if (channel.binding) return complete_binding(call, channel, identity);
    Session& session = *channel.session;
    const bool first = !channel.signer;
    if (first) SMB3D_TRY(establish(call, channel, identity, request));
    {
        auto state = session.state.lock();
        if (state->state == SessionState::ended) return fail(NtStatus::USER_SESSION_DELETED);
        Session::transition(*state, SessionState::valid);
        state->caller = identity.caller;
        state->mechanism = identity.mechanism;
        state->expires = identity.expires;
    }
    log::info(log::Component::auth, "{}: {}\\{} {} ({}), session {:#x}", call.connection.peer(),
              identity.caller->domain, identity.caller->user,
              first ? "logged on" : "re-authenticated", identity.mechanism, session.id);
    if (first) {
        end_previous(call, request.previous_session_id, *identity.caller);
        call.connection.authenticated();
    }
    return {};
}

std::uint16_t flags_of(const Session& session) {
    std::uint16_t flags = 0;
    if (session.guest) flags |= wire::session_flags::is_guest;
    if (session.anonymous) flags |= wire::session_flags::is_null;
    if (session.encrypt_data) flags |= wire::session_flags::encrypt_data;
    return flags;
}

}  // namespace

Reply session_setup(Call& call, wire::SessionSetupRequest request) {
    const Result<SessionChannel*> found = channel_for(call, request);
    if (!found) co_return fail(found.error());
    SessionChannel* channel = *found;
    const std::uint64_t session_id = channel->session->id;
    call.response_session_id = session_id;
    // One leg at a time: a second one would race for the exchange and the hash.
    if (channel->step_running) co_return fail(NtStatus::REQUEST_NOT_ACCEPTED);
    if (!channel->exchange) {
        auth::Peer peer{call.connection.link().peer().host, {}};
        channel->exchange = call.connection.local().authority->begin(peer);
        channel->rounds = 0;
    }
    if (++channel->rounds > max_rounds) {
        abandon(call, session_id);
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    update_hash(call, *channel);

    channel->step_running = true;
    std::unique_ptr<auth::Exchange> exchange = std::move(channel->exchange);
    auth::Exchange* const running = exchange.get();
    const Bytes token = request.security_buffer;
    Result<auth::Step> step = fail(NtStatus::INTERNAL_ERROR);
    if (running->may_block()) {
        auto work = [running, token] { return running->step(token); };
        OnWorker<decltype(work)> on_worker(call.loop(), Lane::session, work);
        step = co_await on_worker;
    } else {
        step = running->step(token);
    }
    // LOGOFF, an administrator or the end of the connection may have come in between.
    channel = call.connection.find_channel(session_id);
    if (channel == nullptr) co_return fail(NtStatus::USER_SESSION_DELETED);
    channel->step_running = false;
    if (!step) {
        log::info(log::Component::auth, "{}: logon failed: {}", call.connection.peer(),
                  status_name(step.error()));
        abandon(call, session_id);
        co_return fail(step.error());
    }

    wire::SessionSetupResponse response;
    response.security_buffer = step->token;
    if (!step->complete) {
        channel->exchange = std::move(exchange);
        if (call.dialect() == Dialect::smb311 && !channel->signer) {
            call.hash_response = &channel->preauth;
        }
        co_return reply(call, response, {}, NtStatus::MORE_PROCESSING_REQUIRED);
    }
    if (auto done = complete(call, *channel, std::move(step->identity), request); !done) {
        abandon(call, session_id);
        co_return fail(done.error());
    }
    call.session = channel->session;
    call.signer = channel->signer;
    // 3.3.5.5.3: proof for the client that the server knows the key.
    call.sign_response = !call.session->anonymous && !call.session->guest;
    response.session_flags = flags_of(*call.session);
    co_return reply(call, response);
}

}  // namespace smb3d::engine
