// OpensslLibrary: what is fetched from OpenSSL once, so that no request searches its providers.
//
// Purpose: the algorithms of the default provider, and MD4 and RC4 from the legacy one in a library
// context of their own (so
//   that nothing else in the process gets them).
// Thread: any; made on first use, immutable from then on.
// Errors: what could not be had is null; `error` says it to the administrator.
#pragma once

#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/types.h>

namespace smb3d::crypto::detail {

template <auto release>
struct Release {
    template <class T>
    void operator()(T* dead) const {
        release(dead);
    }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Release<EVP_CIPHER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Release<EVP_MAC_CTX_free>>;

struct OpensslLibrary {
    EVP_MD* sha256{nullptr};
    EVP_MD* sha512{nullptr};
    EVP_MD* md5{nullptr};
    EVP_MD* md4{nullptr};
    EVP_CIPHER* rc4{nullptr};
    EVP_CIPHER* aes_128_ecb{nullptr};
    EVP_CIPHER* aes_128_cbc{nullptr};
    EVP_CIPHER* aes_128_ccm{nullptr};
    EVP_CIPHER* aes_128_gcm{nullptr};
    EVP_CIPHER* aes_256_ccm{nullptr};
    EVP_CIPHER* aes_256_gcm{nullptr};
    EVP_MAC* hmac{nullptr};
    std::string error;

    static const OpensslLibrary& get();
    OpensslLibrary(const OpensslLibrary&) = delete;
    OpensslLibrary& operator=(const OpensslLibrary&) = delete;

  private:
    // Freed by nobody: OpenSSL's own exit handler may run before a destructor of ours would.
    OpensslLibrary();
    void load_legacy();
};

}  // namespace smb3d::crypto::detail
