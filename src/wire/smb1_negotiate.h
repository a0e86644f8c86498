// The one SMB1 message that smb3d understands: the COM_NEGOTIATE by which old clients reach SMB2.
//
// Spec: [MS-SMB2] 3.3.5.3.1, 3.3.5.3.2; [MS-CIFS] 2.2.3.1, 2.2.4.52.1.
// Errors: INVALID_PARAMETER if it is no negotiate or is malformed.
#pragma once

#include <span>
#include <string_view>

#include "wire/codec.h"

namespace smb3d::wire {

inline constexpr std::string_view smb1_dialect_202 = "SMB 2.002";
inline constexpr std::string_view smb1_dialect_wildcard = "SMB 2.???";

struct Smb1Negotiate {
    bool smb_2_002{false};
    bool smb_2_wildcard{false};
};

Result<Smb1Negotiate> parse_smb1_negotiate(Bytes message);

// For tests and clients.
std::vector<std::byte> make_smb1_negotiate(std::span<const std::string_view> dialects);

}  // namespace smb3d::wire
