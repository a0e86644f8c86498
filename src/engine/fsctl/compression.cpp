// FSCTL_GET_COMPRESSION, FSCTL_SET_COMPRESSION: [MS-FSCC] 2.3.  Files are stored as they are.
#include "engine/fsctl/fsctl.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

FsctlReply fsctl_get_compression(Call&, const wire::IoctlRequest& request) {
    FsctlOutput output;
    output.small = wire::to_bytes(fscc::CompressionState{});
    if (request.max_output_response < output.small.size()) {
        co_return fail(NtStatus::BUFFER_TOO_SMALL);
    }
    co_return output;
}

FsctlReply fsctl_set_compression(Call&, const wire::IoctlRequest& request) {
    const auto input = wire::parse<fscc::CompressionState>(request.input);
    if (!input) co_return fail(input.error());
    if (input->compression_state > fscc::CompressionState::lznt1) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    // "None" is what every file has already.
    if (input->compression_state != fscc::CompressionState::none) {
        co_return fail(NtStatus::NOT_SUPPORTED);
    }
    co_return FsctlOutput{};
}

}  // namespace smb3d::engine
