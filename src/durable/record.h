// Record: a persistent handle as it is kept on disk, and its binary form.
//
// Purpose: all that a server which starts again needs to give the handle back to its owner.
// Spec: [MS-SMB2] 3.3.1.10 (Per Open), 3.3.1.12 (Per Lease), for Open.IsPersistent.
// Thread: any (values and pure functions).
// Errors: decode() takes whatever the disk has: nullopt for anything that encode() does not write.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace smb3d::durable {

using Id16 = std::array<std::uint8_t, 16>;  // a GUID or a lease key

struct LockRange {
    std::uint64_t offset{0};
    std::uint64_t length{0};
    bool exclusive{false};
    friend bool operator==(const LockRange&, const LockRange&) = default;
};

enum class Caching : std::uint8_t { none, oplock, lease };

struct LeaseRecord {
    Caching kind{Caching::none};
    std::uint8_t oplock_level{0};  // [MS-SMB2] 2.2.14, if kind is oplock
    Id16 key{};
    Id16 parent_key{};
    std::uint32_t state{0};
    std::uint32_t flags{0};
    std::uint16_t epoch{0};
    std::uint8_t version{0};  // 1 or 2
    friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

struct Record {
    std::uint64_t persistent_id{0};  // the key; not 0

    // which file
    std::string share;
    std::string path;  // as stored, relative to the share
    // A rename was under way: the file is there if it is not at `path`.
    std::string next_path;
    std::uint64_t volume{0};
    std::uint64_t inode{0};
    std::uint64_t generation{0};
    bool directory{false};

    // whose: a Caller as it was when the handle was opened
    std::string user;
    std::string domain;
    std::uint32_t uid{0};
    std::uint32_t gid{0};
    std::vector<std::uint32_t> groups;
    std::vector<std::vector<std::uint8_t>> sids;
    std::uint64_t privileges{0};
    Id16 client_guid{};
    Id16 create_guid{};
    std::optional<Id16> app_instance_id;
    std::optional<std::array<std::uint64_t, 2>> app_instance_version;  // high, low

    // how
    std::uint32_t granted_access{0};
    std::uint32_t share_access{0};
    std::uint32_t create_options{0};
    std::uint32_t timeout_ms{0};
    std::uint64_t opened_at{0};  // FILETIME
    bool delete_on_close{false};
    bool delete_pending{false};

    LeaseRecord lease;
    std::vector<LockRange> locks;
    // Open.LockSequenceArray; empty if no LOCK request carried a number
    std::vector<std::uint8_t> lock_sequence;

    friend bool operator==(const Record&, const Record&) = default;
};

inline constexpr std::size_t max_locks = 65536;
inline constexpr std::size_t max_path = 65536;

// Empty if the record is beyond the limits above (it then cannot be kept).
std::vector<std::byte> encode(const Record& record);
std::optional<Record> decode(std::span<const std::byte> bytes);

}  // namespace smb3d::durable
