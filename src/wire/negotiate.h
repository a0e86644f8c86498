// NEGOTIATE.
//
// Spec: [MS-SMB2] 2.2.3, 2.2.4; contexts in negotiate_context.h.
// Lifetime: contexts and the security buffer are views into the message.
#pragma once

#include "wire/header.h"
#include "wire/negotiate_context.h"

namespace smb3d::wire {

// DialectRevision
namespace dialect {
inline constexpr std::uint16_t smb202 = 0x0202;
inline constexpr std::uint16_t smb210 = 0x0210;
inline constexpr std::uint16_t smb300 = 0x0300;
inline constexpr std::uint16_t smb302 = 0x0302;
inline constexpr std::uint16_t smb311 = 0x0311;
inline constexpr std::uint16_t wildcard = 0x02FF;  // answer to the SMB1 negotiate with "SMB 2.???"
}  // namespace dialect
// Deviation: the specification has no limit; five are defined.
inline constexpr std::size_t max_dialects = 64;

// SecurityMode, also of SESSION_SETUP
namespace security_mode {
inline constexpr std::uint16_t signing_enabled = 0x0001;
inline constexpr std::uint16_t signing_required = 0x0002;
}  // namespace security_mode

// Capabilities, also of SESSION_SETUP
namespace capabilities {
inline constexpr std::uint32_t dfs = 0x00000001;
inline constexpr std::uint32_t leasing = 0x00000002;
inline constexpr std::uint32_t large_mtu = 0x00000004;
inline constexpr std::uint32_t multi_channel = 0x00000008;
inline constexpr std::uint32_t persistent_handles = 0x00000010;
inline constexpr std::uint32_t directory_leasing = 0x00000020;
inline constexpr std::uint32_t encryption = 0x00000040;
inline constexpr std::uint32_t notifications = 0x00000080;
}  // namespace capabilities

struct NegotiateRequest {
    static constexpr Command command = Command::negotiate;

    std::uint16_t security_mode{0};
    std::uint32_t capabilities{0};
    Guid client_guid{};
    std::vector<std::uint16_t> dialects;
    std::vector<NegotiateContext> negotiate_contexts;  // read if the dialects hold 3.1.1

    bool offers(std::uint16_t dialect_revision) const {
        return std::find(dialects.begin(), dialects.end(), dialect_revision) != dialects.end();
    }

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(36);
        w.count16(self.dialects);
        w.field(self.security_mode);
        w.reserved(2);
        w.field(self.capabilities);
        w.field(self.client_guid);
        // Without 3.1.1 these eight bytes are ClientStartTime, which a server ignores.
        w.offset32(self.negotiate_contexts);
        w.count16(self.negotiate_contexts);
        w.reserved(2);
        w.elements(self.dialects, max_dialects);
        if (self.offers(dialect::smb311)) {
            w.elements_at_offset(self.negotiate_contexts, limits::max_negotiate_contexts,
                                 message_alignment);
        }
    }
};

struct NegotiateResponse {
    static constexpr Command command = Command::negotiate;

    std::uint16_t security_mode{0};
    std::uint16_t dialect_revision{0};
    Guid server_guid{};
    std::uint32_t capabilities{0};
    std::uint32_t max_transact_size{0};
    std::uint32_t max_read_size{0};
    std::uint32_t max_write_size{0};
    FileTime system_time{0};
    FileTime server_start_time{0};
    Bytes security_buffer;
    std::vector<NegotiateContext> negotiate_contexts;  // if dialect_revision is 3.1.1

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(65);
        w.field(self.security_mode);
        w.field(self.dialect_revision);
        w.count16(self.negotiate_contexts);
        w.field(self.server_guid);
        w.field(self.capabilities);
        w.field(self.max_transact_size);
        w.field(self.max_read_size);
        w.field(self.max_write_size);
        w.field(self.system_time);
        w.field(self.server_start_time);
        w.offset16(self.security_buffer);
        w.length16(self.security_buffer);
        w.offset32(self.negotiate_contexts);
        w.payload(self.security_buffer);
        if (self.dialect_revision == dialect::smb311) {
            w.elements_at_offset(self.negotiate_contexts, limits::max_negotiate_contexts,
                                 message_alignment);
        }
    }
};

}  // namespace smb3d::wire
