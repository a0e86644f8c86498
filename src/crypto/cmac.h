// Cmac: AES-128-CMAC over AES-CBC.
//
// Purpose: OpenSSL's own CMAC goes block by block through two layers, and how it is begun again
// with the same key differs
//   between 3.x versions; CBC over 4 KiB at a time has neither fault.
// Spec: [RFC 4493]; [MS-SMB2] 3.1.4.1 for SMB 3.0 and 3.0.2.
// Thread: one at a time.
// Errors: create: null, the others: false, if the library fails.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "crypto/openssl_library.h"
#include "smb3d/buffer.h"

namespace smb3d::crypto::detail {

class Cmac {
  public:
    static constexpr std::size_t block_size = 16;

    static std::unique_ptr<Cmac> create(Bytes key);
    Cmac(const Cmac&) = delete;
    Cmac& operator=(const Cmac&) = delete;
    ~Cmac();

    bool begin();
    bool update(Bytes part);
    bool finish(std::span<std::byte, block_size> mac);

  private:
    using Block = std::array<unsigned char, block_size>;

    Cmac() = default;
    static Block doubled(const Block& block);
    bool encrypt(const unsigned char* data, std::size_t size);

    CipherContext cbc_;
    Block k1_{};
    Block k2_{};
    Block held_{};  // what may be the last block: that one is treated differently
    std::size_t held_size_{0};
    std::array<unsigned char, 4096>
        ciphertext_{};  // of no use but its last block, which cbc_ remembers
};

}  // namespace smb3d::crypto::detail
