// The Server Service: its table, and the operations about the server as a whole.
#include "pipe/srvsvc.h"

#include <array>
#include <ctime>

#include "base/utf16.h"
#include "pipe/info_record.h"
#include "pipe/rpc_pdu.h"

namespace smb3d::pipe::srvsvc {

namespace {

constexpr std::uint32_t platform_nt = 500;  // [MS-SRVS] 2.2.2.6 PLATFORM_ID_NT
// [MS-SRVS] 2.2.2.7: SV_TYPE_WORKSTATION, _SERVER, _XENIX_SERVER (Unix), _NT, _SERVER_NT
constexpr std::uint32_t server_type =
    0x00000001 | 0x00000002 | 0x00000800 | 0x00001000 | 0x00008000;

// [MS-SRVS] 2.2.4.40 to 2.2.4.43; 102 and 103 share all but the last member.
InfoRecord server_record(const ServerIdentity& server, std::uint32_t level) {
    InfoRecord record;
    record.emplace_back(platform_nt);
    record.emplace_back(server.netbios_name);
    if (level == 100) return record;
    record.emplace_back(server.version_major);
    record.emplace_back(server.version_minor);
    record.emplace_back(server_type);
    record.emplace_back(server.comment);
    if (level == 101) return record;
    record.emplace_back(server.max_sessions);
    record.emplace_back(0xFFFFFFFFU);  // SV_NODISC: idle sessions are not ended
    record.emplace_back(0U);           // visible
    record.emplace_back(240U);         // announce every so many seconds
    record.emplace_back(3000U);
    record.emplace_back(0U);
    record.emplace_back(std::string("C:\\"));
    if (level == 103) record.emplace_back(0U);
    return record;
}

// Levels that the union SERVER_INFO has an arm for, known or not: an answer then holds a null
// pointer.
constexpr bool has_arm(std::uint32_t level) {
    return (level >= 100 && level <= 103) || level == 402 || level == 403 || level == 502 ||
           level == 503 || level == 599 || level == 1005 || level == 1010 ||
           (level >= 1016 && level <= 1018) || level == 1107 || (level >= 1501 && level <= 1556);
}

// [MS-SRVS] 3.1.4.17
Fault server_get_info(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::uint32_t level = in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    if (level >= 100 && level <= 103) {
        const InfoRecord record = server_record(call.view.identity(), level);
        write_union(out, level, &record);
        out.u32(static_cast<std::uint32_t>(Win32::success));
        return Fault::none;
    }
    out.u32(level);
    if (has_arm(level)) out.pointer(false);
    out.u32(static_cast<std::uint32_t>(Win32::invalid_level));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.19: the drive letters; DISK_INFO is an inline string of three units.
Fault server_disk_enum(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::uint32_t level = in.u32();
    (void)in.u32();
    if (in.pointer()) {
        const std::uint32_t maximum = in.u32();
        (void)in.u32();
        const std::uint32_t actual = in.conformance(8);
        if (actual > maximum) in.fail();
        for (std::uint32_t i = 0; i < actual && in.ok(); ++i) {
            (void)in.u32();
            const std::uint32_t units = in.u32();
            if (units > 3) in.fail();
            (void)in.bytes(std::size_t{units} * 2);
        }
    }
    (void)in.u32();
    auto resume = in.unique_u32();
    if (!in.ok()) return Fault::bad_stub_data;

    auto error = Win32::success;
    if (level != 0) error = Win32::invalid_level;
    if (!authenticated(call.caller)) error = Win32::access_denied;
    const bool listed = error == Win32::success;
    out.u32(listed ? 2 : 0);
    out.pointer(listed);
    if (listed) {
        out.u32(2);
        out.u32(0);
        out.u32(2);
        // "C:", and the empty string that ends the list.
        out.u32(0);
        out.u32(3);
        for (const char16_t unit : {u'C', u':', u'\0'}) out.u16(unit);
        out.u32(0);
        out.u32(1);
        out.u16(0);
    }
    out.u32(listed ? 1 : 0);
    if (resume) resume = 0;
    out.unique_u32(resume);
    out.u32(static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.23
Fault server_transport_enum(Call& call, ndr::Reader& in, ndr::Writer& out) {
    // SERVER_TRANSPORT_INFO_0 and _1; their byte array comes before its size, and no client sends
    // one.
    static constexpr LevelSchema levels[] = {{0, "dsbds"}, {1, "dsbdss"}};
    (void)in.unique_string();
    const EnumRequest request = read_enum_request(in, levels);
    if (!in.ok()) return Fault::bad_stub_data;
    auto error = Win32::success;
    std::vector<InfoRecord> records;
    if (!request.schema) {
        error = Win32::invalid_level;
    } else if (!authenticated(call.caller)) {
        error = Win32::access_denied;
    } else {
        const ServerIdentity server = call.view.identity();
        Blob address;
        for (const char c : server.netbios_name) address.push_back(static_cast<std::byte>(c));
        const auto size = static_cast<std::uint32_t>(address.size());
        InfoRecord record;
        record.emplace_back(static_cast<std::uint32_t>(call.view.sessions().size()));
        record.emplace_back(std::string("\\Device\\NetbiosSmb"));
        record.emplace_back(std::move(address));
        record.emplace_back(size);
        record.emplace_back(std::string("000000000000"));
        if (request.level == 1) record.emplace_back(server.domain);
        records.push_back(std::move(record));
    }
    write_enum_reply(out, request, records, static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.24, 2.2.4.105 TIME_OF_DAY_INFO: UTC, and where the local zone lies.
Fault remote_tod(Call&, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    if (!in.ok()) return Fault::bad_stub_data;
    std::timespec now{};
    std::timespec since_boot{};
    (void)::clock_gettime(CLOCK_REALTIME, &now);
    (void)::clock_gettime(CLOCK_MONOTONIC, &since_boot);
    std::tm utc{};
    std::tm local{};
    (void)::gmtime_r(&now.tv_sec, &utc);
    (void)::localtime_r(&now.tv_sec, &local);
    out.pointer(true);
    out.u32(static_cast<std::uint32_t>(now.tv_sec));
    out.u32(static_cast<std::uint32_t>(since_boot.tv_sec * 1000 + since_boot.tv_nsec / 1000000));
    out.u32(static_cast<std::uint32_t>(utc.tm_hour));
    out.u32(static_cast<std::uint32_t>(utc.tm_min));
    out.u32(static_cast<std::uint32_t>(utc.tm_sec));
    out.u32(static_cast<std::uint32_t>(now.tv_nsec / 10000000));
    out.u32(static_cast<std::uint32_t>(-local.tm_gmtoff / 60));  // minutes west of Greenwich
    out.u32(310);  // the clock's tick, 100 microseconds
    out.u32(static_cast<std::uint32_t>(utc.tm_mday));
    out.u32(static_cast<std::uint32_t>(utc.tm_mon + 1));
    out.u32(static_cast<std::uint32_t>(utc.tm_year + 1900));
    out.u32(static_cast<std::uint32_t>(utc.tm_wday));
    out.u32(static_cast<std::uint32_t>(Win32::success));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.30: the longest name of each type, by LAN Manager 2.x rules and by 1.x rules.
struct NameRule {
    std::size_t longest;
    std::size_t longest_old;
    bool any_character;
};
constexpr std::array<NameRule, 14> name_rules{{
    {0, 0, false},
    {20, 20, false},   // user
    {256, 14, true},   // password
    {256, 20, false},  // group
    {15, 15, false},   // computer
    {16, 16, false},   // event
    {15, 15, false},   // domain
    {80, 15, false},   // service
    {259, 15, false},  // net
    {80, 12, false},   // share
    {15, 15, false},   // message
    {15, 15, false},   // message destination
    {8, 8, true},      // share password
    {15, 15, false},   // workgroup
}};

Win32 check_name(std::string_view name, std::uint32_t type, std::uint32_t flags) {
    constexpr std::uint32_t old_rules = 0x80000000;
    if (type == 0 || type >= name_rules.size() || (flags & ~old_rules) != 0) {
        return Win32::invalid_parameter;
    }
    const NameRule& rule = name_rules[type];
    const std::size_t longest = flags == old_rules ? rule.longest_old : rule.longest;
    if (name.empty() || utf16_length(name) > longest) return Win32::invalid_name;
    if (rule.any_character) return Win32::success;
    for (const char c : name) {
        const bool control = static_cast<unsigned char>(c) < 0x20;
        if (control || std::string_view("\"/\\[]:|<>+=;,*?").find(c) != std::string_view::npos) {
            return Win32::invalid_name;
        }
    }
    return Win32::success;
}

Fault name_validate(Call&, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::string name = in.string();
    const std::uint32_t type = in.u32();
    const std::uint32_t flags = in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    out.u32(static_cast<std::uint32_t>(check_name(name, type, flags)));
    return Fault::none;
}

// [MS-SRVS] 3.1.4: what is not here does not exist, as in smbd: character devices, statistics, DFS.
constexpr std::array<Operation, 37> make_operations() {
    std::array<Operation, 37> table{};
    table[8] = connection_enum;
    table[9] = file_enum;
    table[10] = file_get_info;
    table[11] = file_close;
    table[12] = session_enum;
    table[13] = session_del;
    table[14] = share_add;
    table[15] = share_enum;
    table[16] = share_get_info;
    table[17] = share_set_info;
    table[18] = share_del;
    table[19] = share_del;
    table[20] = share_check;
    table[21] = server_get_info;
    table[23] = server_disk_enum;
    table[26] = server_transport_enum;
    table[28] = remote_tod;
    table[33] = name_validate;
    table[36] = share_enum_sticky;
    return table;
}
constexpr std::array<Operation, 37> operations = make_operations();

}  // namespace

}  // namespace smb3d::pipe::srvsvc

namespace smb3d::pipe {

const Interface& srvsvc_interface() {
    static constexpr Interface interface {
        {rpc::uuid_from("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3, 0}, srvsvc::operations
    };
    return interface;
}

}  // namespace smb3d::pipe
