#include "crypto/provider.h"

#include "crypto/builtin_provider.h"
#include "crypto/openssl_aead.h"
#include "crypto/openssl_signer.h"

namespace smb3d::crypto {

namespace {

class OpensslProvider final : public Provider {
  public:
    std::string_view name() const override { return "OpenSSL"; }
    Result<std::shared_ptr<const Signer>> make_signer(SigningAlgorithm algorithm,
                                                      Bytes key) const override {
        return detail::make_openssl_signer(algorithm, key);
    }
    Result<std::shared_ptr<const Aead>> make_aead(Cipher cipher, Bytes key) const override {
        return detail::make_openssl_aead(cipher, key);
    }
};

class BuiltinProvider final : public Provider {
  public:
    std::string_view name() const override { return "built-in"; }
    Result<std::shared_ptr<const Signer>> make_signer(SigningAlgorithm algorithm,
                                                      Bytes key) const override {
        return detail::make_builtin_signer(algorithm, key);
    }
    Result<std::shared_ptr<const Aead>> make_aead(Cipher cipher, Bytes key) const override {
        return detail::make_builtin_aead(cipher, key);
    }
};

}  // namespace

const Provider& openssl_provider() {
    static const OpensslProvider provider;
    return provider;
}

const Provider* builtin_provider() {
    static const BuiltinProvider provider;
    return detail::has_x86_kernels() ? &provider : nullptr;
}

}  // namespace smb3d::crypto
