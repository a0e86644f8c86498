// Hashes, HMACs, RC4 and CRC-32 that SMB and NTLM need.
//
// Spec: [MS-SMB2] 3.1.4 (SHA-512, HMAC-SHA256), [MS-NLMP] 6 (MD4, MD5, HMAC-MD5, RC4, CRC32).
// Thread: any; an Rc4 belongs to one thread at a time.
// Errors: the SHA family cannot fail.  MD4, MD5 and RC4 are NOT_SUPPORTED where OpenSSL's policy or
// a missing legacy
//   provider takes them away; library_error() (provider.h) then has the sentence for the
//   administrator.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "smb3d/buffer.h"
#include "smb3d/status.h"

namespace smb3d::crypto {

using Digest16 = std::array<std::byte, 16>;
using Digest32 = std::array<std::byte, 32>;
using Digest64 = std::array<std::byte, 64>;

// Each over the concatenation of `parts`.
Digest64 sha512(std::span<const Bytes> parts);
Digest64 sha512(Bytes data);
Digest32 sha256(std::span<const Bytes> parts);
Digest32 sha256(Bytes data);
Digest32 hmac_sha256(Bytes key, std::span<const Bytes> parts);
Digest32 hmac_sha256(Bytes key, Bytes data);

Result<Digest16> md4(Bytes data);
Result<Digest16> md5(std::span<const Bytes> parts);
Result<Digest16> md5(Bytes data);
Result<Digest16> hmac_md5(Bytes key, std::span<const Bytes> parts);
Result<Digest16> hmac_md5(Bytes key, Bytes data);

// [MS-NLMP] RC4K: a key stream that goes on from call to call.  Keys of 5 to 32 bytes.
class Rc4 {
  public:
    static Result<Rc4> create(Bytes key);
    Rc4(Rc4&&) noexcept;
    Rc4& operator=(Rc4&&) noexcept;
    ~Rc4();

    Result<void> apply(MutableBytes data);  // in place

  private:
    struct State;
    explicit Rc4(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};
// A key stream of its own for one buffer.
Result<void> rc4(Bytes key, MutableBytes data);

// The CRC of IEEE 802.3; `so_far` is the result for what came before.
std::uint32_t crc32(Bytes data, std::uint32_t so_far = 0);

// Constant time; false if the sizes differ.
bool equal_constant_time(Bytes a, Bytes b);
// Overwrites what must not stay in memory.
void cleanse(MutableBytes secret);

}  // namespace smb3d::crypto
