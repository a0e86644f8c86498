// The SMB2 header, the transform header (encryption) and the compression transform header.
//
// Spec: [MS-SMB2] 2.2.1, 2.2.41, 2.2.42.
// Thread: plain values, any.  Errors: parse<Header>() refuses a wrong ProtocolId or StructureSize.
#pragma once

#include "wire/codec.h"

namespace smb3d::wire {

// [MS-SMB2] 2.2.1.2 Command
enum class Command : std::uint16_t {
    negotiate = 0x0000,
    session_setup = 0x0001,
    logoff = 0x0002,
    tree_connect = 0x0003,
    tree_disconnect = 0x0004,
    create = 0x0005,
    close = 0x0006,
    flush = 0x0007,
    read = 0x0008,
    write = 0x0009,
    lock = 0x000A,
    ioctl = 0x000B,
    cancel = 0x000C,
    echo = 0x000D,
    query_directory = 0x000E,
    change_notify = 0x000F,
    query_info = 0x0010,
    set_info = 0x0011,
    oplock_break = 0x0012,
    server_to_client_notification = 0x0013,
};
inline constexpr std::size_t command_count = 0x13;  // those that a client sends

// [MS-SMB2] 2.2.1.2 Flags
namespace header_flags {
inline constexpr std::uint32_t server_to_redir = 0x00000001;
inline constexpr std::uint32_t async_command = 0x00000002;
inline constexpr std::uint32_t related_operations = 0x00000004;
inline constexpr std::uint32_t signed_message = 0x00000008;
inline constexpr std::uint32_t priority_mask = 0x00000070;
inline constexpr std::uint32_t dfs_operations = 0x10000000;
inline constexpr std::uint32_t replay_operation = 0x20000000;
}  // namespace header_flags

// ProtocolId as the little-endian integer of its four bytes.
inline constexpr std::uint32_t protocol_smb1 = 0x424D53FF;
inline constexpr std::uint32_t protocol_smb2 = 0x424D53FE;
inline constexpr std::uint32_t protocol_transform = 0x424D53FD;
inline constexpr std::uint32_t protocol_compression = 0x424D53FC;

using Signature = std::array<std::uint8_t, 16>;

// [MS-SMB2] 2.2.1.1, 2.2.1.2: both forms; `flags` says which.
struct Header {
    std::uint16_t credit_charge{0};
    std::uint32_t status{0};  // of a response; of a 3.x request the ChannelSequence in the low half
    Command command{Command::negotiate};
    std::uint16_t credits{0};  // CreditRequest or CreditResponse
    std::uint32_t flags{0};
    std::uint32_t next_command{0};
    std::uint64_t message_id{0};
    std::uint64_t async_id{0};    // if async_command
    std::uint32_t process_id{0};  // else: Reserved, by older clients the process
    std::uint32_t tree_id{0};     // else
    std::uint64_t session_id{0};
    Signature signature{};

    bool is(std::uint32_t flag) const { return (flags & flag) != 0; }
    bool is_async() const { return is(header_flags::async_command); }
    bool is_response() const { return is(header_flags::server_to_redir); }
    bool is_related() const { return is(header_flags::related_operations); }
    bool is_signed() const { return is(header_flags::signed_message); }
    std::uint16_t channel_sequence() const { return static_cast<std::uint16_t>(status & 0xFFFF); }
    NtStatus nt_status() const { return static_cast<NtStatus>(status); }

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.constant(protocol_smb2);
        w.structure_size(header_size);
        w.field(self.credit_charge);
        w.field(self.status);
        w.field(self.command);
        w.field(self.credits);
        w.field(self.flags);
        w.field(self.next_command);
        w.field(self.message_id);
        if ((self.flags & header_flags::async_command) != 0) {
            w.field(self.async_id);
        } else {
            w.field(self.process_id);
            w.field(self.tree_id);
        }
        w.field(self.session_id);
        w.field(self.signature);
    }
};

// Where signing and compounding touch a header that is written already.
inline constexpr std::size_t signature_size = std::tuple_size_v<Signature>;
inline constexpr std::size_t signature_offset = header_size - signature_size;
inline constexpr std::size_t header_flags_offset = 16;
inline constexpr std::size_t next_command_offset = 20;

// [MS-SMB2] 2.2.41 SMB2 TRANSFORM_HEADER
inline constexpr std::size_t transform_header_size = 52;
inline constexpr std::size_t transform_nonce_size = 16;
// The part that the AEAD authenticates: from Nonce to the end.
inline constexpr std::size_t transform_aad_offset = 20;
inline constexpr std::size_t transform_aad_size = transform_header_size - transform_aad_offset;
inline constexpr std::uint16_t transform_flag_encrypted = 0x0001;

struct TransformHeader {
    Signature signature{};
    std::array<std::uint8_t, transform_nonce_size> nonce{};
    std::uint32_t original_message_size{0};
    std::uint16_t flags{transform_flag_encrypted};  // 3.0, 3.0.2: EncryptionAlgorithm, also 1
    std::uint64_t session_id{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.constant(protocol_transform);
        w.field(self.signature);
        w.field(self.nonce);
        w.field(self.original_message_size);
        w.reserved(2);
        w.field(self.flags);
        w.field(self.session_id);
    }
};

// [MS-SMB2] 2.2.42.1, 2.2.42.2: enough to recognise and refuse (or hand on) a compressed message.
inline constexpr std::size_t compression_header_size = 16;

struct CompressionTransformHeader {
    std::uint32_t original_compressed_segment_size{0};
    std::uint16_t compression_algorithm{0};
    std::uint16_t flags{0};             // 1: chained
    std::uint32_t offset_or_length{0};  // unchained: Offset, chained: Length

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.constant(protocol_compression);
        w.field(self.original_compressed_segment_size);
        w.field(self.compression_algorithm);
        w.field(self.flags);
        w.field(self.offset_or_length);
    }
};

enum class MessageKind : std::uint8_t { unknown, smb1, smb2, transform, compressed };

// By the first four bytes alone.
inline MessageKind message_kind(Bytes message) {
    if (message.size() < sizeof(std::uint32_t)) return MessageKind::unknown;
    switch (detail::from_little<std::uint32_t>(message.data())) {
        case protocol_smb1:
            return MessageKind::smb1;
        case protocol_smb2:
            return MessageKind::smb2;
        case protocol_transform:
            return MessageKind::transform;
        case protocol_compression:
            return MessageKind::compressed;
        default:
            return MessageKind::unknown;
    }
}

// [MS-SMB2] 2.2.14.1 SMB2_FILEID
struct FileId {
    std::uint64_t persistent_id{0};
    std::uint64_t volatile_id{0};

    friend bool operator==(const FileId&, const FileId&) = default;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.persistent_id);
        w.field(self.volatile_id);
    }
};
// In a related compound: the file of the part before.
inline constexpr FileId file_id_any{~std::uint64_t{0}, ~std::uint64_t{0}};
inline constexpr std::uint64_t any_session_id = ~std::uint64_t{0};
inline constexpr std::uint32_t any_tree_id = ~std::uint32_t{0};

// Header and body of one message into `out`; the number of bytes, without those that a Payload
// leaves outside.
template <Body T>
Result<std::size_t> build_message(const Header& header, const T& body, MutableBytes out) {
    Writer writer(out);
    writer.field(header);
    writer.body(body);
    return writer.finish();
}

}  // namespace smb3d::wire
