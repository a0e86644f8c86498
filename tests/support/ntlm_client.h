// NtlmClient: the initiating side of NTLMv2 and SPNEGO, for tests: what a Windows client would
// send, and every knob that a test needs to send something else.
//
// Spec: [MS-NLMP] 3.1.5, [MS-SPNG] 3.2, RFC 4178.
// Thread: one.  Lifetime: one authentication.
// Errors: a token from the server that does not add up makes step() fail with a status.
//
// Use:  NtlmClient client({.user = "alice", .password = "secret"});
//       token = client.first();                    // to the server
//       while (more) { token = client.step(answer_of_server) }   // until complete(); an empty
//       token ends it key = client.session_key();
#pragma once

#include <optional>
#include <string>

#include "auth/ntlm_crypto.h"
#include "auth/ntlm_messages.h"
#include "auth/spnego.h"

namespace smb3d::test {

struct NtlmClientOptions {
    std::string user;  // empty: anonymous
    std::string password;
    std::string domain;
    std::string workstation{"TESTCLIENT"};
    bool spnego{true};  // else raw NTLMSSP
    bool kerberos_first{
        false};                // SPNEGO: Kerberos preferred, with a token for it that is not for us
    bool optimistic{true};     // SPNEGO: the first message has an NTLM token in it
    bool mic{true};            // MIC in AUTHENTICATE if the server sent a timestamp
    bool mech_list_mic{true};  // SPNEGO: send one with AUTHENTICATE if a MIC was sent or asked for
    bool late_mech_list_mic{false};   // SPNEGO: send it in a message of its own, after AUTHENTICATE
    std::uint32_t flags{0xE2088297};  // as Windows 10 in NEGOTIATE
    std::optional<auth::ByteString> channel_bindings;  // MsvAvChannelBindings
    std::string target_name;                           // MsvAvTargetName
};

class NtlmClient {
  public:
    explicit NtlmClient(NtlmClientOptions options);

    auth::ByteString first();
    // The answer to a token of the server; empty if there is nothing more to say.
    Result<auth::ByteString> step(Bytes token);
    // The server has said accept-completed (raw NTLMSSP: AUTHENTICATE was sent), and its
    // mechListMIC was right.
    bool complete() const { return complete_; }
    bool server_sent_mech_list_mic() const { return server_mic_seen_; }
    auth::ByteString session_key() const;

    // The NTLM messages themselves, without SPNEGO.
    auth::ByteString negotiate();
    Result<auth::ByteString> authenticate(Bytes challenge);
    // Computes MIC (if the message has one) into a changed AUTHENTICATE message.
    void put_mic(auth::ByteString& authenticate) const;
    auth::ByteString mech_list_mic() const;

  private:
    Result<auth::ByteString> on_spnego(Bytes token);
    auth::ByteString target_info(const auth::ntlm::ChallengeMessage& challenge,
                                 bool* with_mic) const;

    NtlmClientOptions options_;
    std::uint32_t flags_{0};
    auth::ByteString negotiate_;
    auth::ByteString challenge_;
    auth::ByteString mech_types_;
    auth::ntlm::Key key_{};
    bool sent_authenticate_{false};
    bool sent_mic_{false};
    bool mic_requested_{false};
    bool owes_mic_{false};
    bool complete_{false};
    bool server_mic_seen_{false};
};

}  // namespace smb3d::test
