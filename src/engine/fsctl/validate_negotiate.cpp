// FSCTL_VALIDATE_NEGOTIATE_INFO: [MS-SMB2] 3.3.5.15.12: proves to a 3.0 client that nobody changed
// the negotiation.
#include <algorithm>

#include "engine/connection.h"
#include "engine/fsctl/fsctl.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

FsctlReply fsctl_validate_negotiate_info(Call& call, const wire::IoctlRequest& request) {
    const Negotiated& negotiated = call.connection.negotiated;
    const auto info = wire::parse<fscc::ValidateNegotiateInfoRequest>(request.input);
    const auto abuse = [&](const char* reason) {
        call.connection.disconnect(reason);
        return fail(NtStatus::ACCESS_DENIED);
    };
    if (negotiated.dialect == Dialect::smb311)
        co_return abuse("VALIDATE_NEGOTIATE_INFO with 3.1.1");
    if (!info) co_return fail(info.error());
    if (request.max_output_response < wire::built_size(fscc::ValidateNegotiateInfoResponse{})) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    const bool same = info->guid == negotiated.client_guid &&
                      info->capabilities == negotiated.client_capabilities &&
                      info->security_mode == negotiated.client_security_mode &&
                      info->dialects == negotiated.client_dialects;
    if (!same) co_return abuse("VALIDATE_NEGOTIATE_INFO does not match the NEGOTIATE");
    fscc::ValidateNegotiateInfoResponse response;
    response.capabilities = negotiated.server_capabilities;
    response.guid = call.config().guid;
    response.security_mode = negotiated.server_security_mode;
    response.dialect = static_cast<std::uint16_t>(negotiated.dialect);
    // The answer proves nothing unless it is signed.
    call.sign_response =
        call.sign_response || (call.session && !call.session->anonymous && !call.session->guest);
    FsctlOutput output;
    output.small = wire::to_bytes(response);
    co_return output;
}

}  // namespace smb3d::engine
