#include "engine/session_bind.h"

#include "base/filetime.h"
#include "base/log.h"
#include "base/utf16.h"
#include "crypto/kdf.h"
#include "crypto/provider.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

// What others may know of a session: its keys and the rest of its fields may be read only if its
// logon was over when the guard was held.
struct Seen {
    SessionState state{SessionState::in_progress};
    std::size_t channels{0};
};

Seen look_at(Session& session) {
    auto locked = session.state.lock();
    if (locked->state == SessionState::valid && locked->expires != 0 &&
        locked->expires < filetime_now()) {
        Session::transition(*locked, SessionState::expired);
    }
    return {locked->state, locked->channels.size()};
}

// Session.SigningKey; null while it is being made, and of guests.
std::shared_ptr<const crypto::Signer> key_of(const Session& session, const Seen& seen) {
    return seen.state == SessionState::in_progress ? nullptr : session.keys.signer;
}

// [MS-SMB2] 3.3.5.2.4: a request for binding is signed with Session.SigningKey.  True if it is:
// then the response is, too.
bool prove(Call& call, const std::shared_ptr<const crypto::Signer>& signer) {
    if (!call.signed_request || call.encrypted || !signer ||
        !signer->verify(call.message, {call.header.message_id, false, false})) {
        return false;
    }
    call.signer = signer;
    call.sign_response = true;
    return true;
}

// Deviation: [MS-SMB2] does not say so, but Windows refuses to mix AES-GMAC with an older
// algorithm, with these statuses (smbtorture smb2.session.bind_negative_smb3sign*).
NtStatus check_signing(SigningAlgorithm of_session, SigningAlgorithm of_connection) {
    if (of_session == of_connection) return NtStatus::SUCCESS;
    if (of_session == SigningAlgorithm::aes_gmac) return NtStatus::REQUEST_OUT_OF_SEQUENCE;
    if (of_connection == SigningAlgorithm::aes_gmac) return NtStatus::NOT_SUPPORTED;
    return NtStatus::SUCCESS;
}

// [MS-SMB2] 3.3.5.5 step 4, in its order.  The client's GUID is not compared: Windows does not
// (smbtorture smb2.session.bind_negative_smb3signCtoHd), and the key is the better proof.
NtStatus check_binding(const Call& call, const Session& session, const Seen& seen, bool proven) {
    const Negotiated& negotiated = call.connection.negotiated;
    if (seen.state == SessionState::ended) return NtStatus::USER_SESSION_DELETED;
    if (seen.state == SessionState::in_progress) return NtStatus::REQUEST_NOT_ACCEPTED;
    if (const NtStatus status = check_signing(session.signing, negotiated.signing);
        status != NtStatus::SUCCESS) {
        return status;
    }
    if (!negotiated.multichannel()) return NtStatus::REQUEST_NOT_ACCEPTED;
    if (session.dialect != negotiated.dialect) return NtStatus::INVALID_PARAMETER;
    if (!call.signed_request) return NtStatus::INVALID_PARAMETER;
    if (session.guest || session.anonymous) return NtStatus::NOT_SUPPORTED;
    if (!proven) return NtStatus::ACCESS_DENIED;
    if (seen.state == SessionState::expired) return NtStatus::NETWORK_SESSION_EXPIRED;
    if (session.cipher != negotiated.cipher) return NtStatus::INVALID_PARAMETER;
    if (seen.channels >= call.config().max_channels_per_session) {
        return NtStatus::INSUFFICIENT_RESOURCES;
    }
    return NtStatus::SUCCESS;
}

}  // namespace

bool same_account(const Caller& a, const Caller& b) {
    return a.guest == b.guest && a.anonymous == b.anonymous && a.uid == b.uid &&
           equal_folded(a.user, b.user) && equal_folded(a.domain, b.domain);
}

