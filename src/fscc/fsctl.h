// File system control codes and their payloads.
//
// Spec: [MS-FSCC] 2.3; [MS-SMB2] 2.2.31.1 ff., 2.2.32.1 ff.
// Lifetime: names and data are views.
#pragma once

#include <string_view>

#include "base/limits.h"
#include "fscc/file_info.h"
#include "wire/next_list.h"

namespace smb3d::fscc {

// One row a code: name without FSCTL_, value.
#define SMB3D_FSCTL_ROWS(X)                          \
    X(dfs_get_referrals, 0x00060194)                 \
    X(dfs_get_referrals_ex, 0x000601B0)              \
    X(is_pathname_valid, 0x0009002C)                 \
    X(get_compression, 0x0009003C)                   \
    X(query_fat_bpb, 0x00090058)                     \
    X(filesystem_get_statistics, 0x00090060)         \
    X(get_ntfs_volume_data, 0x00090064)              \
    X(get_retrieval_pointers, 0x00090073)            \
    X(find_files_by_sid, 0x0009008F)                 \
    X(set_object_id, 0x00090098)                     \
    X(get_object_id, 0x0009009C)                     \
    X(delete_object_id, 0x000900A0)                  \
    X(set_reparse_point, 0x000900A4)                 \
    X(get_reparse_point, 0x000900A8)                 \
    X(delete_reparse_point, 0x000900AC)              \
    X(set_object_id_extended, 0x000900BC)            \
    X(create_or_get_object_id, 0x000900C0)           \
    X(set_sparse, 0x000900C4)                        \
    X(set_encryption, 0x000900D7)                    \
    X(read_file_usn_data, 0x000900EB)                \
    X(write_usn_close_record, 0x000900EF)            \
    X(mark_handle, 0x000900FC)                       \
    X(sis_copyfile, 0x00090100)                      \
    X(recall_file, 0x00090117)                       \
    X(query_sparing_info, 0x00090138)                \
    X(query_on_disk_volume_info, 0x0009013C)         \
    X(set_zero_on_deallocation, 0x00090194)          \
    X(get_integrity_information, 0x0009027C)         \
    X(query_file_regions, 0x00090284)                \
    X(get_refs_volume_data, 0x000902D8)              \
    X(svhdx_sync_tunnel_request, 0x00090304)         \
    X(storage_qos_control, 0x00090350)               \
    X(svhdx_async_tunnel_request, 0x00090364)        \
    X(set_integrity_information_ex, 0x00090380)      \
    X(refs_stream_snapshot_management, 0x00090440)   \
    X(query_allocated_ranges, 0x000940CF)            \
    X(offload_read, 0x00094264)                      \
    X(set_zero_data, 0x000980C8)                     \
    X(set_defect_management, 0x00098134)             \
    X(file_level_trim, 0x00098208)                   \
    X(offload_write, 0x00098268)                     \
    X(duplicate_extents_to_file, 0x00098344)         \
    X(duplicate_extents_to_file_ex, 0x000983E8)      \
    X(set_compression, 0x0009C040)                   \
    X(set_integrity_information, 0x0009C280)         \
    X(pipe_wait, 0x00110018)                         \
    X(pipe_peek, 0x0011400C)                         \
    X(pipe_transceive, 0x0011C017)                   \
    X(srv_request_resume_key, 0x00140078)            \
    X(lmr_set_link_tracking_information, 0x001400EC) \
    X(lmr_request_resiliency, 0x001401D4)            \
    X(query_network_interface_info, 0x001401FC)      \
    X(validate_negotiate_info, 0x00140204)           \
    X(srv_enumerate_snapshots, 0x00144064)           \
    X(srv_copychunk, 0x001440F2)                     \
    X(srv_read_hash, 0x001441BB)                     \
    X(srv_copychunk_write, 0x001480F2)

enum class Fsctl : std::uint32_t {
#define SMB3D_FSCTL_ENUM(name, value) name = value,
    SMB3D_FSCTL_ROWS(SMB3D_FSCTL_ENUM)
#undef SMB3D_FSCTL_ENUM
};

// "set_sparse"; "?" for a code without a row.
constexpr std::string_view fsctl_name(std::uint32_t code) {
    switch (static_cast<Fsctl>(code)) {
#define SMB3D_FSCTL_CASE(name, value) \
    case Fsctl::name:                 \
        return #name;
        SMB3D_FSCTL_ROWS(SMB3D_FSCTL_CASE)
#undef SMB3D_FSCTL_CASE
    }
    return "?";
}

// [MS-SMB2] 2.2.31.4
struct ValidateNegotiateInfoRequest {
    std::uint32_t capabilities{0};
    Guid guid{};
    std::uint16_t security_mode{0};
    std::vector<std::uint16_t> dialects;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.capabilities);
        w.field(self.guid);
        w.field(self.security_mode);
        w.count16(self.dialects);
        w.elements(self.dialects, 64);
    }
};
// [MS-SMB2] 2.2.32.6
struct ValidateNegotiateInfoResponse {
    std::uint32_t capabilities{0};
    Guid guid{};
    std::uint16_t security_mode{0};
    std::uint16_t dialect{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.capabilities);
        w.field(self.guid);
        w.field(self.security_mode);
        w.field(self.dialect);
    }
};

