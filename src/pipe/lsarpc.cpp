// The Local Security Authority's first steps: a policy handle can be opened and closed, no more.
//
// Clients open it to see that an authenticated bind works; names and SIDs are for the issue on
// identities. Spec: [MS-LSAD] 3.1.4.4 and 3.1.4.9.
#include <algorithm>
#include <array>
#include <span>

#include "crypto/random.h"
#include "pipe/rpc_pdu.h"
#include "pipe/srvsvc.h"
#include "smb3d/status.h"

namespace smb3d::pipe {

namespace {

constexpr std::size_t close_operation = 0;
constexpr std::size_t open_policy_operation = 6;
constexpr std::size_t open_policy2_operation = 44;

void write_status(ndr::Writer& out, NtStatus status) {
    out.u32(static_cast<std::uint32_t>(status));
}

// [MS-LSAD] 3.1.4.9.4 LsarClose: the handle comes back as zeros.
Fault lsa_close(Call& call, ndr::Reader& in, ndr::Writer& out) {
    const ndr::ContextHandle handle = in.context_handle();
    if (!in.ok()) return Fault::bad_stub_data;
    const auto found = std::find(call.handles.begin(), call.handles.end(), handle);
    if (found == call.handles.end()) return Fault::context_mismatch;
    call.handles.erase(found);
    out.context_handle({});
    write_status(out, NtStatus::SUCCESS);
    return Fault::none;
}

// [MS-LSAD] 2.2.9 LSAPR_OBJECT_ATTRIBUTES: only RootDirectory counts, and must be null; what the
// other pointers lead to comes after all that is needed, and is not read.
bool read_object_attributes(ndr::Reader& in) {
    (void)in.u32();
    const bool root = in.pointer();
    (void)in.pointer();
    (void)in.u32();
    (void)in.pointer();
    (void)in.pointer();
    return !root;
}

Fault open_policy(Call& call, bool root_is_null, ndr::Writer& out) {
    auto status = NtStatus::SUCCESS;
    ndr::ContextHandle handle;
    if (!root_is_null) {
        status = NtStatus::INVALID_PARAMETER;
    } else if (!srvsvc::authenticated(call.caller)) {
        status = NtStatus::ACCESS_DENIED;
    } else if (call.handles.size() >= max_context_handles) {
        status = NtStatus::INSUFFICIENT_RESOURCES;
    } else {
        crypto::random_bytes(std::as_writable_bytes(std::span(handle.uuid)));
        call.handles.push_back(handle);
    }
    out.context_handle(handle);
    write_status(out, status);
    return Fault::none;
}

// [MS-LSAD] 3.1.4.4.2: SystemName is one character, for what that is worth.
Fault lsa_open_policy(Call& call, ndr::Reader& in, ndr::Writer& out) {
    if (in.pointer()) (void)in.u16();
    const bool root_is_null = read_object_attributes(in);
    if (!in.ok()) return Fault::bad_stub_data;
    return open_policy(call, root_is_null, out);
}

// [MS-LSAD] 3.1.4.4.1
Fault lsa_open_policy2(Call& call, ndr::Reader& in, ndr::Writer& out) {
    (void)in.unique_string();
    const bool root_is_null = read_object_attributes(in);
    if (!in.ok()) return Fault::bad_stub_data;
    return open_policy(call, root_is_null, out);
}

constexpr std::array<Operation, open_policy2_operation + 1> make_operations() {
    std::array<Operation, open_policy2_operation + 1> table{};
    table[close_operation] = lsa_close;
    table[open_policy_operation] = lsa_open_policy;
    table[open_policy2_operation] = lsa_open_policy2;
    return table;
}
constexpr auto operations = make_operations();

}  // namespace

const Interface& lsarpc_interface() {
    static constexpr Interface interface {
        {rpc::uuid_from("12345778-1234-abcd-ef00-0123456789ab"), 0, 0}, operations
    };
    return interface;
}

}  // namespace smb3d::pipe
