// The factory of OpenSSL's ciphers; openssl_provider.cpp's only.
#pragma once

#include <memory>

#include "crypto/aead.h"

namespace smb3d::crypto::detail {

Result<std::shared_ptr<const Aead>> make_openssl_aead(Cipher cipher, Bytes key);

}  // namespace smb3d::crypto::detail
