// Limits, and the relations between them, in one place.  Sizes in bytes unless the name says
// otherwise.
//
// Each bounds what a peer can make the server hold; the ones that an administrator may change are
// defaults of configuration keys.
#pragma once

#include <cstddef>
#include <cstdint>

namespace smb3d::limits {

inline constexpr std::size_t kib = 1024;
inline constexpr std::size_t mib = 1024 * kib;

// [MS-SMB2] 3.3.5.4: MaxTransactSize, MaxReadSize, MaxWriteSize with multi-credit; 2.0.2 has 64
// KiB.
inline constexpr std::size_t max_transact = 8 * mib;
inline constexpr std::size_t max_transact_202 = 64 * kib;
// [MS-SMB2] 3.1.5.2: one credit pays for 64 KiB
inline constexpr std::size_t credit_unit = 64 * kib;

// A message before a session is established, and after (payload, headers, compound overhead,
// transform).
inline constexpr std::size_t max_message_unauthenticated = 64 * kib;
inline constexpr std::size_t max_message = max_transact + 128 * kib;
inline constexpr std::size_t max_compound_parts = 64;
inline constexpr std::size_t max_negotiate_contexts = 16;
inline constexpr std::size_t max_create_contexts = 32;
inline constexpr std::size_t max_security_blob = 64 * kib;
inline constexpr std::size_t max_path_units = 32767;  // UTF-16, [MS-FSCC] 2.1.5
inline constexpr std::size_t max_component_units = 255;
inline constexpr std::size_t max_locks_per_request = 4096;

inline constexpr std::uint16_t max_credits = 8192;  // a connection's window
// of a connection; beyond it receive pauses
inline constexpr std::size_t max_requests_in_flight = 1024;
// of a connection; beyond it INSUFFICIENT_RESOURCES
inline constexpr std::size_t max_async_in_flight = 512;
// [MS-SMB2] 3.3.4.2: what has run so long is answered with an interim response.
inline constexpr std::uint64_t interim_after_ns = 1'000'000'000;
// Connections of a client that a break is tried on.
inline constexpr std::size_t max_break_attempts = 64;
inline constexpr std::size_t max_sessions_per_connection = 1024;
// Logons under way on a connection: strangers hold no more of max_sessions than this.
inline constexpr std::size_t max_unfinished_logons = 16;
inline constexpr std::size_t max_trees_per_session = 4096;
inline constexpr std::size_t max_opens_per_session = 65536;
// Opens of one client that wait for it.
inline constexpr std::size_t max_disconnected_of_client = 16384;
inline constexpr std::size_t max_locks_per_file = 65536;

static_assert(max_credits * credit_unit >= max_transact);
static_assert(max_message > max_transact);
static_assert(max_message_unauthenticated >= max_security_blob);

}  // namespace smb3d::limits
