// SESSION_SETUP.
//
// Spec: [MS-SMB2] 2.2.5, 2.2.6.  SecurityMode and Capabilities: negotiate.h.
// Lifetime: the security buffer is a view into the message.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

inline constexpr std::uint8_t session_flag_binding = 0x01;  // request Flags

namespace session_flags {  // response SessionFlags
inline constexpr std::uint16_t is_guest = 0x0001;
inline constexpr std::uint16_t is_null = 0x0002;
inline constexpr std::uint16_t encrypt_data = 0x0004;
}  // namespace session_flags

struct SessionSetupRequest {
    static constexpr Command command = Command::session_setup;

    std::uint8_t flags{0};
    std::uint8_t security_mode{0};
    std::uint32_t capabilities{0};
    std::uint32_t channel{0};
    std::uint64_t previous_session_id{0};
    Bytes security_buffer;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(25);
        w.field(self.flags);
        w.field(self.security_mode);
        w.field(self.capabilities);
        w.field(self.channel);
        w.offset16(self.security_buffer);
        w.length16(self.security_buffer);
        w.field(self.previous_session_id);
        w.payload(self.security_buffer);
    }
};

struct SessionSetupResponse {
    static constexpr Command command = Command::session_setup;

    std::uint16_t session_flags{0};
    Bytes security_buffer;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(9);
        w.field(self.session_flags);
        w.offset16(self.security_buffer);
        w.length16(self.security_buffer);
        w.payload(self.security_buffer);
    }
};

}  // namespace smb3d::wire
