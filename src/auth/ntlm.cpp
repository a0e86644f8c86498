#include "auth/ntlm.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "auth/ntlm_crypto.h"
#include "base/log.h"
#include "base/utf16.h"
#include "crypto/hash.h"
#include "crypto/random.h"

namespace smb3d::auth {

using ntlm::Key;

struct NtlmShared {
    NtlmOptions options;
    std::shared_ptr<const AccountSnapshot> accounts;
    std::u16string netbios_name;
    std::u16string dns_name;
};

namespace {

using log::Component;

// For the log: what came from the network, without control characters, and short.
std::string printable(std::string_view text) {
    constexpr std::size_t longest = 128;
    std::string out(text.substr(0, longest));
    std::ranges::replace_if(
        out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
    return out;
}

std::string utf8_or_empty(Bytes utf16le) {
    return utf16le_to_utf8(utf16le).value_or(std::string());
}

bool all_zero(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

// [MS-DTYP] 2.3.3: 100 ns since 1601.
std::uint64_t filetime_now() {
    constexpr std::uint64_t unix_epoch = 116444736000000000ULL;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
    return unix_epoch + static_cast<std::uint64_t>(ns) / 100U;
}

// The account part of what a client calls the user: "user", "user@domain", "DOMAIN\user".  Every
// domain is taken for this server's own, as Windows does outside a domain.
std::string_view account_part(std::string_view user) {
    if (const auto slash = user.rfind('\\'); slash != std::string_view::npos) {
        return user.substr(slash + 1);
    }
    if (const auto at = user.find('@'); at != std::string_view::npos) return user.substr(0, at);
    return user;
}

class NtlmContext : public MechanismContext {
  public:
    NtlmContext(std::shared_ptr<const NtlmShared> shared, const Peer& peer)
        : shared_(std::move(shared)), peer_(peer) {}
    ~NtlmContext() override { wipe(MutableBytes(key_)); }

    Result<MechanismStep> step(Bytes token) override;
    bool has_integrity() const override {
        constexpr std::uint32_t both =
            ntlm::negotiate_sign | ntlm::negotiate_extended_session_security;
        return has_key_ && (flags_ & both) == both;
    }
    bool wants_mech_list_mic() const override { return mic_checked_; }
    Result<ByteString> get_mic(Bytes message) override;
    Result<void> verify_mic(Bytes message, Bytes mic) override;
    Identity identity() const override;

  private:
    enum class State : std::uint8_t { negotiate, authenticate, done, failed };
    struct Proven {  // a response that matched
        Proven() = default;
        Proven(Proven&&) = default;
        ~Proven() { wipe(MutableBytes(base_key)); }
        Key base_key{};
        std::vector<ntlm::AvPair> av_pairs;
    };

    Result<MechanismStep> on_negotiate(Bytes token);
    ByteString make_target_info() const;
    Result<void> on_authenticate(Bytes token);
    Result<void> admit_anonymous(const ntlm::Authenticate& message);
    Result<void> admit_guest(std::string_view user);
    Result<void> logon(Bytes token, const ntlm::Authenticate& message);
    Result<Proven> check_response(const ntlm::Authenticate& message, const NtHash& hash) const;
    Result<void> check_bindings(const Proven& proven) const;
    Result<void> derive_key(const ntlm::Authenticate& message, const Key& base_key);
    Result<void> check_mic(Bytes token, const ntlm::Authenticate& message, const Proven& proven);
    NtStatus refuse(NtStatus status, std::string_view user, const char* reason) const;

    const NtlmOptions& options() const { return shared_->options; }
    const AccountSnapshot& accounts() const { return *shared_->accounts; }

    std::shared_ptr<const NtlmShared> shared_;
    Peer peer_;
    State state_{State::negotiate};
    std::uint32_t flags_{0};
    ntlm::Challenge challenge_{};
    ByteString negotiate_message_;
    ByteString challenge_message_;
    std::shared_ptr<const Caller> caller_;
    Key key_{};  // ExportedSessionKey
    bool has_key_{false};
    bool mic_checked_{false};
};

Result<MechanismStep> NtlmContext::step(Bytes token) {
    if (state_ == State::negotiate) {
        state_ = State::failed;
        auto answer = on_negotiate(token);
        if (answer) state_ = State::authenticate;
        return answer;
    }
    // A challenge is good for one AUTHENTICATE: no second try, no replay.
    if (state_ != State::authenticate) return fail(NtStatus::INVALID_PARAMETER);
    state_ = State::failed;
    SMB3D_TRY(on_authenticate(token));
    state_ = State::done;
    MechanismStep answer;
    answer.complete = true;
    return answer;
}

// [MS-NLMP] 3.2.5.1.1
Result<MechanismStep> NtlmContext::on_negotiate(Bytes token) {
    const auto negotiate = ntlm::parse_negotiate(token);
    if (!negotiate) return fail(negotiate.error());
    // Deviation: OEM-only clients, which this section still allows, are refused; NTLMv2 clients all
    // have Unicode.
    if ((negotiate->flags & ntlm::negotiate_unicode) == 0 ||
        (negotiate->flags & ntlm::negotiate_datagram) != 0) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    constexpr std::uint32_t as_asked =
        ntlm::negotiate_sign | ntlm::negotiate_seal | ntlm::negotiate_always_sign |
        ntlm::negotiate_extended_session_security | ntlm::negotiate_identify |
        ntlm::negotiate_version | ntlm::negotiate_128 | ntlm::negotiate_key_exchange |
        ntlm::negotiate_56;
    flags_ = (negotiate->flags & as_asked) | ntlm::negotiate_unicode | ntlm::request_target |
             ntlm::negotiate_ntlm | ntlm::negotiate_target_info | ntlm::target_type_server;
    crypto::random_bytes(challenge_);
    ntlm::ChallengeMessage challenge;
    challenge.flags = flags_;
    challenge.challenge = challenge_;
    challenge.target_name = utf16le_bytes(shared_->netbios_name);
    challenge.target_info = make_target_info();
    negotiate_message_ = copy_bytes(token);
    challenge_message_ = ntlm::encode_challenge(challenge);
    MechanismStep answer;
    answer.token = challenge_message_;
    return answer;
}

// [MS-NLMP] 2.2.2.1.  As Windows outside a domain: the computer is its own domain.
ByteString NtlmContext::make_target_info() const {
    using ntlm::AvId;
    ByteWriter info;
    ntlm::put_av_text(info, AvId::nb_domain_name, shared_->netbios_name);
    ntlm::put_av_text(info, AvId::nb_computer_name, shared_->netbios_name);
    ntlm::put_av_text(info, AvId::dns_domain_name, shared_->dns_name);
    ntlm::put_av_text(info, AvId::dns_computer_name, shared_->dns_name);
    ByteWriter time;
    time.u64(filetime_now());
    ntlm::put_av_pair(info, AvId::timestamp, time.take());
    ntlm::put_av_pair(info, AvId::eol, {});
    return info.take();
}

// [MS-NLMP] 3.2.5.1.2
Result<void> NtlmContext::on_authenticate(Bytes token) {
    const auto message = ntlm::parse_authenticate(token);
    if (!message) return fail(message.error());
    // What both sides said; the client may take back, but not add.
    flags_ &= message->flags;
    if ((flags_ & ntlm::negotiate_unicode) == 0) return fail(NtStatus::INVALID_PARAMETER);
    const bool no_lm = message->lm_response.empty() ||
                       (message->lm_response.size() == 1 && all_zero(message->lm_response));
    if (message->user.empty() && message->nt_response.empty() && no_lm) {
        return admit_anonymous(*message);
    }
    return logon(token, *message);
}

NtStatus NtlmContext::refuse(NtStatus status, std::string_view user, const char* reason) const {
    log::info(Component::auth, "logon of '{}' from {} refused: {}", printable(user), peer_.address,
              reason);
    return status;
}

// 3.2.5.1.2: anonymous has a key exchange key made of zeros: who listens knows the session key, but
// both sides have the same one.
Result<void> NtlmContext::admit_anonymous(const ntlm::Authenticate& message) {
    if (!options().allow_anonymous || accounts().anonymous() == nullptr) {
        return fail(refuse(NtStatus::ACCESS_DENIED, "", "anonymous logons are off"));
    }
    SMB3D_TRY(derive_key(message, Key{}));
    caller_ = accounts().anonymous();
    return {};
}

// The password was not checked, so there is no key that both sides know: a guest's session is not
// protected.
Result<void> NtlmContext::admit_guest(std::string_view user) {
    auto guest = std::make_shared<Caller>(*accounts().guest());
    log::info(Component::auth, "'{}' from {} is let in as guest", printable(user), peer_.address);
    guest->user = "Guest";
    caller_ = std::move(guest);
    return {};
}

Result<void> NtlmContext::logon(Bytes token, const ntlm::Authenticate& message) {
    const auto user = utf16le_to_utf8(message.user);
    if (!user) return fail(NtStatus::INVALID_PARAMETER);
    const Account* account = accounts().find(account_part(*user));
    if (account == nullptr) account = accounts().find(*user);
    // An unknown name costs what a known one does: it is checked against a hash that nobody has.
    const auto proven =
        check_response(message, account == nullptr ? accounts().decoy() : account->nt_hash);
    if (account == nullptr && options().allow_guest && accounts().guest() != nullptr &&
        (proven || proven.error() == NtStatus::LOGON_FAILURE)) {
        return admit_guest(*user);
    }
    if (!proven) return fail(refuse(proven.error(), *user, "unknown name or wrong password"));
    if (account == nullptr) return fail(refuse(NtStatus::LOGON_FAILURE, *user, "unknown name"));
    if (auto fits = check_bindings(*proven); !fits) {
        return fail(refuse(fits.error(), *user, "channel bindings of another connection"));
    }
    SMB3D_TRY(derive_key(message, proven->base_key));
    if (auto right = check_mic(token, message, *proven); !right) {
        return fail(refuse(right.error(), *user, "the message integrity code is missing or wrong"));
    }
    if (account->disabled) {
        return fail(refuse(NtStatus::ACCOUNT_DISABLED, *user, "the account is disabled"));
    }
    if (const auto* target = ntlm::find_av_pair(proven->av_pairs, ntlm::AvId::target_name)) {
        log::debug(Component::auth, "logon of '{}' from {} for target '{}'", account->name,
                   peer_.address, printable(utf8_or_empty(target->value)));
    }
    caller_ = account->caller;
    return {};
}

// [MS-NLMP] 3.3.2.  An NT response of 24 bytes is NTLMv1's or "NTLM2 session"'s, none at all with
// an LM response is LM's or LMv2's: no password makes them right.
Result<NtlmContext::Proven> NtlmContext::check_response(const ntlm::Authenticate& message,
                                                        const NtHash& hash) const {
    constexpr std::size_t v1_size = 24;
    if (message.nt_response.size() <= v1_size) return fail(NtStatus::LOGON_FAILURE);
    auto response = ntlm::parse_ntlmv2_response(message.nt_response);
    if (!response) return fail(response.error());
    auto ntowf = ntlm::ntowf_v2(hash.value(), message.user, message.domain);
    if (!ntowf) return fail(ntowf.error());
    const auto expected = ntlm::nt_proof(*ntowf, challenge_, response->client_challenge);
    if (!expected) return fail(expected.error());
    const auto base_key = ntlm::session_base_key(*ntowf, *expected);
    wipe(MutableBytes(*ntowf));
    if (!base_key) return fail(base_key.error());
    Proven proven;
    proven.base_key = *base_key;
    proven.av_pairs = std::move(response->av_pairs);
    if (!crypto::equal_constant_time(*expected, response->proof)) {
        return fail(NtStatus::LOGON_FAILURE);
    }
    return proven;
}

// [MS-NLMP] 3.2.5.1.2 MsvAvChannelBindings; without a TLS transport there is nothing to compare
// with.
Result<void> NtlmContext::check_bindings(const Proven& proven) const {
    if (peer_.channel_bindings.empty()) return {};
    const auto* given = ntlm::find_av_pair(proven.av_pairs, ntlm::AvId::channel_bindings);
    if (given == nullptr || all_zero(given->value)) {
        if (options().require_channel_bindings) return fail(NtStatus::LOGON_FAILURE);
        return {};
    }
    const auto expected = ntlm::channel_bindings(peer_.channel_bindings);
    if (!expected) return fail(expected.error());
    if (!crypto::equal_constant_time(*expected, given->value)) return fail(NtStatus::LOGON_FAILURE);
    return {};
}

// [MS-NLMP] 3.2.5.1.2: for NTLMv2 KeyExchangeKey is SessionBaseKey (3.4.5.1).
Result<void> NtlmContext::derive_key(const ntlm::Authenticate& message, const Key& base_key) {
    key_ = base_key;
    if ((flags_ & ntlm::negotiate_key_exchange) != 0) {
        if (message.encrypted_session_key.size() != key_.size()) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        const auto exchanged = ntlm::exchange_key(base_key, message.encrypted_session_key);
        if (!exchanged) return fail(exchanged.error());
        key_ = *exchanged;
    }
    has_key_ = true;
    return {};
}

// [MS-NLMP] 3.2.5.1.2: MsvAvFlags is below NTProofStr, so nobody on the way can take it back.
Result<void> NtlmContext::check_mic(Bytes token, const ntlm::Authenticate& message,
                                    const Proven& proven) {
    const auto* pair = ntlm::find_av_pair(proven.av_pairs, ntlm::AvId::flags);
    if (pair == nullptr) return {};
    ByteReader reader(pair->value);
    const std::uint32_t av_flags = reader.u32();
    if (!reader.ok()) return fail(NtStatus::INVALID_PARAMETER);
    if ((av_flags & ntlm::av_mic_present) == 0) return {};
    if (!message.mic) return fail(NtStatus::INVALID_PARAMETER);
    ByteString zeroed = copy_bytes(token);
    std::fill_n(zeroed.begin() + static_cast<std::ptrdiff_t>(message.mic_position),
                message.mic->size(), std::byte{0});
    const auto expected = ntlm::message_mic(key_, negotiate_message_, challenge_message_, zeroed);
    if (!expected) return fail(expected.error());
    if (!crypto::equal_constant_time(*expected, *message.mic)) return fail(NtStatus::LOGON_FAILURE);
    mic_checked_ = true;
    return {};
}

Result<ByteString> NtlmContext::get_mic(Bytes message) {
    if (!has_integrity()) return fail(NtStatus::INVALID_PARAMETER);
    return ntlm::signature(flags_, key_, ntlm::Direction::server_to_client, 0, message);
}

Result<void> NtlmContext::verify_mic(Bytes message, Bytes mic) {
    if (!has_integrity()) return fail(NtStatus::INVALID_PARAMETER);
    const auto expected =
        ntlm::signature(flags_, key_, ntlm::Direction::client_to_server, 0, message);
    if (!expected) return fail(expected.error());
    if (!crypto::equal_constant_time(*expected, mic)) return fail(NtStatus::LOGON_FAILURE);
    return {};
}

Identity NtlmContext::identity() const {
    Identity out;
    out.caller = caller_;
    out.mechanism = "NTLMSSP";
    if (caller_ != nullptr && !caller_->guest) {
        out.session_key = copy_bytes(key_);
        out.ntlm_flags = flags_;
    }
    return out;
}

}  // namespace

NtlmMechanism::NtlmMechanism(NtlmOptions options, std::shared_ptr<const AccountSnapshot> accounts) {
    auto shared = std::make_shared<NtlmShared>();
    shared->netbios_name = utf8_to_utf16(options.netbios_name).value_or(u"SMB3D");
    shared->dns_name = utf8_to_utf16(options.dns_name).value_or(shared->netbios_name);
    if (shared->dns_name.empty()) shared->dns_name = shared->netbios_name;
    shared->options = std::move(options);
    shared->accounts = std::move(accounts);
    shared_ = std::move(shared);
}

bool NtlmMechanism::is_raw_token(Bytes token) const { return ntlm::is_message(token); }

std::unique_ptr<MechanismContext> NtlmMechanism::begin(const Peer& peer) const {
    return std::make_unique<NtlmContext>(shared_, peer);
}

}  // namespace smb3d::auth
