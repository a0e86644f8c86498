// QUERY_INFO: [MS-SMB2] 3.3.5.20.
#include <algorithm>
#include <cstring>

#include "dtyp/posix_sd.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/info/query.h"
#include "engine/server_impl.h"
#include "fsa/access.h"
#include "fscc/info_class.h"
#include "wire/error.h"

namespace smb3d::engine {

namespace {

namespace si = wire::security_information;

Result<Response> respond(Call& call, Bytes output, NtStatus status) {
    Buffer data;
    if (!output.empty()) {
        data = call.loop().buffers().allocate(output.size());
        if (data.empty()) return fail(NtStatus::INSUFF_SERVER_RESOURCES);
        std::memcpy(data.data(), output.data(), output.size());
    }
    wire::QueryInfoResponse response;
    response.output = wire::Payload::outside(output.size());
    return reply(call, response, std::move(data), status);
}

// [MS-SMB2] 3.3.5.20.1, .2: too small for the fixed part: INFO_LENGTH_MISMATCH; for a name behind
// it: BUFFER_OVERFLOW with what fits.
Result<Response> respond_cut(Call& call, Bytes output, std::size_t room) {
    if (output.size() <= room) return respond(call, output, NtStatus::SUCCESS);
    return respond(call, output.first(room), NtStatus::BUFFER_OVERFLOW);
}

Result<Response> fill_and_respond(Call& call, const InfoQuery& query, const InfoQueryRow& row,
                                  std::size_t room) {
    std::vector<std::byte>& out = call.connection.local().query_output;
    out.clear();
    SMB3D_TRY(row.fill(query, out));
    return respond_cut(call, out, room);
}

Reply query_file(Call& call, const wire::QueryInfoRequest& request) {
    const fscc::InfoClassRow* known = fscc::find_file_info_class(request.file_info_class);
    const InfoQueryRow* row = find_file_query(request.file_info_class);
    if (known == nullptr) co_return fail(NtStatus::INVALID_INFO_CLASS);
    if (row == nullptr) {
        co_return fail(known->query_size == 0 ? NtStatus::INVALID_INFO_CLASS
                                              : NtStatus::NOT_SUPPORTED);
    }
    if (request.output_buffer_length < known->query_size) {
        co_return fail(NtStatus::INFO_LENGTH_MISMATCH);
    }
    if (call.open->fsa && !call.open->may(row->access)) co_return fail(NtStatus::ACCESS_DENIED);
    InfoQuery query{call, *call.open, {}, {}};
    Pending<vfs::FileStat> asking(call.loop());
    call.open->file->stat(call.op(Lane::metadata), asking.done());
    const Result<vfs::FileStat> stat = co_await asking;
    if (!stat) co_return fail(stat.error());
    query.stat = *stat;
    co_return fill_and_respond(call, query, *row, request.output_buffer_length);
}

Reply query_fs(Call& call, const wire::QueryInfoRequest& request) {
    const fscc::InfoClassRow* known = fscc::find_fs_info_class(request.file_info_class);
    const InfoQueryRow* row = find_fs_query(request.file_info_class);
    if (known == nullptr || row == nullptr) co_return fail(NtStatus::INVALID_INFO_CLASS);
    if (request.output_buffer_length < known->query_size) {
        co_return fail(NtStatus::INFO_LENGTH_MISMATCH);
    }
    InfoQuery query{call, *call.open, {}, {}};
    Pending<vfs::VolumeInfo> asking(call.loop());
    call.tree->policy->backend->volume_info(call.op(Lane::metadata), asking.done());
    Result<vfs::VolumeInfo> volume = co_await asking;
    if (!volume) co_return fail(volume.error());
    query.volume = std::move(*volume);
    co_return fill_and_respond(call, query, *row, request.output_buffer_length);
}

// [MS-SMB2] 3.3.5.20.3: which rights the parts of a descriptor need.
bool may_read_security(const Open& open, std::uint32_t wanted) {
    constexpr std::uint32_t by_read_control =
        si::owner | si::group | si::dacl | si::label | si::attribute | si::scope;
    if ((wanted & (by_read_control | si::backup)) != 0 && !open.may(fsa::access::read_control)) {
        return false;
    }
    return (wanted & (si::sacl | si::backup)) == 0 || open.may(fsa::access::system_security);
}

Result<std::vector<std::byte>> made_descriptor(const vfs::FileStat& stat, std::uint32_t wanted) {
    dtyp::PosixOwner owner;
    owner.uid = stat.uid;
    owner.gid = stat.gid;
    owner.mode = stat.mode;
    owner.directory = stat.kind == vfs::FileKind::directory;
    return dtyp::posix_descriptor(owner).only(wanted).build();
}

Reply query_security(Call& call, const wire::QueryInfoRequest& request) {
    const std::uint32_t wanted = request.additional_information;
    if (call.open->fsa && !may_read_security(*call.open, wanted)) {
        co_return fail(NtStatus::ACCESS_DENIED);
    }
    Pending<Buffer> stored(call.loop());
    call.open->file->get_security(call.op(Lane::metadata), wanted, stored.done());
    Result<Buffer> descriptor = co_await stored;
    std::vector<std::byte> made;
    Bytes bytes;
    if (descriptor) {
        bytes = descriptor->bytes();
    } else if (descriptor.error() == NtStatus::NOT_SUPPORTED) {
        Pending<vfs::FileStat> asking(call.loop());
        call.open->file->stat(call.op(Lane::metadata), asking.done());
        const Result<vfs::FileStat> stat = co_await asking;
        if (!stat) co_return fail(stat.error());
        auto built = made_descriptor(*stat, wanted);
        if (!built) co_return fail(built.error());
        made = std::move(*built);
        bytes = made;
    } else {
        co_return fail(descriptor.error());
    }
    if (bytes.size() > request.output_buffer_length) {
        // 3.3.5.20.3: the client is told how much it needs.
        const auto needed =
            wire::to_bytes(wire::MinimumBufferLength{static_cast<std::uint32_t>(bytes.size())});
        wire::ErrorResponse error;
        error.error_data = needed;
        co_return reply(call, error, {}, NtStatus::BUFFER_TOO_SMALL);
    }
    co_return respond(call, bytes, NtStatus::SUCCESS);
}

}  // namespace

Reply query_info(Call& call, wire::QueryInfoRequest request) {
    if (request.output_buffer_length > call.connection.negotiated.max_transact) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    switch (request.info_type) {
        case wire::InfoType::file: {
            Reply querying = query_file(call, request);
            co_return co_await querying;
        }
        case wire::InfoType::filesystem: {
            Reply querying = query_fs(call, request);
            co_return co_await querying;
        }
        case wire::InfoType::security: {
            Reply querying = query_security(call, request);
            co_return co_await querying;
        }
        case wire::InfoType::quota:
            co_return fail(NtStatus::NOT_SUPPORTED);
    }
    co_return fail(NtStatus::INVALID_PARAMETER);
}

}  // namespace smb3d::engine
