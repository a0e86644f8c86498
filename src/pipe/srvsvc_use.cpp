// Who uses the server: connections, sessions and open files; for administrators only.
#include "base/utf16.h"
#include "pipe/info_record.h"
#include "pipe/srvsvc.h"

namespace smb3d::pipe::srvsvc {

namespace {

// [MS-SRVS] 2.2.4.1 to 2.2.4.18
constexpr LevelSchema connection_levels[] = {{0, "d"}, {1, "dddddss"}};
constexpr LevelSchema file_levels[] = {{2, "d"}, {3, "dddss"}};
constexpr LevelSchema session_levels[] = {
    {0, "s"}, {1, "ssdddd"}, {2, "ssdddds"}, {10, "ssdd"}, {502, "ssddddss"}};

constexpr std::uint32_t sess_guest = 1;  // [MS-SRVS] 2.2.4.14 sesi1_user_flags

// Deviation: Windows lets every account enumerate sessions at levels 0 and 10 unless hardened;
// since Windows 10 1607 its default is administrators only, as here.
Win32 admitted(const Call& call, const EnumRequest& request) {
    if (!request.schema) return Win32::invalid_level;
    return call.view.administrator(call.caller) ? Win32::success : Win32::access_denied;
}

// "\\client" as well as "client"
std::string_view without_slashes(std::string_view name) {
    while (!name.empty() && (name.front() == '\\' || name.front() == '/')) name.remove_prefix(1);
    return name;
}

bool admits(const std::optional<std::string>& wanted, std::string_view value) {
    return !wanted || wanted->empty() || equal_folded(without_slashes(*wanted), value);
}

// [MS-SRVS] 2.2.4.6 fi3_permissions: what of reading, writing and creating the access mask holds.
std::uint32_t file_permissions(std::uint32_t access) {
    constexpr std::uint32_t read_data = 0x1;
    constexpr std::uint32_t write_data = 0x2 | 0x4;
    return ((access & read_data) != 0 ? 1U : 0U) | ((access & write_data) != 0 ? 2U : 0U);
}

InfoRecord file_record(const OpenEntry& open, std::uint32_t level) {
    InfoRecord record;
    record.emplace_back(open.id);
    if (level == 2) return record;
    std::string path = open.path;
    for (char& c : path) c = c == '/' ? '\\' : c;
    record.emplace_back(file_permissions(open.access));
    record.emplace_back(open.locks);
    record.emplace_back(std::move(path));
    record.emplace_back(open.user);
    return record;
}

InfoRecord session_record(const SessionEntry& session, std::uint32_t level) {
    InfoRecord record;
    record.emplace_back("\\\\" + session.client);
    if (level == 0) return record;
    record.emplace_back(session.user);
    if (level != 10) record.emplace_back(session.opens);
    record.emplace_back(session.active_seconds);
    record.emplace_back(session.idle_seconds);
    if (level == 10) return record;
    record.emplace_back(session.guest ? sess_guest : 0U);
    if (level == 1) return record;
    record.emplace_back(std::string());  // client type: LAN Manager's
    if (level == 502) record.emplace_back(session.transport);
    return record;
}

InfoRecord connection_record(const ConnectionEntry& connection, std::uint32_t level,
                             bool by_client) {
    InfoRecord record;
    record.emplace_back(connection.id);
    if (level == 0) return record;
    record.emplace_back(connection.ipc ? stype_ipc : stype_disktree);
    record.emplace_back(connection.opens);
    record.emplace_back(1U);
    record.emplace_back(connection.active_seconds);
    record.emplace_back(connection.user);
    // [MS-SRVS] 2.2.4.2: the share if the qualifier was a client, the client if it was a share.
    record.emplace_back(by_client ? connection.share : connection.client);
    return record;
}

}  // namespace

// [MS-SRVS] 3.1.4.1
Fault connection_enum(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const auto qualifier = in.unique_string();
    const EnumRequest request = read_enum_request(in, connection_levels);
    if (!in.ok()) return Fault::bad_stub_data;
    Win32 error = admitted(call, request);
    std::vector<InfoRecord> records;
    if (error == Win32::success && (!qualifier || qualifier->empty())) {
        error = Win32::invalid_parameter;
    }
    if (error == Win32::success) {
        const bool by_client = qualifier->starts_with("\\\\");
        const std::string_view wanted = without_slashes(*qualifier);
        for (const ConnectionEntry& connection : call.view.connections()) {
            const std::string& compared = by_client ? connection.client : connection.share;
            if (!equal_folded(compared, wanted)) continue;
            records.push_back(connection_record(connection, request.level, by_client));
        }
    }
    write_enum_reply(out, request, records, static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.2
Fault file_enum(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const auto base = in.unique_string();
    const auto user = in.unique_string();
    const EnumRequest request = read_enum_request(in, file_levels);
    if (!in.ok()) return Fault::bad_stub_data;
    const Win32 error = admitted(call, request);
    std::vector<InfoRecord> records;
    if (error == Win32::success) {
        const std::string prefix = base ? fold_name(without_slashes(*base)) : std::string();
        for (const OpenEntry& open : call.view.opens()) {
            if (!fold_name(open.path).starts_with(prefix) || !admits(user, open.user)) continue;
            records.push_back(file_record(open, request.level));
        }
    }
    write_enum_reply(out, request, records, static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.3
Fault file_get_info(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::uint32_t id = in.u32();
    const std::uint32_t level = in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    if (!find_schema(file_levels, level)) {
        out.u32(level);  // the union's default arm is empty
        out.u32(static_cast<std::uint32_t>(Win32::invalid_level));
        return Fault::none;
    }
    std::optional<InfoRecord> record;
    auto error = Win32::access_denied;
    if (call.view.administrator(call.caller)) {
        error = Win32::file_id_not_found;
        for (const OpenEntry& open : call.view.opens()) {
            if (open.id != id) continue;
            record = file_record(open, level);
            error = Win32::success;
            break;
        }
    }
    write_union(out, level, record ? &*record : nullptr);
    out.u32(static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.4
Fault file_close(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const std::uint32_t id = in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    auto error = Win32::access_denied;
    if (call.view.administrator(call.caller)) {
        error = call.view.close_open(id) ? Win32::success : Win32::file_id_not_found;
    }
    out.u32(static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.5
Fault session_enum(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const auto client = in.unique_string();
    const auto user = in.unique_string();
    const EnumRequest request = read_enum_request(in, session_levels);
    if (!in.ok()) return Fault::bad_stub_data;
    const Win32 error = admitted(call, request);
    std::vector<InfoRecord> records;
    if (error == Win32::success) {
        for (const SessionEntry& session : call.view.sessions()) {
            if (!admits(client, session.client) || !admits(user, session.user)) continue;
            records.push_back(session_record(session, request.level));
        }
    }
    write_enum_reply(out, request, records, static_cast<std::uint32_t>(error));
    return Fault::none;
}

// [MS-SRVS] 3.1.4.6
Fault session_del(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const auto client = in.unique_string();
    const auto user = in.unique_string();
    if (!in.ok()) return Fault::bad_stub_data;
    auto error = Win32::access_denied;
    if (call.view.administrator(call.caller)) {
        const std::string address(without_slashes(client.value_or("")));
        const std::string name = user.value_or("");
        if (address.empty() && name.empty()) {
            error = Win32::invalid_parameter;  // not the whole server by accident
        } else {
            error = call.view.end_sessions(address, name) != 0 ? Win32::success
                                                               : Win32::client_name_not_found;
        }
    }
    out.u32(static_cast<std::uint32_t>(error));
    return Fault::none;
}

}  // namespace smb3d::pipe::srvsvc
