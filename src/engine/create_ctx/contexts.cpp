#include "engine/create_ctx/contexts.h"

#include <array>

namespace smb3d::engine {

namespace {

// What is not here is ignored, as [MS-SMB2] 3.3.5.9 wants it of contexts that a server does not
// implement: security descriptors, AAPL, POSIX.
constexpr std::array table = {
    CreateContextRow{wire::tag::exta, ea_request, nullptr},
    CreateContextRow{wire::tag::alsi, allocation_size_request, nullptr},
    CreateContextRow{wire::tag::twrp, timewarp_request, nullptr},
    CreateContextRow{wire::tag::dhnq, durable_request, durable_response},
    CreateContextRow{wire::tag::dh2q, durable_request, durable_v2_response},
    CreateContextRow{wire::tag::rqls, lease_request, lease_response},
    CreateContextRow{wire::tag::mxac, maximal_access_request, maximal_access_response},
    CreateContextRow{wire::tag::qfid, disk_id_request, disk_id_response},
};

}  // namespace

Result<void> read_create_contexts(CreateState& state) {
    if (state.request.create_contexts.empty()) return {};
    wire::CreateContextReader reader(state.request.create_contexts);
    wire::CreateContext context;
    while (reader.next(context)) {
        for (const CreateContextRow& row : table) {
            if (context.is(row.tag)) SMB3D_TRY(row.request(state, context.data));
        }
    }
    if (!reader.ok()) return fail(NtStatus::INVALID_PARAMETER);
    return {};
}

void write_create_contexts(CreateState& state, wire::CreateContextBuilder& builder) {
    for (const CreateContextRow& row : table) {
        if (row.response != nullptr) row.response(state, builder);
    }
}

}  // namespace smb3d::engine
