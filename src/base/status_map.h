// NtStatus <-> text, for logs, the administrator and tests.
//
// Spec: [MS-ERREF] 2.3.1.
// Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "smb3d/status.h"

namespace smb3d {

// "ACCESS_DENIED", or "0xC0123456" for a value without a row.
std::string status_text(NtStatus status);
// Either form of status_text(), or with STATUS_ in front.
std::optional<NtStatus> status_from(std::string_view text);

}  // namespace smb3d
