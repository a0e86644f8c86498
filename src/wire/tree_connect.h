// TREE_CONNECT, with the request's extension.
//
// Spec: [MS-SMB2] 2.2.9, 2.2.9.1, 2.2.9.2, 2.2.10.
// Lifetime: path and contexts are views into the message.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

namespace tree_connect_flags {  // request Flags, 3.1.1
inline constexpr std::uint16_t cluster_reconnect = 0x0001;
inline constexpr std::uint16_t redirect_to_owner = 0x0002;
inline constexpr std::uint16_t extension_present = 0x0004;
}  // namespace tree_connect_flags

enum class ShareType : std::uint8_t { disk = 0x01, pipe = 0x02, print = 0x03 };

namespace share_flags {
inline constexpr std::uint32_t manual_caching = 0x00000000;
inline constexpr std::uint32_t auto_caching = 0x00000010;
inline constexpr std::uint32_t vdo_caching = 0x00000020;
inline constexpr std::uint32_t no_caching = 0x00000030;
inline constexpr std::uint32_t dfs = 0x00000001;
inline constexpr std::uint32_t dfs_root = 0x00000002;
inline constexpr std::uint32_t restrict_exclusive_opens = 0x00000100;
inline constexpr std::uint32_t force_shared_delete = 0x00000200;
inline constexpr std::uint32_t allow_namespace_caching = 0x00000400;
inline constexpr std::uint32_t access_based_directory_enum = 0x00000800;
inline constexpr std::uint32_t force_levelii_oplock = 0x00001000;
inline constexpr std::uint32_t enable_hash_v1 = 0x00002000;
inline constexpr std::uint32_t enable_hash_v2 = 0x00004000;
inline constexpr std::uint32_t encrypt_data = 0x00008000;
inline constexpr std::uint32_t identity_remoting = 0x00040000;
inline constexpr std::uint32_t compress_data = 0x00100000;
inline constexpr std::uint32_t isolated_transport = 0x00200000;
}  // namespace share_flags

namespace share_capabilities {
inline constexpr std::uint32_t dfs = 0x00000008;
inline constexpr std::uint32_t continuous_availability = 0x00000010;
inline constexpr std::uint32_t scaleout = 0x00000020;
inline constexpr std::uint32_t cluster = 0x00000040;
inline constexpr std::uint32_t asymmetric = 0x00000080;
inline constexpr std::uint32_t redirect_to_owner = 0x00000100;
}  // namespace share_capabilities

// 2.2.9.2
struct TreeConnectContext {
    static constexpr std::uint16_t remoted_identity = 0x0001;

    std::uint16_t context_type{0};
    Bytes data;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.context_type);
        w.length16(self.data);
        w.reserved(4);
        w.inline_bytes(self.data);
    }
};
inline constexpr std::size_t max_tree_connect_contexts = 16;

struct TreeConnectRequest {
    static constexpr Command command = Command::tree_connect;

    std::uint16_t flags{0};
    Bytes path_name;  // UTF-16LE \\server\share
    // 2.2.9.1 the extension, if flags say so.  Its contexts count from the start of the extension's
    // own request body, of which clients disagree; a server without identity remoting ignores them,
    // so they stay bytes.
    std::uint32_t tree_connect_context_offset{0};
    std::uint16_t tree_connect_context_count{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(9);
        w.field(self.flags);
        w.offset16(self.path_name);
        w.length16(self.path_name);
        if ((self.flags & tree_connect_flags::extension_present) != 0) {
            w.field(self.tree_connect_context_offset);
            w.field(self.tree_connect_context_count);
            w.reserved(10);
        }
        w.payload_utf16(self.path_name);
    }
};

struct TreeConnectResponse {
    static constexpr Command command = Command::tree_connect;

    ShareType share_type{ShareType::disk};
    std::uint32_t share_flags{0};
    std::uint32_t capabilities{0};
    std::uint32_t maximal_access{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(16);
        w.field(self.share_type);
        w.reserved(1);
        w.field(self.share_flags);
        w.field(self.capabilities);
        w.field(self.maximal_access);
    }
};

}  // namespace smb3d::wire
