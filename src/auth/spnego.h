// SPNEGO: its tokens, and the acceptor that negotiates a Mechanism.
//
// Spec: [MS-SPNG], RFC 4178.
// Thread: tokens: values.  SpnegoAcceptor: one request at a time.
// Lifetime: an acceptor holds its mechanisms; one per authentication, never used again after it
// ended. Errors: INVALID_PARAMETER for malformed tokens, no common mechanism, and tokens out of
// turn; the mechanism's
//   own status else; LOGON_FAILURE when the client rejects or a mechListMIC is wrong.
//
//   start -- negTokenInit, first mechanism ours ----------------> running -- mechanism done -->
//   done
//     |   \- negTokenInit, another mechanism -> mech_token ----/     |                            ^
//     |                                                              \-- MIC owed -> mech_mic ----/
//     \-- raw token of a mechanism ------------------------------> raw -- mechanism done ---------^
//   Any error leads to `failed`.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "auth/mechanism.h"

namespace smb3d::auth {

// RFC 4178 4.2.2
enum class NegState : std::uint8_t {
    accept_completed = 0,
    accept_incomplete = 1,
    reject = 2,
    request_mic = 3
};

inline constexpr std::size_t max_mech_types = 32;
inline constexpr std::string_view neg_hint_name = "not_defined_in_RFC4178@please_ignore";

// RFC 4178 4.2.1, and negTokenInit2 of [MS-SPNG] 2.2.1 if hint_name is not empty.
struct NegTokenInit {
    std::vector<ByteString> mech_types;
    ByteString mech_types_der;  // as received: what a mechListMIC is over
    std::optional<ByteString> mech_token;
    std::optional<ByteString> mech_list_mic;
    std::string hint_name;
};

struct NegTokenResp {
    std::optional<NegState> state;
    ByteString supported_mech;  // empty: absent
    std::optional<ByteString> response_token;
    std::optional<ByteString> mech_list_mic;
};

using NegToken = std::variant<NegTokenInit, NegTokenResp>;

Result<NegToken> parse_neg_token(Bytes token);
ByteString encode_mech_types(const std::vector<ByteString>& mech_types);
ByteString encode_neg_token(const NegTokenInit& token);
ByteString encode_neg_token(const NegTokenResp& token);

// What NEGOTIATE answers with: the mechanisms in order of preference.
ByteString make_neg_hint(const std::vector<std::shared_ptr<const Mechanism>>& mechanisms);

class SpnegoAcceptor : public Exchange {
  public:
    // In order of preference, not empty.
    SpnegoAcceptor(std::vector<std::shared_ptr<const Mechanism>> mechanisms, Peer peer);
    bool may_block() const override;
    Result<Step> step(Bytes token) override;

  private:
    enum class State : std::uint8_t { start, mech_token, running, mech_mic, raw, done, failed };

    Result<Step> dispatch(Bytes token);
    Result<Step> on_start(Bytes token);
    Result<Step> on_init(NegTokenInit&& init);
    Result<Step> on_response(const NegTokenResp& response);
    Result<Step> on_raw(Bytes token);
    Result<Step> run_mechanism(Bytes token, const std::optional<ByteString>& mic);
    Result<Step> finish(ByteString token, const std::optional<ByteString>& mic);
    Result<Step> reply(NegTokenResp&& response);
    Result<Step> complete(ByteString token);
    void transition(State to);

    std::vector<std::shared_ptr<const Mechanism>> mechanisms_;
    Peer peer_;
    State state_{State::start};
    std::size_t steps_{0};
    std::unique_ptr<MechanismContext> context_;
    std::size_t chosen_{0};  // index in mechanisms_
    bool preferred_{true};   // the mechanism chosen was the client's first
    ByteString chosen_oid_;  // until it was named to the client
    ByteString mech_types_der_;
};

}  // namespace smb3d::auth