// [MS-SMB2] 2.2.32.5.1 SOCKADDR_STORAGE: 128 bytes.
struct SockaddrStorage {
    static constexpr std::uint16_t inter_network = 0x0002;
    static constexpr std::uint16_t inter_network_v6 = 0x0017;

    std::uint16_t family{inter_network};
    std::array<std::uint8_t, 4> ipv4{};
    std::array<std::uint8_t, 16> ipv6{};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.family);
        w.reserved(2);  // Port: ignored
        if (self.family == inter_network) {
            w.field(self.ipv4);
            w.reserved(120);
        } else {
            w.reserved(4);  // FlowInfo
            w.field(self.ipv6);
            w.reserved(4);  // ScopeId
            w.reserved(100);
        }
    }
};

// [MS-SMB2] 2.2.32.5, an entry of the list; alignment 8.
struct NetworkInterfaceInfo {
    static constexpr std::uint32_t rss_capable = 0x00000001;
    static constexpr std::uint32_t rdma_capable = 0x00000002;

    std::uint32_t if_index{0};
    std::uint32_t capability{0};
    std::uint64_t link_speed{0};  // bits per second
    SockaddrStorage sockaddr_storage;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.if_index);
        w.field(self.capability);
        w.reserved(4);
        w.field(self.link_speed);
        w.field(self.sockaddr_storage);
    }
};
inline constexpr std::size_t network_interface_alignment = 8;

using ResumeKey = std::array<std::uint8_t, 24>;

// [MS-SMB2] 2.2.32.3
struct SrvRequestResumeKey {
    ResumeKey resume_key{};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.resume_key);
        w.reserved(4);  // ContextLength
        w.reserved(4);  // Context
    }
};

// [MS-SMB2] 2.2.31.1.1
struct SrvCopychunk {
    std::uint64_t source_offset{0};
    std::uint64_t target_offset{0};
    std::uint32_t length{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.source_offset);
        w.field(self.target_offset);
        w.field(self.length);
        w.reserved(4);
    }
};
inline constexpr std::size_t max_copychunks = 256;  // ServerSideCopyMaxNumberofChunks

// [MS-SMB2] 2.2.31.1.  More than max_copychunks is not malformed: the answer tells the limits.  The
// chunks are then not read.
struct SrvCopychunkCopy {
    ResumeKey source_key{};
    std::uint32_t chunk_count{0};
    std::vector<SrvCopychunk> chunks;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.source_key);
        if constexpr (W::parsing) {
            w.field(self.chunk_count);
        } else {
            w.count32(self.chunks);
        }
        w.reserved(4);
        if constexpr (W::parsing) {
            if (self.chunk_count > max_copychunks) return;
            for (std::uint32_t i = 0; i < self.chunk_count && w.ok(); ++i) {
                SrvCopychunk chunk;
                w.field(chunk);
                self.chunks.push_back(chunk);
            }
        } else {
            w.elements(self.chunks, max_copychunks);
        }
    }
};

// [MS-SMB2] 2.2.32.1
struct SrvCopychunkResponse {
    std::uint32_t chunks_written{0};
    std::uint32_t chunk_bytes_written{0};
    std::uint32_t total_bytes_written{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.chunks_written);
        w.field(self.chunk_bytes_written);
        w.field(self.total_bytes_written);
    }
};

// [MS-SMB2] 2.2.31.3
struct NetworkResiliencyRequest {
    std::uint32_t timeout{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.timeout);
        w.reserved(4);
    }
};

// [MS-SMB2] 2.2.32.2
struct SrvSnapshotArray {
    std::uint32_t number_of_snap_shots{0};
    std::uint32_t number_of_snap_shots_returned{0};
    Bytes snap_shots;  // UTF-16LE, each with a terminator, and one more

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.number_of_snap_shots);
        w.field(self.number_of_snap_shots_returned);
        w.length32(self.snap_shots);
        w.inline_utf16(self.snap_shots);
    }
};