void sign_refusal(Call& call, std::uint64_t session_id) {
    if (!call.signed_request) return;
    if (const auto own = call.connection.signer_of(session_id)) {
        prove(call, own);
        return;
    }
    const std::shared_ptr<Session> session = call.server().session_table.find(session_id);
    if (session) prove(call, key_of(*session, look_at(*session)));
}

Result<SessionChannel*> channel_of_other_connection(Call& call, bool binding) {
    Connection& connection = call.connection;
    SessionChannel* channel = connection.find_channel(call.header.session_id);
    const std::shared_ptr<Session> session =
        channel != nullptr ? channel->session
                           : call.server().session_table.find(call.header.session_id);
    const Seen seen = session ? look_at(*session) : Seen{};
    const bool proven = session && prove(call, key_of(*session, seen));
    // 3.3.5.5 step 5: the connection cannot have further channels; step 6: without the flag, only
    // the connection's own sessions count.
    if (!session) sign_refusal(call, call.header.session_id);
    const bool capable = connection.negotiated.multichannel();
    if (!binding || (!session && capable)) return fail(NtStatus::USER_SESSION_DELETED);
    if (!session) return fail(NtStatus::REQUEST_NOT_ACCEPTED);
    const NtStatus status = check_binding(call, *session, seen, proven);
    if (status != NtStatus::SUCCESS) {
        log::info(log::Component::auth, "{}: binding to session {:#x} refused: {}",
                  connection.peer(), session->id, status_name(status));
        return fail(status);
    }
    if (channel != nullptr) return channel;
    if (connection.channel_count() >= limits::max_sessions_per_connection ||
        connection.unfinished_logons() >= limits::max_unfinished_logons) {
        return fail(NtStatus::INSUFFICIENT_RESOURCES);
    }
    SessionChannel& added = connection.add_channel(session);
    added.binding = true;
    added.preauth = connection.negotiated.preauth;
    return &added;
}

Result<void> complete_binding(Call& call, SessionChannel& channel, const auth::Identity& identity) {
    Session& session = *channel.session;
    const Negotiated& negotiated = call.connection.negotiated;
    const std::shared_ptr<const Caller> owner = session.caller();
    // [MS-SMB2] 3.3.5.5.3.  Deviation: the specification has NOT_SUPPORTED, Windows answers so
    // (smbtorture smb2.session.bind_different_user).
    if (!owner || !same_account(*owner, *identity.caller)) {
        log::warn(
            log::Component::auth, "{}: {}\\{} wanted to bind to session {:#x} of another user",
            call.connection.peer(), identity.caller->domain, identity.caller->user, session.id);
        return fail(NtStatus::ACCESS_DENIED);
    }
    // Channel.SigningKey comes of this authentication and this connection's hash.
    const crypto::Key key =
        crypto::derive_channel_signing_key(static_cast<std::uint16_t>(negotiated.dialect),
                                           identity.session_key, channel.preauth.value());
    const crypto::Provider& provider =
        call.config().crypto ? *call.config().crypto : crypto::openssl_provider();
    auto signer = provider.make_signer(static_cast<crypto::SigningAlgorithm>(negotiated.signing),
                                       key.bytes());
    if (!signer) return fail(signer.error());
    {
        // The connection's end takes its channel out on this loop: none may come after it.
        if (call.connection.closing()) return fail(NtStatus::USER_SESSION_DELETED);
        auto state = session.state.lock();
        if (state->state == SessionState::ended) return fail(NtStatus::USER_SESSION_DELETED);
        if (state->channels.size() >= call.config().max_channels_per_session) {
            return fail(NtStatus::INSUFFICIENT_RESOURCES);
        }
        state->channels.push_back(call.connection.describe_channel());
    }
    channel.signer = std::move(*signer);
    channel.binding = false;
    log::info(log::Component::auth, "{}: {}\\{} bound a channel to session {:#x}",
              call.connection.peer(), identity.caller->domain, identity.caller->user, session.id);
    call.connection.authenticated();
    return {};
}

}  // namespace smb3d::engine
