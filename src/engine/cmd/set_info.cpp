// SET_INFO: [MS-SMB2] 3.3.5.21.
#include "engine/change_report.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/info/set.h"
#include "engine/server_impl.h"
#include "fsa/access.h"
#include "fscc/info_class.h"

namespace smb3d::engine {

namespace {

Task<NtStatus> refuse(NtStatus status) { co_return status; }

Task<NtStatus> set_file(Call& call, const wire::SetInfoRequest& request) {
    const fscc::InfoClassRow* known = fscc::find_file_info_class(request.file_info_class);
    const InfoSetRow* row = find_file_set(request.file_info_class);
    if (known == nullptr || known->set_size == 0) return refuse(NtStatus::INVALID_INFO_CLASS);
    if (row == nullptr) return refuse(NtStatus::NOT_SUPPORTED);
    if (request.buffer.size() < known->set_size) return refuse(NtStatus::INFO_LENGTH_MISMATCH);
    if (call.open->fsa && !call.open->may(row->access)) return refuse(NtStatus::ACCESS_DENIED);
    return row->set(call, request.buffer);
}

// [MS-SMB2] 3.3.5.21.3: which rights the parts of a descriptor need.
Task<NtStatus> set_security(Call& call, const wire::SetInfoRequest& request) {
    namespace si = wire::security_information;
    const std::uint32_t parts = request.additional_information;
    if ((parts & (si::owner | si::group | si::label)) != 0 &&
        !call.open->may(fsa::access::write_owner)) {
        co_return NtStatus::ACCESS_DENIED;
    }
    if ((parts & si::dacl) != 0 && !call.open->may(fsa::access::write_dac)) {
        co_return NtStatus::ACCESS_DENIED;
    }
    if ((parts & si::sacl) != 0 && !call.open->may(fsa::access::system_security)) {
        co_return NtStatus::ACCESS_DENIED;
    }
    Pending<void> setting(call.loop());
    call.open->file->set_security(call.op(Lane::metadata), parts, request.buffer, setting.done());
    const Result<void> set = co_await setting;
    if (!set) co_return set.error();
    report_change(call.server(), *call.open, fsa::ChangeAction::modified, fsa::change::security);
    co_return NtStatus::SUCCESS;
}

}  // namespace

Reply set_info(Call& call, wire::SetInfoRequest request) {
    NtStatus status = NtStatus::INVALID_PARAMETER;
    switch (request.info_type) {
        case wire::InfoType::file: {
            Task<NtStatus> setting = set_file(call, request);
            status = co_await setting;
            break;
        }
        case wire::InfoType::security: {
            Task<NtStatus> setting = set_security(call, request);
            status = co_await setting;
            break;
        }
        case wire::InfoType::filesystem:
        case wire::InfoType::quota:
            status = NtStatus::NOT_SUPPORTED;
            break;
    }
    if (status != NtStatus::SUCCESS) co_return fail(status);
    co_return reply(call, wire::SetInfoResponse{});
}

}  // namespace smb3d::engine
