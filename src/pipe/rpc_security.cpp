#include "pipe/rpc_security.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "auth/ntlm_crypto.h"
#include "base/log.h"

namespace smb3d::pipe::rpc {

namespace {

void put_u32(std::byte* to, std::uint32_t value) {
    for (unsigned i = 0; i < 4; ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}

}  // namespace

std::unique_ptr<NtlmProtection> NtlmProtection::create(std::uint32_t flags, Bytes session_key,
                                                       Side side) {
    using auth::ntlm::Direction;
    if ((flags & auth::ntlm::negotiate_extended_session_security) == 0) return nullptr;
    if ((flags & (auth::ntlm::negotiate_sign | auth::ntlm::negotiate_seal)) == 0) return nullptr;
    auth::ntlm::Key key{};
    if (session_key.size() != key.size()) return nullptr;
    std::copy(session_key.begin(), session_key.end(), key.begin());

    std::array<std::byte, 16> sign_keys[2];
    std::array<std::byte, 16> seal_keys[2];
    Direction directions[2] = {Direction::client_to_server, Direction::server_to_client};
    if (side == Side::client) std::swap(directions[0], directions[1]);
    for (unsigned i = 0; i < 2; ++i) {
        const auto sign = auth::ntlm::sign_key(key, directions[i]);
        const auto seal = auth::ntlm::seal_key(flags, key, directions[i]);
        if (!sign || !seal) return nullptr;
        sign_keys[i] = *sign;
        seal_keys[i] = *seal;
    }
    const bool key_exchange = (flags & auth::ntlm::negotiate_key_exchange) != 0;
    const bool may_seal = (flags & auth::ntlm::negotiate_seal) != 0;
    auto receive = crypto::Rc4::create(seal_keys[0]);
    auto send = crypto::Rc4::create(seal_keys[1]);
    for (auto& seal : seal_keys) crypto::cleanse(seal);
    crypto::cleanse(key);
    if (!receive || !send) return nullptr;
    return std::unique_ptr<NtlmProtection>(new NtlmProtection(
        NtlmProtection::Direction{sign_keys[0], std::move(*receive), 0},
        NtlmProtection::Direction{sign_keys[1], std::move(*send), 0}, key_exchange, may_seal));
}

// [MS-NLMP] 3.4.4.2: version, HMAC-MD5 over sequence number and message (first half, through RC4 if
// keys were exchanged), sequence number.
Result<NtlmProtection::Signature> NtlmProtection::sign(Direction& direction, Bytes message) {
    constexpr std::size_t checksum_size = 8;
    Signature signature{};
    std::array<std::byte, 4> sequence{};
    put_u32(sequence.data(), direction.sequence);
    const std::array<Bytes, 2> input{sequence, message};
    const auto digest = crypto::hmac_md5(direction.sign_key, input);
    if (!digest) return fail(digest.error());
    put_u32(signature.data(), 1);
    const MutableBytes checksum = MutableBytes(signature).subspan(4, checksum_size);
    std::memcpy(checksum.data(), digest->data(), checksum.size());
    if (key_exchange_) SMB3D_TRY(direction.stream.apply(checksum));
    std::copy(sequence.begin(), sequence.end(), signature.begin() + 12);
    ++direction.sequence;
    return signature;
}

void NtlmProtection::set_sequence(std::uint32_t sequence) {
    receive_.sequence = sequence;
    send_.sequence = sequence;
}

Result<NtlmProtection::Signature> NtlmProtection::protect(MutableBytes signed_part,
                                                          std::size_t sealed_at,
                                                          std::size_t sealed_size) {
    // [MS-NLMP] 3.4.3: the message goes through the stream before its checksum does, but the
    // checksum is over the plain text.
    const std::vector<std::byte> plain(signed_part.begin(), signed_part.end());
    SMB3D_TRY(send_.stream.apply(signed_part.subspan(sealed_at, sealed_size)));
    return sign(send_, plain);
}

bool NtlmProtection::verify(MutableBytes signed_part, std::size_t sealed_at,
                            std::size_t sealed_size, Bytes signature) {
    if (!receive_.stream.apply(signed_part.subspan(sealed_at, sealed_size))) return false;
    const auto expected = sign(receive_, signed_part);
    return expected && crypto::equal_constant_time(*expected, signature);
}

RpcSecurity::RpcSecurity(std::unique_ptr<auth::Exchange> exchange, const AuthVerifier& verifier)
    : exchange_(std::move(exchange)),
      type_(verifier.type),
      level_(verifier.level),
      context_id_(verifier.context_id) {}

std::unique_ptr<RpcSecurity> RpcSecurity::begin(const auth::Authority* authority,
                                                const AuthVerifier& verifier,
                                                const Caller& caller) {
    // The exchange tells raw NTLMSSP from SPNEGO by the token.
    const bool known = verifier.type == AuthType::spnego || verifier.type == AuthType::ntlmssp;
    if (authority == nullptr || !known) return nullptr;
    if (verifier.level < AuthLevel::connect || verifier.level > AuthLevel::privacy) return nullptr;
    // [MS-RPCE] 2.2.1.1.8: no client sends this level here, it becomes `packet` before.
    if (verifier.level == AuthLevel::call) return nullptr;
    // A pipe knows its session's user and no address; without any, all pipes' wrong guesses would
    // count together, and one client could lock the others out.
    auto exchange =
        authority->begin(auth::Peer{"a pipe of " + caller.domain + "\\" + caller.user, {}});
    if (!exchange) return nullptr;
    return std::unique_ptr<RpcSecurity>(new RpcSecurity(std::move(exchange), verifier));
}

Result<std::vector<std::byte>> RpcSecurity::step(Bytes token) {
    if (failed_ || complete_ || !exchange_) return fail(NtStatus::INVALID_PARAMETER);
    auto step = exchange_->step(token);
    if (!step) {
        failed_ = true;
        log::info(log::Component::pipe, "authentication of an RPC bind failed: {}",
                  status_name(step.error()));
        return fail(step.error());
    }
    if (!step->complete) return std::move(step->token);

    identity_ = std::move(step->identity);
    exchange_.reset();
    if (protects()) {
        protection_ = NtlmProtection::create(identity_.ntlm_flags, identity_.session_key);
        if (!protection_ || (seals() && !protection_->may_seal())) {
            failed_ = true;
            return fail(NtStatus::ACCESS_DENIED);
        }
    }
    crypto::cleanse(identity_.session_key);
    identity_.session_key.clear();
    complete_ = true;
    return std::move(step->token);
}

// [MS-RPCE] 3.3.1.5.2.2: headers and sec_trailer are signed with the stub.  Deviation: whether or
// not header signing was negotiated; with NTLM's extended session security, clients do it always
// (rpcclient, impacket, as they found Windows).
bool RpcSecurity::open(MutableBytes pdu, std::size_t stub_at, const AuthVerifier& verifier) {
    if (!complete_ || !protection_ || stub_at > verifier.trailer_at) return false;
    const std::size_t stub_size = verifier.trailer_at - stub_at;  // with its padding
    if (!sequence_known_ && verifier.value.size() == NtlmProtection::signature_size) {
        // [MS-SPNG] 3.3.5.1: a mechListMIC used up the sequence number 0 but its key stream began
        // anew.  SPNEGO does not tell here whether one was exchanged; the first call does.
        const Bytes sequence = verifier.value.last(4);
        constexpr std::array<std::byte, 4> one{std::byte{1}};
        if (type_ == AuthType::spnego &&
            std::equal(sequence.begin(), sequence.end(), one.begin())) {
            protection_->set_sequence(1);
        }
        sequence_known_ = true;
    }
    const auto all = pdu.first(verifier.trailer_at + auth_trailer_size);
    return protection_->verify(all, stub_at, seals() ? stub_size : 0, verifier.value);
}

Result<void> RpcSecurity::seal(std::vector<std::byte>& pdu, std::size_t stub_at) {
    // [MS-RPCE] 2.2.2.12: the stub is padded so that the verifier is aligned.
    const std::size_t pad = (auth_padding - (pdu.size() - stub_at) % auth_padding) % auth_padding;
    pdu.resize(pdu.size() + pad);
    const std::size_t trailer_at = pdu.size();
    pdu.resize(trailer_at + auth_trailer_size);
    pdu[trailer_at] = static_cast<std::byte>(type_);
    pdu[trailer_at + 1] = static_cast<std::byte>(level_);
    pdu[trailer_at + 2] = static_cast<std::byte>(pad);
    put_u32(pdu.data() + trailer_at + 4, context_id_);
    const std::size_t total = pdu.size() + NtlmProtection::signature_size;
    pdu[8] = static_cast<std::byte>(total & 0xFF);
    pdu[9] = static_cast<std::byte>(total >> 8);
    pdu[10] = static_cast<std::byte>(NtlmProtection::signature_size);
    pdu[11] = std::byte{0};

    const std::size_t stub_size = trailer_at - stub_at;
    const std::size_t sealed = seals() ? stub_size : 0;
    const auto signature = protection_->protect(pdu, stub_at, sealed);
    if (!signature) return fail(signature.error());
    pdu.insert(pdu.end(), signature->begin(), signature->end());
    return {};
}

}  // namespace smb3d::pipe::rpc
