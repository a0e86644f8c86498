// Create contexts: the list, and the data of each kind.
//
// Spec: [MS-SMB2] 2.2.13.2, 2.2.14.2; AAPL: Apple's SMB2 extensions; POSIX: the SMB3 POSIX
//   extensions.
// Lifetime: names and data are views into the message.
// Errors: a malformed list ends the iteration with ok() false: INVALID_PARAMETER.
#pragma once

#include <span>
#include <string_view>

#include "base/limits.h"
#include "wire/header.h"
#include "wire/next_list.h"

namespace smb3d::wire {

// NameS as they stand in the message: four letters, or a GUID.
namespace tag {
using namespace std::string_view_literals;
inline constexpr std::string_view exta = "ExtA"sv;  // SMB2_CREATE_EA_BUFFER
inline constexpr std::string_view secd = "SecD"sv;  // SMB2_CREATE_SD_BUFFER
inline constexpr std::string_view dhnq = "DHnQ"sv;  // SMB2_CREATE_DURABLE_HANDLE_REQUEST
inline constexpr std::string_view dhnc = "DHnC"sv;  // SMB2_CREATE_DURABLE_HANDLE_RECONNECT
inline constexpr std::string_view alsi = "AlSi"sv;  // SMB2_CREATE_ALLOCATION_SIZE
inline constexpr std::string_view mxac = "MxAc"sv;  // SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST
inline constexpr std::string_view twrp = "TWrp"sv;  // SMB2_CREATE_TIMEWARP_TOKEN
inline constexpr std::string_view qfid = "QFid"sv;  // SMB2_CREATE_QUERY_ON_DISK_ID
inline constexpr std::string_view rqls = "RqLs"sv;  // SMB2_CREATE_REQUEST_LEASE, _V2
inline constexpr std::string_view dh2q = "DH2Q"sv;  // SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2
inline constexpr std::string_view dh2c = "DH2C"sv;  // SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2
inline constexpr std::string_view aapl = "AAPL"sv;
inline constexpr std::string_view app_instance_id =
    "\x45\xBC\xA6\x6A\xEF\xA7\xF7\x4A\x90\x08\xFA\x46\x2E\x14\x4D\x74"sv;
inline constexpr std::string_view app_instance_version =
    "\xB9\x82\xD0\xB7\x3B\x56\x07\x4F\xA0\x7B\x52\x4A\x81\x16\xA0\x10"sv;
inline constexpr std::string_view svhdx_open_device =
    "\x9C\xCB\xCF\x9E\x04\xC1\xE6\x43\x98\x0E\x15\x8D\xA1\xF6\xEC\x83"sv;
inline constexpr std::string_view posix =
    "\x93\xAD\x25\x50\x9C\xB4\x11\xE7\xB4\x23\x83\xDE\x96\x8B\xCD\x7C"sv;
}  // namespace tag

// 2.2.13.2, behind Next.
struct CreateContext {
    Bytes name;
    Bytes data;

    bool is(std::string_view tag) const {
        return name.size() == tag.size() && std::memcmp(name.data(), tag.data(), tag.size()) == 0;
    }

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.offset16(self.name);
        w.length16(self.name);
        w.reserved(2);
        w.offset16(self.data);
        w.length32(self.data);
        w.payload(self.name);
        w.check(self.name.size() >= min_name);
        w.optional_payload(self.data, message_alignment);
        if constexpr (W::parsing) {
            // The name comes first.
            w.check(self.data.empty() || self.data.data() >= self.name.data() + self.name.size());
        }
    }

    static constexpr std::size_t min_name = 4;
};

class CreateContextReader {
  public:
    explicit CreateContextReader(Bytes contexts)
        : list_(contexts, message_alignment, limits::max_create_contexts) {}

