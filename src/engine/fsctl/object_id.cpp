// FSCTL_CREATE_OR_GET_OBJECT_ID, FSCTL_GET_OBJECT_ID: [MS-FSCC] 2.3: an id made of what identifies
// the file, so that nothing has to be stored.
#include "engine/connection.h"
#include "engine/fsctl/fsctl.h"
#include "fscc/fsctl.h"

namespace smb3d::engine {

namespace {

wire::Guid guid_of(const vfs::FileId& id) {
    wire::Guid guid{};
    for (std::size_t i = 0; i < 8; ++i) {
        guid[i] = static_cast<std::uint8_t>(id.volume >> (8 * i));
        guid[8 + i] = static_cast<std::uint8_t>(id.inode >> (8 * i));
    }
    return guid;
}

}  // namespace

FsctlReply fsctl_object_id(Call& call, const wire::IoctlRequest& request) {
    fscc::FileObjectIdBuffer info;
    info.object_id = guid_of(call.open->file_id);
    info.birth_volume_id = guid_of({call.open->file_id.volume, 0, 0});
    info.birth_object_id = info.object_id;
    FsctlOutput output;
    output.small = wire::to_bytes(info);
    if (request.max_output_response < output.small.size()) {
        co_return fail(NtStatus::BUFFER_OVERFLOW);
    }
    co_return output;
}

}  // namespace smb3d::engine
