// The factory of OpenSSL's signers; openssl_provider.cpp's only.
#pragma once

#include <memory>

#include "crypto/signer.h"

namespace smb3d::crypto::detail {

Result<std::shared_ptr<const Signer>> make_openssl_signer(SigningAlgorithm algorithm, Bytes key);

}  // namespace smb3d::crypto::detail
