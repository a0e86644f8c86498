#include "support/ntlm_client.h"

#include <algorithm>
#include <array>

#include "base/utf16.h"
#include "crypto/random.h"

namespace smb3d::test {

using auth::ByteString;
using auth::ByteWriter;
using auth::NegState;
using auth::NegTokenInit;
using auth::NegTokenResp;
namespace ntlm = auth::ntlm;

namespace {

ByteString utf16(std::string_view text) {
    return utf16le_bytes(utf8_to_utf16(text).value_or(std::u16string()));
}

ByteString copy(Bytes bytes) { return auth::copy_bytes(bytes); }

}  // namespace

NtlmClient::NtlmClient(NtlmClientOptions options)
    : options_(std::move(options)), flags_(options_.flags) {}

ByteString NtlmClient::negotiate() {
    ntlm::Negotiate message;
    message.flags = options_.flags;
    negotiate_ = ntlm::encode_negotiate(message);
    return negotiate_;
}

ByteString NtlmClient::first() {
    const ByteString ntlm_token = negotiate();
    if (!options_.spnego) return ntlm_token;
    NegTokenInit init;
    if (options_.kerberos_first) {
        init.mech_types.push_back(copy(auth::oid::ms_kerberos()));
        init.mech_types.push_back(copy(auth::oid::kerberos()));
    }
    init.mech_types.push_back(copy(auth::oid::ntlmssp()));
    mech_types_ = auth::encode_mech_types(init.mech_types);
    if (options_.optimistic) {
        // A ticket would be here; the server must not look at it.
        init.mech_token = options_.kerberos_first ? copy(Bytes(ntlm_token).first(1)) : ntlm_token;
    }
    return auth::encode_neg_token(init);
}

Result<ByteString> NtlmClient::step(Bytes token) {
    if (options_.spnego) return on_spnego(token);
    auto message = authenticate(token);
    if (message) complete_ = true;
    return message;
}

// [MS-SPNG] 3.2.5
Result<ByteString> NtlmClient::on_spnego(Bytes token) {
    auto parsed = auth::parse_neg_token(token);
    if (!parsed) return fail(parsed.error());
    const auto* response = std::get_if<NegTokenResp>(&*parsed);
    if (response == nullptr || response->state == NegState::reject) {
        return fail(NtStatus::LOGON_FAILURE);
    }
    if (response->state == NegState::request_mic) mic_requested_ = true;
    if (!response->supported_mech.empty() &&
        !auth::equal_bytes(response->supported_mech, auth::oid::ntlmssp())) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if (response->mech_list_mic) {
        const auto expected =
            ntlm::signature(flags_, key_, ntlm::Direction::server_to_client, 0, mech_types_);
        if (!sent_authenticate_ || !expected ||
            !auth::equal_bytes(*expected, *response->mech_list_mic)) {
            return fail(NtStatus::LOGON_FAILURE);
        }
        server_mic_seen_ = true;
    }
    if (response->state == NegState::accept_completed) {
        if (owes_mic_) return fail(NtStatus::LOGON_FAILURE);
        complete_ = true;
        return ByteString();
    }
    NegTokenResp answer;
    if (owes_mic_) {
        answer.mech_list_mic = mech_list_mic();
        owes_mic_ = false;
        return auth::encode_neg_token(answer);
    }
    if (!response->response_token || response->response_token->empty()) {
        answer.response_token = negotiate();
        return auth::encode_neg_token(answer);
    }
    auto message = authenticate(*response->response_token);
    if (!message) return fail(message.error());
    answer.response_token = std::move(*message);
    if (options_.mech_list_mic && (sent_mic_ || mic_requested_)) {
        if (options_.late_mech_list_mic) {
            owes_mic_ = true;
        } else {
            answer.mech_list_mic = mech_list_mic();
        }
    }
    return auth::encode_neg_token(answer);
}

// [MS-NLMP] 3.1.5.1.2: the server's pairs, and ours.
ByteString NtlmClient::target_info(const ntlm::ChallengeMessage& challenge, bool* with_mic) const {
    ByteWriter out;
    *with_mic = false;
    const auto pairs = ntlm::parse_av_pairs(challenge.target_info);
    if (pairs) {
        for (const ntlm::AvPair& pair : *pairs) {
            ntlm::put_av_pair(out, pair.id, pair.value);
            if (pair.id == ntlm::AvId::timestamp) *with_mic = options_.mic;
        }
    }
    if (*with_mic) {
        ByteWriter flags;
        flags.u32(ntlm::av_mic_present);
        ntlm::put_av_pair(out, ntlm::AvId::flags, flags.take());
    }
    if (options_.channel_bindings) {
        ntlm::put_av_pair(out, ntlm::AvId::channel_bindings, *options_.channel_bindings);
    }
    if (!options_.target_name.empty()) {
        ntlm::put_av_pair(out, ntlm::AvId::target_name, utf16(options_.target_name));
    }
    ntlm::put_av_pair(out, ntlm::AvId::eol, {});
    return out.take();
}

// [MS-NLMP] 3.1.5.1.2, 3.3.2
Result<ByteString> NtlmClient::authenticate(Bytes challenge) {
    const auto parsed = ntlm::parse_challenge(challenge);
    if (!parsed) return fail(parsed.error());
    challenge_ = copy(challenge);
    flags_ = options_.flags & parsed->flags;
    sent_authenticate_ = true;

    constexpr std::size_t lm_size = 24;
    const std::array<std::byte, 16> no_mic{};
    const ByteString user = utf16(options_.user);
    const ByteString domain = utf16(options_.domain);
    const ByteString workstation = utf16(options_.workstation);
    ntlm::Key base_key{};
    ByteString lm_response(1);
    ByteString nt_response;
    ntlm::Authenticate message;
    message.flags = flags_;
    if (user.empty()) {
        message.flags |= ntlm::negotiate_anonymous;
    } else {
        const ByteString pairs = target_info(*parsed, &sent_mic_);
        const ByteString blob = ntlm::encode_client_challenge(
            0, crypto::random_array<std::tuple_size_v<ntlm::Challenge>>(), pairs);
        const auto hash = ntlm::nt_hash(utf8_to_utf16(options_.password).value_or(u""));
        if (!hash) return fail(hash.error());
        const auto ntowf = ntlm::ntowf_v2(*hash, user, domain);
        const auto proof = ntlm::nt_proof(*ntowf, parsed->challenge, blob);
        base_key = *ntlm::session_base_key(*ntowf, *proof);
        nt_response = copy(*proof);
        auth::append(nt_response, blob);
        lm_response.resize(lm_size);
    }
    key_ = base_key;
    ntlm::Key sealed{};
    if ((flags_ & ntlm::negotiate_key_exchange) != 0) {
        key_ = crypto::random_array<std::tuple_size_v<ntlm::Key>>();
        sealed = *ntlm::exchange_key(base_key, key_);
        message.encrypted_session_key = sealed;
    }
    message.lm_response = lm_response;
    message.nt_response = nt_response;
    message.user = user;
    message.domain = domain;
    message.workstation = workstation;
    message.mic = no_mic;  // Windows sends the field whether or not it counts
    ByteString out = ntlm::encode_authenticate(message);
    if (sent_mic_) put_mic(out);
    return out;
}

void NtlmClient::put_mic(ByteString& authenticate) const {
    const MutableBytes field =
        MutableBytes(authenticate).subspan(ntlm::authenticate_mic_position(), key_.size());
    std::ranges::fill(field, std::byte{0});
    const auto mic = ntlm::message_mic(key_, negotiate_, challenge_, authenticate);
    std::ranges::copy(*mic, field.begin());
}

ByteString NtlmClient::mech_list_mic() const {
    return *ntlm::signature(flags_, key_, ntlm::Direction::client_to_server, 0, mech_types_);
}

ByteString NtlmClient::session_key() const { return copy(key_); }

}  // namespace smb3d::test