    // False at the end and on a fault.
    bool next(CreateContext& context) {
        Bytes entry;
        if (!ok_ || !list_.next(entry)) return false;
        const Result<CreateContext> parsed = parse_entry<CreateContext>(entry);
        ok_ = parsed.has_value();
        if (ok_) context = *parsed;
        return ok_;
    }
    bool ok() const { return ok_ && list_.ok(); }

  private:
    NextListReader list_;
    bool ok_{true};
};

class CreateContextBuilder {
  public:
    CreateContextBuilder() : list_(bytes_, message_alignment) {}
    CreateContextBuilder(const CreateContextBuilder&) = delete;
    CreateContextBuilder& operator=(const CreateContextBuilder&) = delete;

    void add(std::string_view name, Bytes data) {
        list_.add(CreateContext{std::as_bytes(std::span(name.data(), name.size())), data});
    }
    template <class T>
    requires requires(const T& t, Writer& w) { T::wire(t, w); }
    void add(std::string_view name, const T& value) {
        const std::vector<std::byte> data = to_bytes(value);
        add(name, Bytes(data));
    }
    bool empty() const { return bytes_.empty(); }
    // Valid until the next add().
    Bytes bytes() const { return bytes_; }

  private:
    std::vector<std::byte> bytes_;
    NextListWriter list_;
};

// 2.2.13.2.3 DHnQ; 2.2.14.2.3 its response is the half of it.
struct DurableHandleRequest {
    template <class S, class W>
    static void wire(S&, W& w) {
        w.reserved(16);
    }
};
struct DurableHandleResponse {
    template <class S, class W>
    static void wire(S&, W& w) {
        w.reserved(8);
    }
};

// 2.2.13.2.4 DHnC
struct DurableHandleReconnect {
    FileId data;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.data);
    }
};

// 2.2.13.2.5 MxAc: the data may be absent, then no timestamp was given.
struct QueryMaximalAccessRequest {
    FileTime timestamp{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.timestamp);
    }
};
// 2.2.14.2.5
struct QueryMaximalAccessResponse {
    NtStatus query_status{NtStatus::SUCCESS};
    std::uint32_t maximal_access{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.query_status);
        w.field(self.maximal_access);
    }
};

// 2.2.13.2.6 AlSi
struct AllocationSize {
    std::uint64_t allocation_size{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.allocation_size);
    }
};

// 2.2.13.2.7 TWrp
struct TimewarpToken {
    FileTime timestamp{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.timestamp);
    }
};

// 2.2.14.2.9 QFid (the request has no data)
struct QueryOnDiskIdResponse {
    std::uint64_t disk_file_id{0};
    std::uint64_t volume_id{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.disk_file_id);
        w.field(self.volume_id);
        w.reserved(16);
    }
};

namespace lease_flags {
inline constexpr std::uint32_t break_in_progress = 0x00000002;  // 2.2.14.2.10
inline constexpr std::uint32_t parent_lease_key_set = 0x00000004;
}  // namespace lease_flags
inline constexpr std::size_t lease_v1_size = 32;
inline constexpr std::size_t lease_v2_size = 52;

// 2.2.13.2.8, 2.2.14.2.10 RqLs: request and response have the same form.
struct Lease {
    LeaseKey lease_key{};
    std::uint32_t lease_state{0};
    std::uint32_t lease_flags{0};
    std::uint64_t lease_duration{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.lease_key);
        w.field(self.lease_state);
        w.field(self.lease_flags);
        w.field(self.lease_duration);
    }
};

// 2.2.13.2.10, 2.2.14.2.11
struct LeaseV2 {
    LeaseKey lease_key{};
    std::uint32_t lease_state{0};
    std::uint32_t lease_flags{0};
    std::uint64_t lease_duration{0};
    LeaseKey parent_lease_key{};
    std::uint16_t epoch{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.lease_key);
        w.field(self.lease_state);
        w.field(self.lease_flags);
        w.field(self.lease_duration);
        w.field(self.parent_lease_key);
        w.field(self.epoch);
        w.reserved(2);
    }
};

