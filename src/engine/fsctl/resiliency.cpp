// FSCTL_LMR_REQUEST_RESILIENCY: [MS-SMB2] 3.3.5.15.9.
#include "engine/connection.h"
#include "engine/fsctl/fsctl.h"
#include "engine/server_impl.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

namespace {
constexpr std::uint32_t max_timeout_ms = 300'000;    // MaxResiliencyTimeout
constexpr std::uint32_t usual_timeout_ms = 120'000;  // as Windows
}  // namespace

FsctlReply fsctl_request_resiliency(Call& call, const wire::IoctlRequest& request) {
    if (call.dialect() == Dialect::smb202) co_return fail(NtStatus::INVALID_DEVICE_REQUEST);
    const auto input = wire::parse<fscc::NetworkResiliencyRequest>(request.input);
    if (!input || input->timeout > max_timeout_ms) co_return fail(NtStatus::INVALID_PARAMETER);
    // Nobody can prove to be the same guest.
    if (call.caller->guest || call.caller->anonymous) co_return fail(NtStatus::ACCESS_DENIED);
    Open& open = *call.open;
    {
        auto durability = open.durability.lock();
        durability->durable = false;
        durability->resilient = true;
        durability->resilient_timeout_ms = input->timeout != 0 ? input->timeout : usual_timeout_ms;
        durability->client_guid = call.connection.negotiated.client_guid;
    }
    call.server().durable.table.add(call.open.shared());
    co_return FsctlOutput{};
}

}  // namespace smb3d::engine
