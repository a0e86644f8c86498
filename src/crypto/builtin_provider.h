// The built-in provider: GCM, GMAC, CMAC and CCM on x86_kernels.
//
// Thread, Lifetime, Errors: as provider.h has them.
#pragma once

#include "crypto/mac_job.h"
#include "crypto/provider.h"

namespace smb3d::crypto::detail {

struct CcmKey {
    AesSchedule aes;
};

Result<std::shared_ptr<const Signer>> make_builtin_signer(SigningAlgorithm algorithm, Bytes key);
Result<std::shared_ptr<const Aead>> make_builtin_aead(Cipher cipher, Bytes key);

}  // namespace smb3d::crypto::detail
