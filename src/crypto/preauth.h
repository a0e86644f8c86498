// PreauthHash: PreauthIntegrityHashValue of a connection or of a session being set up.
//
// Spec: [MS-SMB2] 3.1.4.4.1, 3.3.5.4, 3.3.5.5: value = SHA-512(value || message), from 64 zero
// bytes on. Thread: a value, its owner's.
#pragma once

#include <span>

#include "crypto/hash.h"

namespace smb3d::crypto {

class PreauthHash {
  public:
    // `parts`: one whole message, header first, without framing.
    void update(std::span<const Bytes> parts);
    void update(Bytes message) { update(std::span(&message, 1)); }
    void update(std::span<const Buffer> parts);

    Bytes bytes() const { return value_; }
    const Digest64& value() const { return value_; }
    friend bool operator==(const PreauthHash&, const PreauthHash&) = default;

  private:
    Digest64 value_{};
};

}  // namespace smb3d::crypto
