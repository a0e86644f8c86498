#include "crypto/openssl_library.h"

#include <string_view>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "crypto/provider.h"

namespace smb3d::crypto::detail {

namespace {

std::string last_error() {
    char text[256] = "no reason given";
    if (const unsigned long code = ::ERR_get_error(); code != 0) {
        ::ERR_error_string_n(code, text, sizeof text);
    }
    ::ERR_clear_error();
    return text;
}

void add_sentence(std::string& error, std::string_view what) {
    if (!error.empty()) error += ' ';
    error += what;
}

}  // namespace

const OpensslLibrary& OpensslLibrary::get() {
    static const OpensslLibrary& library = *new OpensslLibrary;
    return library;
}

OpensslLibrary::OpensslLibrary() {
    const auto digest = [&](EVP_MD*& into, const char* name) {
        into = ::EVP_MD_fetch(nullptr, name, nullptr);
        if (into == nullptr) {
            add_sentence(error, std::string("OpenSSL has no ") + name + ": " + last_error() + ".");
        }
    };
    const auto cipher = [&](EVP_CIPHER*& into, const char* name) {
        into = ::EVP_CIPHER_fetch(nullptr, name, nullptr);
        if (into == nullptr) {
            add_sentence(error, std::string("OpenSSL has no ") + name + ": " + last_error() + ".");
        }
    };
    digest(sha256, "SHA2-256");
    digest(sha512, "SHA2-512");
    digest(md5, "MD5");
    cipher(aes_128_ecb, "AES-128-ECB");
    cipher(aes_128_cbc, "AES-128-CBC");
    cipher(aes_128_ccm, "AES-128-CCM");
    cipher(aes_128_gcm, "AES-128-GCM");
    cipher(aes_256_ccm, "AES-256-CCM");
    cipher(aes_256_gcm, "AES-256-GCM");
    hmac = ::EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    if (hmac == nullptr) add_sentence(error, "OpenSSL has no HMAC: " + last_error() + ".");
    load_legacy();
}

void OpensslLibrary::load_legacy() {
    OSSL_LIB_CTX* context = ::OSSL_LIB_CTX_new();
    const bool loaded = context != nullptr && ::OSSL_PROVIDER_load(context, "legacy") != nullptr;
    if (loaded) {
        md4 = ::EVP_MD_fetch(context, "MD4", nullptr);
        rc4 = ::EVP_CIPHER_fetch(context, "RC4", nullptr);
    }
    if (md4 != nullptr && rc4 != nullptr) return;
    const std::string reason = last_error();
    add_sentence(
        error,
        "OpenSSL's legacy provider (legacy.so, in Debian part of libssl3 or the package "
        "openssl-provider-legacy) could not be used, so that nobody can log on with NTLM, only "
        "with Kerberos: " +
            reason + ".");
}

}  // namespace smb3d::crypto::detail

namespace smb3d::crypto {

std::string library_error() { return detail::OpensslLibrary::get().error; }

bool has_legacy_algorithms() {
    const detail::OpensslLibrary& library = detail::OpensslLibrary::get();
    return library.md4 != nullptr && library.rc4 != nullptr && library.md5 != nullptr;
}

}  // namespace smb3d::crypto
