// The three messages of NTLM and the AV pairs in them.
//
// Spec: [MS-NLMP] 2.2.1, 2.2.2.
// Thread: any (values).  The views in a parsed message refer to the bytes that were parsed.
// Errors: INVALID_PARAMETER for whatever does not add up: lengths, offsets, alignment of UTF-16, an
// unknown type.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "auth/bytes.h"
#include "smb3d/status.h"

namespace smb3d::auth::ntlm {

// [MS-NLMP] 2.2.2.5
enum Flag : std::uint32_t {
    negotiate_unicode = 0x00000001,
    negotiate_oem = 0x00000002,
    request_target = 0x00000004,
    negotiate_sign = 0x00000010,
    negotiate_seal = 0x00000020,
    negotiate_datagram = 0x00000040,
    negotiate_lm_key = 0x00000080,
    negotiate_ntlm = 0x00000200,
    negotiate_anonymous = 0x00000800,
    negotiate_oem_domain_supplied = 0x00001000,
    negotiate_oem_workstation_supplied = 0x00002000,
    negotiate_always_sign = 0x00008000,
    target_type_domain = 0x00010000,
    target_type_server = 0x00020000,
    negotiate_extended_session_security = 0x00080000,
    negotiate_identify = 0x00100000,
    request_non_nt_session_key = 0x00400000,
    negotiate_target_info = 0x00800000,
    negotiate_version = 0x02000000,
    negotiate_128 = 0x20000000,
    negotiate_key_exchange = 0x40000000,
    negotiate_56 = 0x80000000,
};

// [MS-NLMP] 2.2.2.1
enum class AvId : std::uint16_t {
    eol = 0,
    nb_computer_name = 1,
    nb_domain_name = 2,
    dns_computer_name = 3,
    dns_domain_name = 4,
    dns_tree_name = 5,
    flags = 6,
    timestamp = 7,
    single_host = 8,
    target_name = 9,
    channel_bindings = 10,
};
enum AvFlag : std::uint32_t {
    av_account_constrained = 1,
    av_mic_present = 2,
    av_untrusted_spn = 4,
};

using Challenge = std::array<std::byte, 8>;
using Key = std::array<std::byte, 16>;

inline constexpr std::size_t max_av_pairs = 64;
inline constexpr std::size_t max_name_bytes = 512;  // user, domain, workstation: 256 UTF-16 units

struct AvPair {
    AvId id{AvId::eol};
    Bytes value;
};

// The pairs without the closing MsvAvEOL.  What follows that is ignored (Windows adds four zero
// bytes).
Result<std::vector<AvPair>> parse_av_pairs(Bytes bytes);
void put_av_pair(ByteWriter& writer, AvId id, Bytes value);
void put_av_text(ByteWriter& writer, AvId id, std::u16string_view value);
const AvPair* find_av_pair(const std::vector<AvPair>& pairs, AvId id);

bool is_message(Bytes message);  // begins with "NTLMSSP\0"

struct Negotiate {  // 2.2.1.1
    std::uint32_t flags{0};
    Bytes domain;       // OEM
    Bytes workstation;  // OEM
};
Result<Negotiate> parse_negotiate(Bytes message);
ByteString encode_negotiate(const Negotiate& message);

struct ChallengeMessage {  // 2.2.1.2
    std::uint32_t flags{0};
    Challenge challenge{};
    ByteString target_name;  // UTF-16LE
    ByteString target_info;  // AV pairs, with MsvAvEOL
};
Result<ChallengeMessage> parse_challenge(Bytes message);
ByteString encode_challenge(const ChallengeMessage& message);

struct Authenticate {  // 2.2.1.3
    std::uint32_t flags{0};
    Bytes lm_response;
    Bytes nt_response;
    Bytes domain;       // UTF-16LE
    Bytes user;         // UTF-16LE
    Bytes workstation;  // UTF-16LE
    Bytes encrypted_session_key;
    std::optional<Bytes> mic;  // present if no payload begins where it would be
    std::size_t mic_position{0};
};
Result<Authenticate> parse_authenticate(Bytes message);
// With `mic` the field is there (given as zeros first, then filled in); without, the payload
// follows the version.
ByteString encode_authenticate(const Authenticate& message);
// Where the MIC is in what encode_authenticate() made.
std::size_t authenticate_mic_position();

// 2.2.2.8 and the NTLMv2_CLIENT_CHALLENGE 2.2.2.7 in it
struct Ntlmv2Response {
    Bytes proof;             // NTProofStr, 16 bytes
    Bytes client_challenge;  // the whole of 2.2.2.7: what the proof is over
    std::uint64_t timestamp{0};
    std::vector<AvPair> av_pairs;
};
Result<Ntlmv2Response> parse_ntlmv2_response(Bytes nt_response);
// 2.2.2.7; `av_pairs` with MsvAvEOL.
ByteString encode_client_challenge(std::uint64_t timestamp, const Challenge& challenge,
                                   Bytes av_pairs);

}  // namespace smb3d::auth::ntlm