// [MS-FSCC] 2.3 FSCTL_SET_SPARSE Request, FILE_SET_SPARSE_BUFFER; no input means true.
struct FileSetSparseBuffer {
    std::uint8_t set_sparse{1};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.set_sparse);
    }
};

// [MS-FSCC] 2.3 FSCTL_SET_ZERO_DATA Request
struct FileZeroDataInformation {
    std::int64_t file_offset{0};
    std::int64_t beyond_final_zero{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.file_offset);
        w.field(self.beyond_final_zero);
    }
};

// [MS-FSCC] 2.3 FSCTL_QUERY_ALLOCATED_RANGES Request; the reply is an array of them.
struct FileAllocatedRangeBuffer {
    std::int64_t file_offset{0};
    std::int64_t length{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.file_offset);
        w.field(self.length);
    }
};
inline constexpr std::size_t allocated_range_size = 16;

// [MS-FSCC] 2.3 FSCTL_GET_COMPRESSION Reply, FSCTL_SET_COMPRESSION Request
struct CompressionState {
    static constexpr std::uint16_t none = 0;
    static constexpr std::uint16_t default_ = 1;
    static constexpr std::uint16_t lznt1 = 2;

    std::uint16_t compression_state{none};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.compression_state);
    }
};

// [MS-FSCC] 2.3 FSCTL_GET_INTEGRITY_INFORMATION Reply, FSCTL_SET_INTEGRITY_INFORMATION Request
struct IntegrityInformationBuffer {
    std::uint16_t checksum_algorithm{0};
    std::uint32_t flags{0};
    std::uint32_t checksum_chunk_size_in_bytes{0};
    std::uint32_t cluster_size_in_bytes{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.checksum_algorithm);
        w.reserved(2);
        w.field(self.flags);
        w.field(self.checksum_chunk_size_in_bytes);
        w.field(self.cluster_size_in_bytes);
    }
};

// [MS-FSCC] 2.3 FSCTL_DUPLICATE_EXTENTS_TO_FILE Request, SMB2_DUPLICATE_EXTENTS_DATA
struct DuplicateExtentsData {
    std::uint64_t source_persistent_id{0};
    std::uint64_t source_volatile_id{0};
    std::int64_t source_file_offset{0};
    std::int64_t target_file_offset{0};
    std::int64_t byte_count{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.source_persistent_id);
        w.field(self.source_volatile_id);
        w.field(self.source_file_offset);
        w.field(self.target_file_offset);
        w.field(self.byte_count);
    }
};

// [MS-FSCC] 2.3 FILE_LEVEL_TRIM_RANGE
struct FileLevelTrimRange {
    std::uint64_t offset{0};
    std::uint64_t length{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.offset);
        w.field(self.length);
    }
};
inline constexpr std::size_t max_trim_ranges = 4096;

// [MS-FSCC] 2.3 FSCTL_FILE_LEVEL_TRIM Request
struct FileLevelTrim {
    std::uint32_t key{0};
    std::vector<FileLevelTrimRange> ranges;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.key);
        w.count32(self.ranges);
        w.elements(self.ranges, max_trim_ranges);
    }
};
// [MS-FSCC] 2.3 FSCTL_FILE_LEVEL_TRIM Reply
struct FileLevelTrimOutput {
    std::uint32_t num_ranges_processed{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.num_ranges_processed);
    }
};

// [MS-FSCC] 2.1.2.2 REPARSE_DATA_BUFFER, of any tag
struct ReparseDataBuffer {
    std::uint32_t reparse_tag{0};
    Bytes data_buffer;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.reparse_tag);
        w.length16(self.data_buffer);
        w.reserved(2);
        w.inline_bytes(self.data_buffer);
    }
};

// [MS-FSCC] 2.3 FSCTL_PIPE_WAIT Request
struct PipeWait {
    std::uint64_t timeout{0};  // 100 ns
    std::uint8_t timeout_specified{0};
    Bytes name;  // UTF-16LE, without "\pipe\"

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.timeout);
        w.length32(self.name);
        w.field(self.timeout_specified);
        w.reserved(1);
        w.inline_utf16(self.name);
    }
};

// [MS-FSCC] 2.3 FSCTL_PIPE_PEEK Reply
struct PipePeekReply {
    std::uint32_t named_pipe_state{0};
    std::uint32_t read_data_available{0};
    std::uint32_t number_of_messages{0};
    std::uint32_t message_length{0};
    Bytes data;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.named_pipe_state);
        w.field(self.read_data_available);
        w.field(self.number_of_messages);
        w.field(self.message_length);
        w.rest(self.data);
    }
};

}  // namespace smb3d::fscc
