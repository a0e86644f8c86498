// Negotiate contexts of dialect 3.1.1.
//
// Spec: [MS-SMB2] 2.2.3.1, 2.2.4.1.
// Lifetime: a NegotiateContext's data is a view; the decoded NegotiateContexts owns its values.
// Errors: decode() refuses a context that appears twice ([MS-SMB2] 3.3.5.4) or is malformed, and
//   skips types that it does not know.  What a server must find in them is the engine's question.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "wire/codec.h"

namespace smb3d::wire {

enum class NegotiateContextType : std::uint16_t {
    preauth_integrity_capabilities = 0x0001,
    encryption_capabilities = 0x0002,
    compression_capabilities = 0x0003,
    netname_negotiate_context_id = 0x0005,
    transport_capabilities = 0x0006,
    rdma_transform_capabilities = 0x0007,
    signing_capabilities = 0x0008,
    posix_extensions_available = 0x0100,  // SMB2_CONTEXTTYPE_RESERVED: the SMB3 POSIX extensions
};

inline constexpr std::uint16_t hash_sha512 = 0x0001;  // HashAlgorithms

namespace cipher {
inline constexpr std::uint16_t aes_128_ccm = 0x0001;
inline constexpr std::uint16_t aes_128_gcm = 0x0002;
inline constexpr std::uint16_t aes_256_ccm = 0x0003;
inline constexpr std::uint16_t aes_256_gcm = 0x0004;
}  // namespace cipher

namespace compression {
inline constexpr std::uint16_t none = 0x0000;
inline constexpr std::uint16_t lznt1 = 0x0001;
inline constexpr std::uint16_t lz77 = 0x0002;
inline constexpr std::uint16_t lz77_huffman = 0x0003;
inline constexpr std::uint16_t pattern_v1 = 0x0004;
inline constexpr std::uint16_t lz4 = 0x0005;
inline constexpr std::uint32_t flag_chained = 0x00000001;
}  // namespace compression

namespace signing {
inline constexpr std::uint16_t hmac_sha256 = 0x0000;
inline constexpr std::uint16_t aes_cmac = 0x0001;
inline constexpr std::uint16_t aes_gmac = 0x0002;
}  // namespace signing

namespace rdma_transform {
inline constexpr std::uint16_t none = 0x0000;
inline constexpr std::uint16_t encryption = 0x0001;
inline constexpr std::uint16_t signing = 0x0002;
}  // namespace rdma_transform

// What the context of the SMB3 POSIX extensions holds.
inline constexpr std::string_view posix_context_guid{
    "\x93\xAD\x25\x50\x9C\xB4\x11\xE7\xB4\x23\x83\xDE\x96\x8B\xCD\x7C", 16};

inline constexpr std::uint32_t accept_transport_level_security = 0x00000001;
inline constexpr std::size_t max_algorithms = 64;  // in one context

// The frame of every context.
struct NegotiateContext {
    NegotiateContextType context_type{};
    Bytes data;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.context_type);
        w.length16(self.data);
        w.reserved(4);
        w.inline_bytes(self.data);
    }
};

// 2.2.3.1.1
struct PreauthIntegrityCapabilities {
    std::vector<std::uint16_t> hash_algorithms;
    std::vector<std::uint8_t> salt;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.count16(self.hash_algorithms);
        w.count16(self.salt);
        w.elements(self.hash_algorithms, max_algorithms);
        w.elements(self.salt, limits::max_message_unauthenticated);
    }
};

// 2.2.3.1.2
struct EncryptionCapabilities {
    std::vector<std::uint16_t> ciphers;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.count16(self.ciphers);
        w.elements(self.ciphers, max_algorithms);
    }
};

// 2.2.3.1.3
struct CompressionCapabilities {
    std::uint32_t flags{0};
    std::vector<std::uint16_t> compression_algorithms;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.count16(self.compression_algorithms);
        w.reserved(2);
        w.field(self.flags);
        w.elements(self.compression_algorithms, max_algorithms);
    }
};

// 2.2.3.1.4: the server's name, UTF-16LE without a terminator.
struct NetnameNegotiateContext {
    std::vector<std::uint8_t> net_name;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.elements_to_end(self.net_name, limits::max_message_unauthenticated);
    }
};

// 2.2.3.1.5
struct TransportCapabilities {
    std::uint32_t flags{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.flags);
    }
};

// 2.2.3.1.6
struct RdmaTransformCapabilities {
    std::vector<std::uint16_t> rdma_transform_ids;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.count16(self.rdma_transform_ids);
        w.reserved(2);
        w.reserved(4);
        w.elements(self.rdma_transform_ids, max_algorithms);
    }
};

// 2.2.3.1.7
struct SigningCapabilities {
    std::vector<std::uint16_t> signing_algorithms;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.count16(self.signing_algorithms);
        w.elements(self.signing_algorithms, max_algorithms);
    }
};

// All that one message carries, decoded.
struct NegotiateContexts {
    std::optional<PreauthIntegrityCapabilities> preauth_integrity;
    std::optional<EncryptionCapabilities> encryption;
    std::optional<CompressionCapabilities> compression;
    std::optional<NetnameNegotiateContext> netname;
    std::optional<TransportCapabilities> transport;
    std::optional<RdmaTransformCapabilities> rdma_transform;
    std::optional<SigningCapabilities> signing;
    bool posix_extensions{false};
};

Result<NegotiateContexts> decode(std::span<const NegotiateContext> contexts);

// Holds the bytes that the contexts of a message to build point into.
class NegotiateContextBuilder {
  public:
    explicit NegotiateContextBuilder(const NegotiateContexts& contexts);
    NegotiateContextBuilder(const NegotiateContextBuilder&) = delete;
    NegotiateContextBuilder& operator=(const NegotiateContextBuilder&) = delete;

    // Valid as long as the builder.
    const std::vector<NegotiateContext>& contexts() const { return contexts_; }

  private:
    template <class T>
    void add(NegotiateContextType type, const std::optional<T>& value);

    std::vector<std::vector<std::byte>> data_;
    std::vector<NegotiateContext> contexts_;
};

}  // namespace smb3d::wire