inline constexpr std::uint32_t dhandle_flag_persistent = 0x00000002;

// 2.2.13.2.11 DH2Q
struct DurableHandleRequestV2 {
    std::uint32_t timeout{0};  // milliseconds
    std::uint32_t flags{0};
    Guid create_guid{};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.timeout);
        w.field(self.flags);
        w.reserved(8);
        w.field(self.create_guid);
    }
};
// 2.2.14.2.12
struct DurableHandleResponseV2 {
    std::uint32_t timeout{0};
    std::uint32_t flags{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.timeout);
        w.field(self.flags);
    }
};

// 2.2.13.2.12 DH2C
struct DurableHandleReconnectV2 {
    FileId file_id;
    Guid create_guid{};
    std::uint32_t flags{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.file_id);
        w.field(self.create_guid);
        w.field(self.flags);
    }
};

// 2.2.13.2.13
struct AppInstanceId {
    Guid app_instance_id{};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(20);
        w.reserved(2);
        w.field(self.app_instance_id);
    }
};

// 2.2.13.2.15
struct AppInstanceVersion {
    std::uint64_t app_instance_version_high{0};
    std::uint64_t app_instance_version_low{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(24);
        w.reserved(2);
        w.reserved(4);
        w.field(self.app_instance_version_high);
        w.field(self.app_instance_version_low);
    }
};

// Apple's extensions (kAAPL_SERVER_QUERY).
namespace aapl {
inline constexpr std::uint32_t server_query = 1;
inline constexpr std::uint32_t resolve_id = 2;
inline constexpr std::uint64_t query_server_caps = 0x01;  // request and reply bitmap
inline constexpr std::uint64_t query_volume_caps = 0x02;
inline constexpr std::uint64_t query_model_info = 0x04;
inline constexpr std::uint64_t supports_read_dir_attr = 0x01;  // client and server capabilities
inline constexpr std::uint64_t supports_osx_copyfile = 0x02;
inline constexpr std::uint64_t unix_based = 0x04;
inline constexpr std::uint64_t supports_nfs_ace = 0x08;
inline constexpr std::uint64_t volume_supports_resolve_id = 0x01;
inline constexpr std::uint64_t volume_case_sensitive = 0x02;
inline constexpr std::uint64_t volume_supports_full_sync = 0x04;
}  // namespace aapl

struct AaplRequest {
    std::uint32_t command_code{aapl::server_query};
    std::uint64_t request_bitmap{0};
    std::uint64_t client_capabilities{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.command_code);
        w.reserved(4);
        w.field(self.request_bitmap);
        w.field(self.client_capabilities);
    }
};
struct AaplResponse {
    std::uint32_t command_code{aapl::server_query};
    std::uint64_t reply_bitmap{0};
    std::uint64_t server_capabilities{0};  // each only if its bit is set
    std::uint64_t volume_capabilities{0};
    Bytes model;  // UTF-16LE

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.command_code);
        w.reserved(4);
        w.field(self.reply_bitmap);
        if ((self.reply_bitmap & aapl::query_server_caps) != 0) w.field(self.server_capabilities);
        if ((self.reply_bitmap & aapl::query_volume_caps) != 0) w.field(self.volume_capabilities);
        if ((self.reply_bitmap & aapl::query_model_info) != 0) {
            w.reserved(4);
            w.length32(self.model);
            w.inline_utf16(self.model);
        }
    }
};

// The POSIX extensions' request; the response has two SIDs behind its fixed part.
struct PosixRequest {
    std::uint32_t mode{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.mode);
    }
};
struct PosixResponse {
    std::uint32_t links{0};
    std::uint32_t reparse_tag{0};
    std::uint32_t mode{0};
    Bytes sids;  // [MS-DTYP] 2.4.2.2 owner, then group

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.links);
        w.field(self.reparse_tag);
        w.field(self.mode);
        w.rest(self.sids);
    }
};

}  // namespace smb3d::wire
