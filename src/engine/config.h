// What the engine is configured with: immutable values that the daemon builds from the
// configuration file.
//
// Thread: shared as `shared_ptr<const ...>` snapshots, any thread.  Lifetime: a request keeps the
// one it started with; a tree connect keeps the SharePolicy it was made with until the daemon
// replaces or ends it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "smb3d/vfs.h"

namespace smb3d::crypto {
class Provider;
}

namespace smb3d::engine {

using ClientGuid = std::array<std::uint8_t, 16>;

enum class Dialect : std::uint16_t {
    smb202 = 0x0202,
    smb210 = 0x0210,
    smb300 = 0x0300,
    smb302 = 0x0302,
    smb311 = 0x0311,
};

constexpr const char* dialect_name(Dialect dialect) {
    switch (dialect) {
        case Dialect::smb202:
            return "2.0.2";
        case Dialect::smb210:
            return "2.1";
        case Dialect::smb300:
            return "3.0";
        case Dialect::smb302:
            return "3.0.2";
        case Dialect::smb311:
            return "3.1.1";
    }
    return "?";
}

// [MS-SMB2] 2.2.3.1.2, 2.2.3.1.7: ids as on the wire.
enum class Cipher : std::uint16_t {
    none = 0,
    aes128_ccm = 1,
    aes128_gcm = 2,
    aes256_ccm = 3,
    aes256_gcm = 4
};
enum class SigningAlgorithm : std::uint16_t { hmac_sha256 = 0, aes_cmac = 1, aes_gmac = 2 };

enum class Encryption : std::uint8_t { off, offered, required };
// who without an account may come in
enum class GuestAccess : std::uint8_t { refused, guest, anonymous };

// [MS-SMB2] 2.2.10 ShareFlags caching bits.
enum class OfflineCaching : std::uint32_t {
    manual = 0x00,
    automatic = 0x10,
    programs = 0x20,
    none = 0x30
};

struct SharePolicy {
    std::string name;  // as the administrator wrote it
    std::string comment;
    // for NetShareEnum level 2 and the administrator; not used to open files
    std::string path;
    std::shared_ptr<vfs::Share> backend;
    // left out of listings (a name that ends in '$' always is for Explorer)
    bool hidden{false};
    bool read_only{false};
    // SMB2_SHAREFLAG_ENCRYPT_DATA: unencrypted requests are refused
    bool encrypt{false};
    bool allow_guest{false};
    bool allow_anonymous{false};
    bool access_based_enumeration{false};
    // changes that somebody else makes to the files are looked for
    bool watch_host{true};
    // ... and what clients cache is guarded against it: vfs::File::guard
    bool guard_host{true};
    // byte-range locks are locks for others on the host, too, and theirs count
    bool lock_host{false};
    OfflineCaching caching{OfflineCaching::manual};
    // Empty: every account.  Else account names, or "@group"; `group_ids` has the gid of every
    //   "@group" in the three lists.
    std::vector<std::string> allowed_users;
    std::vector<std::string> denied_users;
    std::vector<std::string> read_only_users;
    std::map<std::string, std::uint32_t> group_ids;
    std::uint32_t max_connections{0};  // 0: no limit
    // persistent handles are granted ([MS-SMB2] 3.3.1.6 Share.IsCA)
    bool continuous_availability{false};
    // [MS-SMB2] 3.3.1.6: what clients may cache of its files.
    bool oplocks{true};       // traditional ones and leases
    bool level2_only{false};  // SMB2_SHAREFLAG_FORCE_LEVELII_OPLOCK: reads only
    bool directory_leases{true};

    friend bool operator==(const SharePolicy&, const SharePolicy&) = default;
};

struct ServerConfig {
    std::array<std::uint8_t, 16> guid{};  // ServerGuid, kept in the state directory
    std::string netbios_name;             // upper case, at most 15 characters
    std::string dns_name;
    std::string domain;   // workgroup
    std::string comment;  // server comment in listings
    Dialect min_dialect{Dialect::smb202};
    Dialect max_dialect{Dialect::smb311};
    bool signing_required{true};
    Encryption encryption{Encryption::offered};
    bool multi_protocol_negotiate{true};  // answer the SMB1 negotiate that leads to SMB2
    std::vector<Cipher> ciphers{Cipher::aes128_gcm, Cipher::aes128_ccm, Cipher::aes256_gcm,
                                Cipher::aes256_ccm};
    std::vector<SigningAlgorithm> signing_algorithms{
        SigningAlgorithm::aes_gmac, SigningAlgorithm::aes_cmac, SigningAlgorithm::hmac_sha256};
    std::shared_ptr<const crypto::Provider> crypto;  // null: OpenSSL
    std::uint32_t max_transact{limits::max_transact};
    std::uint16_t max_credits{8192};
    std::uint32_t max_connections{16384};
    std::uint32_t max_connections_per_address{2048};
    std::uint32_t authentication_seconds{30};  // a connection that has no session by then is closed
    std::uint32_t idle_session_minutes{0};     // 0: never
    std::uint32_t max_sessions{32768};
    std::uint32_t max_open_files{262144};
    // There is a store for persistent handles.
    bool persistent_handles{false};
    std::uint32_t durable_timeout_ms{60'000};  // if the client asks for none
    std::uint32_t max_disconnected_opens{65536};
    // SMB2_GLOBAL_CAP_MULTI_CHANNEL: a session may use several connections.
    bool multichannel{true};
    std::uint32_t max_channels_per_session{32};
    bool leases{true};                          // SMB2_GLOBAL_CAP_LEASING
    bool directory_leases{true};                // SMB2_GLOBAL_CAP_DIRECTORY_LEASING
    std::uint32_t max_directory_leases{65536};  // the oldest is broken to make room
    std::uint32_t oplock_break_seconds{35};     // for a client to acknowledge
    // [MS-SMB2] 3.3.3 ServerSideCopyMaxNumberofChunks, ...MaxChunkSize, ...MaxDataSize.
    std::uint32_t copy_max_chunks{256};
    std::uint32_t copy_max_chunk_size{1U << 20};
    std::uint32_t copy_max_request_size{16U << 20};
    // key: fold_name(name); IPC$ included
    std::map<std::string, std::shared_ptr<const SharePolicy>> shares;
};

}  // namespace smb3d::engine
