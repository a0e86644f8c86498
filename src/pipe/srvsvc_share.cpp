// Shares: NetrShareEnum and its relatives.
#include <algorithm>
#include <array>

#include "base/utf16.h"
#include "pipe/info_record.h"
#include "pipe/srvsvc.h"

namespace smb3d::pipe::srvsvc {

namespace {

// [MS-SRVS] 2.2.4.22 to 2.2.4.33.  1004 to 1006 and 1501 are arms of enumerations in what Samba's
// clients send.
constexpr LevelSchema share_levels[] = {
    {0, "s"},      {1, "sds"},          {2, "sdsdddss"},
    {501, "sdsd"}, {502, "sdsdddssdb"}, {503, "sdsdddsssdb"},
    {1004, "s"},   {1005, "d"},         {1006, "d"},
    {1501, "db"},
};

// [MS-SRVS] 2.2.4.29 SHARE_INFO_1005 flags.
constexpr std::uint32_t access_based_directory_enum = 0x0800;
constexpr std::uint32_t encrypt_data = 0x8000;

// A self-relative descriptor that grants everyone everything: what a share without one of its own
// has.
Blob open_descriptor() {
    constexpr std::array<std::uint8_t, 48> bits{
        1,    0,    0x04, 0x80, 0, 0, 0,    0, 0, 0, 0, 0, 0,    0,    0,    0,
        0x14, 0,    0,    0,    2, 0, 0x1C, 0, 1, 0, 0, 0, 0,    0,    0x14, 0,
        0xFF, 0x01, 0x1F, 0x00, 1, 1, 0,    0, 0, 0, 0, 1, 0x00, 0x00, 0x00, 0x00};
    Blob blob(bits.size());
    std::transform(bits.begin(), bits.end(), blob.begin(),
                   [](std::uint8_t byte) { return static_cast<std::byte>(byte); });
    return blob;
}

// Deviation: Windows gives the local path to administrators only and fails the call for others;
// smbd gives everyone the real one.  Here others get a made-up one, so that what they run works and
// tells nothing about the host.
std::string shown_path(const Call& call, const ShareEntry& share) {
    if (share.ipc) return "";
    if (!call.view.administrator(call.caller)) return "C:\\" + share.name;
    std::string path = "C:" + share.path;
    std::replace(path.begin(), path.end(), '/', '\\');
    return path;
}

std::uint32_t flags_1005(const ShareEntry& share) {
    return share.caching | (share.access_based_enumeration ? access_based_directory_enum : 0U) |
           (share.encrypt ? encrypt_data : 0U);
}

// The values of `level`, in the order of its schema.
InfoRecord share_record(const Call& call, const ShareEntry& share, std::uint32_t level) {
    const std::uint32_t maximum = share.max_uses == 0 ? 0xFFFFFFFFU : share.max_uses;
    const Blob security =
        share.security_descriptor.empty() ? open_descriptor() : share.security_descriptor;
    const auto security_size = static_cast<std::uint32_t>(security.size());
    InfoRecord record;
    if (level < 1000) record.emplace_back(share.name);
    switch (level) {
        case 1004:
            record.emplace_back(share.comment);
            return record;
        case 1005:
            record.emplace_back(flags_1005(share));
            return record;
        case 1006:
            record.emplace_back(maximum);
            return record;
        case 1501:
            record.emplace_back(security_size);
            record.emplace_back(security);
            return record;
        case 0:
            return record;
        default:
            break;
    }
    record.emplace_back(share_type(share.ipc, share.name));
    record.emplace_back(share.comment);
    if (level == 501) record.emplace_back(share.caching);
    if (level != 2 && level != 502 && level != 503) return record;
    record.emplace_back(0U);  // permissions: of no use since share-level security
    record.emplace_back(maximum);
    record.emplace_back(share.current_uses);
    record.emplace_back(shown_path(call, share));
    record.emplace_back(std::optional<std::string>());  // no password
    if (level == 503) record.emplace_back(std::string("*"));
    if (level != 2) {
        record.emplace_back(security_size);
        record.emplace_back(security);
    }
    return record;
}

constexpr bool shows_details(std::uint32_t level) {
    return level == 2 || level == 502 || level == 503 || level == 1501;
}

Fault enumerate(Call& call, ndr::Reader& in, ndr::Writer& out,
                std::span<const std::uint32_t> levels, std::uint32_t needs_account) {
    (void)in.unique_string();
    const EnumRequest request = read_enum_request(in, share_levels);
    if (!in.ok()) return Fault::bad_stub_data;
    std::vector<InfoRecord> records;
    auto error = Win32::success;
    if (std::find(levels.begin(), levels.end(), request.level) == levels.end()) {
        error = Win32::invalid_level;
    } else if ((shows_details(request.level) || request.level == needs_account) &&
               !authenticated(call.caller)) {
        error = Win32::access_denied;
    } else {
        for (const ShareEntry& share : call.view.shares(call.caller)) {
            if (!share.hidden) records.push_back(share_record(call, share, request.level));
        }
    }
    write_enum_reply(out, request, records, static_cast<std::uint32_t>(error));
    return Fault::none;
}

std::optional<ShareEntry> find_share(const Call& call, std::string_view name) {
    for (ShareEntry& share : call.view.shares(call.caller)) {
        if (equal_folded(share.name, name)) return std::move(share);
    }
    return std::nullopt;
}

// Shares are made in the configuration.
Win32 change_refused(const Call& call) {
    return call.view.administrator(call.caller) ? Win32::not_supported : Win32::access_denied;
}

}  // namespace

// [MS-SRVS] 3.1.4.8
Fault share_enum(Call& call, ndr::Reader& in, ndr::Writer& out) {
    // Deviation: [MS-SRVS] has no 1004 to 1006 here; smbd answers them.
    static constexpr std::uint32_t levels[] = {0, 1, 2, 501, 502, 503, 1004, 1005, 1006};
    return enumerate(call, in, out, levels, 501);
}

// [MS-SRVS] 3.1.4.9: the same list, fewer levels.
Fault share_enum_sticky(Call& call, ndr::Reader& in, ndr::Writer& out) {
    static constexpr std::uint32_t levels[] = {0, 1, 2, 502, 503};
    return enumerate(call, in, out, levels, 502);
}

// [MS-SRVS] 3.1.4.10
Fault share_get_info(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::string name = in.string();
    const std::uint32_t level = in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    if (!find_schema(share_levels, level)) {
        out.u32(level);  // the union's default arm is empty
        out.u32(static_cast<std::uint32_t>(Win32::invalid_level));
        return Fault::none;
    }
    auto error = Win32::success;
    std::optional<InfoRecord> record;
    if (shows_details(level) && !authenticated(call.caller)) {
        error = Win32::access_denied;
    } else if (const auto share = find_share(call, name)) {
        record = share_record(call, *share, level);
    } else {
        error = Win32::name_not_found;
    }
    write_union(out, level, record ? &*record : nullptr);
    out.u32(static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.7
Fault share_add(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::uint32_t level = in.u32();
    skip_union(in, level, share_levels);
    const auto parameter = in.unique_u32();
    if (!in.ok()) return Fault::bad_stub_data;
    out.unique_u32(parameter);
    out.u32(static_cast<std::uint32_t>(change_refused(call)));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.11
Fault share_set_info(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    (void)in.string();
    const std::uint32_t level = in.u32();
    skip_union(in, level, share_levels);
    const auto parameter = in.unique_u32();
    if (!in.ok()) return Fault::bad_stub_data;
    out.unique_u32(parameter);
    out.u32(static_cast<std::uint32_t>(change_refused(call)));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.12 and 3.1.4.13 (sticky)
Fault share_del(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    (void)in.string();
    (void)in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    out.u32(static_cast<std::uint32_t>(change_refused(call)));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.16: which kind of share a device is shared as; "device" is a path as level 2
// shows it.
Fault share_check(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::string device = in.string();
    if (!in.ok()) return Fault::bad_stub_data;
    std::uint32_t type = 0;
    auto error = authenticated(call.caller) ? Win32::device_not_shared : Win32::access_denied;
    if (error == Win32::device_not_shared) {
        for (const ShareEntry& share : call.view.shares(call.caller)) {
            if (!equal_folded(shown_path(call, share), device)) continue;
            type = share_type(share.ipc, share.name);
            error = Win32::success;
            break;
        }
    }
    out.u32(type);
    out.u32(static_cast<std::uint32_t>(error));
    return Fault::none;
}

}  // namespace smb3d::pipe::srvsvc
