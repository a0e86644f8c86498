// The Workstation Service, as far as clients ask a server for it.
//
// Spec: [MS-WKST] 3.2.4.
#include <array>

#include "pipe/info_record.h"
#include "pipe/rpc_pdu.h"
#include "pipe/srvsvc.h"

namespace smb3d::pipe {

namespace {

constexpr std::uint32_t platform_nt = 500;

// [MS-WKST] 2.2.5.1 to 2.2.5.3
InfoRecord workstation_record(const Call& call, std::uint32_t level) {
    const ServerIdentity server = call.view.identity();
    InfoRecord record;
    record.emplace_back(platform_nt);
    record.emplace_back(server.netbios_name);
    record.emplace_back(server.domain);
    record.emplace_back(server.version_major);
    record.emplace_back(server.version_minor);
    if (level >= 101) record.emplace_back(std::string());  // lanroot: none
    if (level == 102) {
        record.emplace_back(static_cast<std::uint32_t>(call.view.sessions().size()));
    }
    return record;
}

// Levels that the union WKSTA_INFO has an arm for.
constexpr bool has_arm(std::uint32_t level) {
    return (level >= 100 && level <= 102) || level == 502 || (level >= 1010 && level <= 1062);
}

// [MS-WKST] 3.2.4.1: level 100 for everyone, 101 for accounts, 102 for administrators.
Fault workstation_get_info(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::uint32_t level = in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    auto error = Win32::invalid_level;
    if (level >= 100 && level <= 102) {
        const bool allowed = level == 100 || (level == 101 && srvsvc::authenticated(call.caller)) ||
                             call.view.administrator(call.caller);
        error = allowed ? Win32::success : Win32::access_denied;
    }
    if (error == Win32::success) {
        const InfoRecord record = workstation_record(call, level);
        write_union(out, level, &record);
    } else {
        out.u32(level);
        if (has_arm(level)) out.pointer(false);
    }
    out.u32(static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-WKST] 3.2.4.3: who is logged on at the machine itself.  A server has nobody there that
// concerns a client.
Fault workstation_user_enum(Call& call, ndr::Reader& in, ndr::Writer& out) {
    static constexpr LevelSchema levels[] = {{0, "s"}, {1, "ssss"}};
    (void)in.unique_string();
    const EnumRequest request = read_enum_request(in, levels);
    if (!in.ok()) return Fault::bad_stub_data;
    auto error = request.schema ? Win32::success : Win32::invalid_level;
    if (error == Win32::success && !call.view.administrator(call.caller)) {
        error = Win32::access_denied;
    }
    write_enum_reply(out, request, {}, static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-WKST] 3.2.4.4
Fault workstation_transport_enum(Call& call, ndr::Reader& in, ndr::Writer& out) {
    static constexpr LevelSchema levels[] = {{0, "ddssd"}};
    (void)in.unique_string();
    const EnumRequest request = read_enum_request(in, levels);
    if (!in.ok()) return Fault::bad_stub_data;
    auto error = request.schema ? Win32::success : Win32::invalid_level;
    if (error == Win32::success && !srvsvc::authenticated(call.caller)) {
        error = Win32::access_denied;
    }
    std::vector<InfoRecord> records;
    if (error == Win32::success) {
        InfoRecord record;
        record.emplace_back(0xFFFFU);  // quality of service
        record.emplace_back(static_cast<std::uint32_t>(call.view.sessions().size()));
        record.emplace_back(std::string("\\Device\\NetbiosSmb"));
        record.emplace_back(std::string("000000000000"));
        record.emplace_back(1U);  // wide area: routable
        records.push_back(std::move(record));
    }
    write_enum_reply(out, request, records, static_cast<std::uint32_t>(error));
    return Fault::none;
}

constexpr std::array<Operation, 6> operations{
    workstation_get_info,      nullptr, workstation_user_enum, nullptr, nullptr,
    workstation_transport_enum};

}  // namespace

const Interface& wkssvc_interface() {
    static constexpr Interface interface {
        {rpc::uuid_from("6bffd098-a112-3610-9833-46c3f87e345a"), 1, 0}, operations
    };
    return interface;
}

}  // namespace smb3d::pipe
