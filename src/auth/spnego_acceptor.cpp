#include <cassert>
#include <utility>

#include "auth/spnego.h"
#include "base/limits.h"

namespace smb3d::auth {

namespace {

// NTLM takes three at most, Kerberos with a MIC two; beyond it a peer only wants to keep us busy.
constexpr std::size_t max_steps = 8;

}  // namespace

SpnegoAcceptor::SpnegoAcceptor(std::vector<std::shared_ptr<const Mechanism>> mechanisms, Peer peer)
    : mechanisms_(std::move(mechanisms)), peer_(std::move(peer)) {
    assert(!mechanisms_.empty());
}

bool SpnegoAcceptor::may_block() const { return context_ != nullptr && context_->may_block(); }

void SpnegoAcceptor::transition(State to) {
    const State from = state_;
    [[maybe_unused]] const bool allowed =
        to == State::failed || (from == State::start && to != State::mech_mic) ||
        (from == State::mech_token &&
         (to == State::running || to == State::mech_mic || to == State::done)) ||
        (from == State::running && (to == State::mech_mic || to == State::done)) ||
        (from == State::mech_mic && to == State::done) || (from == State::raw && to == State::done);
    assert(allowed);
    state_ = to;
}

Result<Step> SpnegoAcceptor::step(Bytes token) {
    if (state_ == State::done || state_ == State::failed || ++steps_ > max_steps ||
        token.size() > limits::max_security_blob) {
        transition(State::failed);
        return fail(NtStatus::INVALID_PARAMETER);
    }
    auto result = dispatch(token);
    if (!result) transition(State::failed);
    return result;
}

Result<Step> SpnegoAcceptor::dispatch(Bytes token) {
    if (state_ == State::start) return on_start(token);
    if (state_ == State::raw) return on_raw(token);
    auto parsed = parse_neg_token(token);
    if (!parsed) return fail(parsed.error());
    const auto* response = std::get_if<NegTokenResp>(&*parsed);
    if (response == nullptr) return fail(NtStatus::INVALID_PARAMETER);
    return on_response(*response);
}

// [MS-SMB2] 3.3.5.5.3: the token is SPNEGO's, or that of a mechanism by itself.
Result<Step> SpnegoAcceptor::on_start(Bytes token) {
    for (std::size_t i = 0; i < mechanisms_.size(); ++i) {
        if (!mechanisms_[i]->is_raw_token(token)) continue;
        chosen_ = i;
        context_ = mechanisms_[i]->begin(peer_);
        transition(State::raw);
        return on_raw(token);
    }
    auto parsed = parse_neg_token(token);
    if (!parsed) return fail(parsed.error());
    auto* init = std::get_if<NegTokenInit>(&*parsed);
    if (init == nullptr) return fail(NtStatus::INVALID_PARAMETER);
    return on_init(std::move(*init));
}

// RFC 4178 3.2 (b), 4.2.1: the first mechanism of the client's list that is also ours; a token that
// came along is for the first in the list, whichever that is.
Result<Step> SpnegoAcceptor::on_init(NegTokenInit&& init) {
    for (std::size_t place = 0; place < init.mech_types.size() && context_ == nullptr; ++place) {
        for (std::size_t i = 0; i < mechanisms_.size(); ++i) {
            if (!mechanisms_[i]->is_named(init.mech_types[place])) continue;
            chosen_ = i;
            preferred_ = place == 0;
            chosen_oid_ = init.mech_types[place];
            context_ = mechanisms_[i]->begin(peer_);
            break;
        }
    }
    if (context_ == nullptr) return fail(NtStatus::INVALID_PARAMETER);
    mech_types_der_ = std::move(init.mech_types_der);
    if (preferred_ && init.mech_token && !init.mech_token->empty()) {
        transition(State::running);
        return run_mechanism(*init.mech_token, init.mech_list_mic);
    }
    // RFC 4178 4.2.2: request-mic exactly if the mechanism chosen is not the client's first.
    transition(State::mech_token);
    NegTokenResp answer;
    answer.state = preferred_ ? NegState::accept_incomplete : NegState::request_mic;
    return reply(std::move(answer));
}

Result<Step> SpnegoAcceptor::on_response(const NegTokenResp& response) {
    if (response.state == NegState::reject) return fail(NtStatus::LOGON_FAILURE);
    if (state_ == State::mech_mic) {
        if (!response.mech_list_mic || response.response_token) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        if (!context_->verify_mic(mech_types_der_, *response.mech_list_mic)) {
            return fail(NtStatus::LOGON_FAILURE);
        }
        // Our own MIC went with the last answer.
        return complete(encode_neg_token(NegTokenResp{NegState::accept_completed, {}, {}, {}}));
    }
    if (!response.response_token) return fail(NtStatus::INVALID_PARAMETER);
    if (state_ == State::mech_token) transition(State::running);
    return run_mechanism(*response.response_token, response.mech_list_mic);
}

Result<Step> SpnegoAcceptor::on_raw(Bytes token) {
    auto step = context_->step(token);
    if (!step) return fail(step.error());
    if (step->complete) return complete(std::move(step->token));
    Step answer;
    answer.token = std::move(step->token);
    return answer;
}

Result<Step> SpnegoAcceptor::run_mechanism(Bytes token, const std::optional<ByteString>& mic) {
    auto step = context_->step(token);
    if (!step) return fail(step.error());
    if (step->complete) return finish(std::move(step->token), mic);
    NegTokenResp answer;
    answer.state = NegState::accept_incomplete;
    answer.response_token = std::move(step->token);
    return reply(std::move(answer));
}

// RFC 4178 5: when a mechListMIC is owed.  A MIC that is there is always checked.
// [MS-SPNG] 3.3.5.1: with NTLM, one is mandatory if AUTHENTICATE had a MIC.
// Deviation: after request-mic, one is mandatory only if we offer something better than what was
// chosen: what it protects from, the removal of a better mechanism from the list, is otherwise not
// possible; and clients that list Kerberos first and know no mechListMIC exist.
Result<Step> SpnegoAcceptor::finish(ByteString token, const std::optional<ByteString>& mic) {
    NegTokenResp answer;
    answer.state = NegState::accept_completed;
    answer.supported_mech = std::exchange(chosen_oid_, {});
    if (!token.empty()) answer.response_token = std::move(token);
    if (!context_->has_integrity()) {
        return complete(encode_neg_token(answer));
    }
    const bool owed = context_->wants_mech_list_mic() || (!preferred_ && chosen_ != 0);
    if (mic) {
        if (!context_->verify_mic(mech_types_der_, *mic)) return fail(NtStatus::LOGON_FAILURE);
    }
    if (mic || owed) {
        auto own = context_->get_mic(mech_types_der_);
        if (!own) return fail(own.error());
        answer.mech_list_mic = std::move(*own);
    }
    if (mic || !owed) return complete(encode_neg_token(answer));
    // RFC 4178 5 (c), (d): the client's MIC may come in a message of its own.
    transition(State::mech_mic);
    answer.state = NegState::accept_incomplete;
    return reply(std::move(answer));
}

// Names the mechanism in the first answer only (RFC 4178 4.2.2 supportedMech).
Result<Step> SpnegoAcceptor::reply(NegTokenResp&& response) {
    if (!chosen_oid_.empty()) response.supported_mech = std::exchange(chosen_oid_, {});
    Step answer;
    answer.token = encode_neg_token(response);
    return answer;
}

Result<Step> SpnegoAcceptor::complete(ByteString token) {
    transition(State::done);
    Step answer;
    answer.token = std::move(token);
    answer.complete = true;
    answer.identity = context_->identity();
    return answer;
}

}  // namespace smb3d::auth
