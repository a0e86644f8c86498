// The PDUs of connection-oriented RPC: parsing what clients send, building what servers send.
//
// Spec: [C706] 12.6 (PDU encodings), [MS-RPCE] 2.2.2 (extensions: authentication verifier,
// bind-time features). Thread: any (pure functions). Lifetime: parsed PDUs view the bytes they were
// parsed from. Errors: nullopt for whatever does not add up; what to answer is for rpc.cpp to say.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "pipe/interface.h"
#include "pipe/ndr.h"

namespace smb3d::pipe::rpc {

inline constexpr std::size_t header_size = 16;
inline constexpr std::size_t call_header_size = 24;        // of request, response
inline constexpr std::size_t auth_trailer_size = 8;        // [MS-RPCE] 2.2.2.11 sec_trailer
inline constexpr std::size_t auth_padding = 16;            // [MS-RPCE] 2.2.2.12
inline constexpr std::uint16_t preferred_fragment = 4280;  // Windows' own
inline constexpr std::uint16_t least_fragment = 1432;      // [C706] 12.6.3.1 MustRecvFragSize
inline constexpr std::size_t max_contexts = 64;            // presentation contexts of a pipe

// [C706] 12.6.4.1
enum class PduType : std::uint8_t {
    request = 0,
    response = 2,
    fault = 3,
    bind = 11,
    bind_ack = 12,
    bind_nak = 13,
    alter_context = 14,
    alter_context_response = 15,
    auth3 = 16,
    shutdown = 17,
    cancel = 18,
    orphaned = 19,
};

// [C706] 12.6.3.1, [MS-RPCE] 2.2.2.3
enum PduFlag : std::uint8_t {
    first_fragment = 0x01,
    last_fragment = 0x02,
    header_signing = 0x04,  // in bind and alter_context, and their answers
    did_not_execute = 0x20,
    has_object = 0x80,
};

struct Header {
    std::uint8_t version{5};
    std::uint8_t minor{0};
    PduType type{PduType::request};
    std::uint8_t flags{0};
    bool big_endian{false};
    std::uint16_t fragment_length{0};
    std::uint16_t auth_length{0};
    std::uint32_t call_id{0};
};

// [MS-RPCE] 2.2.1.1.7, 2.2.1.1.8
enum class AuthType : std::uint8_t { none = 0, spnego = 9, ntlmssp = 10, kerberos = 16 };
enum class AuthLevel : std::uint8_t {
    none = 1,
    connect = 2,
    call = 3,
    packet = 4,
    integrity = 5,
    privacy = 6,
};

struct AuthVerifier {
    AuthType type{AuthType::none};
    AuthLevel level{AuthLevel::none};
    std::uint8_t pad_length{0};
    std::uint32_t context_id{0};
    std::size_t trailer_at{0};  // where the sec_trailer begins in the PDU
    Bytes value;
};

// The header and the authentication verifier, which say how long the PDU is and where its body
// ends.
struct Pdu {
    Header header;
    Bytes whole;  // fragment_length bytes
    Bytes body;   // behind the header, up to the authentication padding
    std::optional<AuthVerifier> auth;
};

// The length that a PDU's first 16 bytes claim, and whether they can be those of a PDU.
std::optional<Header> parse_header(Bytes bytes);
// `whole` must be exactly one PDU.
std::optional<Pdu> parse_pdu(Bytes whole);

struct PresentationContext {
    std::uint16_t id{0};
    SyntaxId abstract;
    std::vector<SyntaxId> transfer;
};

struct Bind {  // bind and alter_context
    std::uint16_t max_transmit{0};
    std::uint16_t max_receive{0};
    std::uint32_t group{0};
    std::vector<PresentationContext> contexts;
};
std::optional<Bind> parse_bind(const Pdu& pdu);

struct Request {
    std::uint32_t allocation_hint{0};
    std::uint16_t context_id{0};
    std::uint16_t operation{0};
    std::size_t stub_at{0};  // where the stub begins in the PDU
    Bytes stub;
};
std::optional<Request> parse_request(const Pdu& pdu);

// [C706] 12.6.3.1 p_cont_def_result_t, [MS-RPCE] 2.2.2.4 for negotiate_ack
enum class ContextResult : std::uint16_t {
    acceptance = 0,
    user_rejection = 1,
    provider_rejection = 2,
    negotiate_ack = 3,
};
enum class RejectReason : std::uint16_t {
    none = 0,
    abstract_syntax_not_supported = 1,
    transfer_syntaxes_not_supported = 2,
    local_limit_exceeded = 3,
};
struct ContextAnswer {
    ContextResult result{ContextResult::provider_rejection};
    std::uint16_t reason{0};
    SyntaxId transfer;
};

struct BindAck {  // bind_ack and alter_context_response
    std::uint16_t max_transmit{0};
    std::uint16_t max_receive{0};
    std::uint32_t group{0};
    std::string_view secondary_address;
    std::vector<ContextAnswer> answers;
};

// [C706] 12.6.3.1 p_reject_reason_t, [MS-RPCE] 2.2.2.5
enum class NakReason : std::uint16_t {
    not_specified = 0,
    protocol_version_not_supported = 4,
    authentication_type_not_recognized = 8,
    invalid_checksum = 9,
};

using Bits = std::vector<std::byte>;

// What the answering PDUs have in common; the verifier, if any, carries a token.
struct AuthToken {
    AuthType type{AuthType::none};
    AuthLevel level{AuthLevel::none};
    std::uint32_t context_id{0};
    Bytes value;
};
Bits build_bind_ack(const BindAck& ack, PduType type, std::uint8_t flags, std::uint32_t call_id,
                    const std::optional<AuthToken>& token);
Bits build_bind_nak(NakReason reason, std::uint32_t call_id);
Bits build_fault(Fault fault, std::uint16_t context_id, std::uint32_t call_id, std::uint8_t flags);

// The well-known transfer syntaxes.
SyntaxId ndr20_syntax();                             // [C706] Appendix I
SyntaxId ndr64_syntax();                             // [MS-RPCE] 2.2.4.12
bool is_bind_time_features(const SyntaxId& syntax);  // [MS-RPCE] 2.2.2.14

// "4b324fc8-1670-01d3-1278-5a47bf6ee188" as a constant.
constexpr ndr::Uuid uuid_from(std::string_view text) {
    ndr::Uuid plain{};
    std::size_t at = 0;
    bool high = true;
    for (const char c : text) {
        if (c == '-') continue;
        const int digit = c >= 'a' ? c - 'a' + 10 : c - '0';
        plain[at] = static_cast<std::uint8_t>(high ? digit << 4 : plain[at] | digit);
        if (!high) ++at;
        high = !high;
    }
    return {plain[3], plain[2], plain[1],  plain[0],  plain[5],  plain[4],  plain[7],  plain[6],
            plain[8], plain[9], plain[10], plain[11], plain[12], plain[13], plain[14], plain[15]};
}

}  // namespace smb3d::pipe::rpc
