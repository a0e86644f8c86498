// FSCTL_QUERY_NETWORK_INTERFACE_INFO: [MS-SMB2] 3.3.5.15.11: where a client may open further
// channels to.
#include <algorithm>

#include "engine/connection.h"
#include "engine/fsctl/fsctl.h"
#include "engine/server_impl.h"
#include "fscc/fsctl.h"
#include "wire/next_list.h"

namespace smb3d::engine {

namespace {

fscc::NetworkInterfaceInfo entry_of(const NetworkInterface& interface) {
    using Info = fscc::NetworkInterfaceInfo;
    Info info;
    info.if_index = interface.index;
    info.capability =
        (interface.rss ? Info::rss_capable : 0) | (interface.rdma ? Info::rdma_capable : 0);
    info.link_speed = interface.speed;
    fscc::SockaddrStorage& address = info.sockaddr_storage;
    if (interface.ipv6) {
        address.family = fscc::SockaddrStorage::inter_network_v6;
        address.ipv6 = interface.address;
    } else {
        std::copy_n(interface.address.begin(), address.ipv4.size(), address.ipv4.begin());
    }
    return info;
}

}  // namespace

FsctlReply fsctl_query_network_interface_info(Call& call, const wire::IoctlRequest& request) {
    // The specification: MAY, for a connection without MULTI_CHANNEL.
    if (!call.connection.negotiated.multichannel()) co_return fail(NtStatus::NOT_SUPPORTED);
    const std::shared_ptr<const NetworkInterfaces> interfaces = call.server().interfaces();
    FsctlOutput output;
    wire::NextListWriter list(output.small, fscc::network_interface_alignment);
    for (const NetworkInterface& interface : *interfaces) {
        if (!list.add(entry_of(interface))) co_return fail(NtStatus::INTERNAL_ERROR);
    }
    if (output.small.size() > request.max_output_response) {
        co_return fail(NtStatus::BUFFER_TOO_SMALL);
    }
    co_return output;
}

}  // namespace smb3d::engine
