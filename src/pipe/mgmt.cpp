// The remote management interface, which every RPC server has, on every pipe.
//
// Purpose: clients ask with it whether a server is there and what interfaces it has.
// Spec: [C706] appendix Q (remote management interface); statuses are Win32 codes as in [MS-RPCE].
#include <algorithm>
#include <array>
#include <vector>

#include "pipe/rpc_pdu.h"

namespace smb3d::pipe {

namespace {

constexpr std::uint32_t unknown_authn_service = 1747;  // RPC_S_UNKNOWN_AUTHN_SERVICE

void write_status(ndr::Writer& out, Win32 status) { out.u32(static_cast<std::uint32_t>(status)); }

std::vector<SyntaxId> all_interfaces() {
    std::vector<SyntaxId> all;
    for (const PipeService& service : pipe_services()) {
        if (std::find(all.begin(), all.end(), service.interface->id) == all.end()) {
            all.push_back(service.interface->id);
        }
    }
    all.push_back(mgmt_interface().id);
    return all;
}

// rpc__mgmt_inq_if_ids: a unique pointer to a conformant structure of pointers to identifiers.
Fault inq_if_ids(Call&, ndr::Reader&, ndr::Writer& out) {
    const std::vector<SyntaxId> all = all_interfaces();
    const auto count = static_cast<std::uint32_t>(all.size());
    out.pointer(true);
    out.u32(count);
    out.u32(count);
    for (std::size_t i = 0; i < all.size(); ++i) out.pointer(true);
    for (const SyntaxId& id : all) {
        out.align(4);
        out.uuid(id.uuid);
        out.u16(id.major);
        out.u16(id.minor);
    }
    write_status(out, Win32::success);
    return Fault::none;
}

// rpc__mgmt_inq_stats: calls received, calls sent, packets received, packets sent; as many as there
// is room for.
Fault inq_stats(Call& call, ndr::Reader& in, ndr::Writer& out) {
    const std::uint32_t room = in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    const RpcCounters& counters = call.counters;
    const std::array<std::uint32_t, 4> values{counters.calls_received, 0, counters.packets_received,
                                              counters.packets_sent};
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(room, values.size()));
    out.u32(count);
    out.u32(count);
    for (std::uint32_t i = 0; i < count; ++i) out.u32(values[i]);
    write_status(out, Win32::success);
    return Fault::none;
}

Fault is_server_listening(Call&, ndr::Reader&, ndr::Writer& out) {
    write_status(out, Win32::success);
    out.u32(1);
    return Fault::none;
}

// A client does not stop this server.
Fault stop_server_listening(Call&, ndr::Reader&, ndr::Writer& out) {
    write_status(out, Win32::access_denied);
    return Fault::none;
}

// rpc__mgmt_inq_princ_name: NTLM knows no names of servers.
Fault inq_princ_name(Call&, ndr::Reader& in, ndr::Writer& out) {
    (void)in.u32();  // authn_proto
    const std::uint32_t room = in.u32();
    if (!in.ok()) return Fault::bad_stub_data;
    // [string, size_is(room)] char[]: one terminator, if there is room for it.
    const std::uint32_t used = std::min<std::uint32_t>(room, 1);
    out.u32(room);
    out.u32(0);
    out.u32(used);
    if (used != 0) out.u8(0);
    out.align(4);
    out.u32(unknown_authn_service);
    return Fault::none;
}

constexpr std::array<Operation, 5> operations{inq_if_ids, inq_stats, is_server_listening,
                                              stop_server_listening, inq_princ_name};

}  // namespace

const Interface& mgmt_interface() {
    static constexpr Interface interface {
        {rpc::uuid_from("afa8bd80-7d8a-11c9-bef4-08002b102989"), 1, 0}, operations
    };
    return interface;
}

}  // namespace smb3d::pipe
