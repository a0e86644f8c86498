// The three signing algorithms of [MS-SMB2] 3.1.4.1 on OpenSSL.
#include "crypto/openssl_signer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/cmac.h"
#include "crypto/context_pool.h"
#include "crypto/key.h"
#include "crypto/openssl_library.h"

namespace smb3d::crypto::detail {

namespace {

constexpr std::size_t aes_128_key = 16;
constexpr std::size_t most_at_once = std::size_t{1} << 30;  // OpenSSL counts in int

const unsigned char* octets(Bytes bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

// Feeds `message` to `update(Bytes) -> bool`, with zeros in place of the Signature.
template <class Update>
bool feed(std::span<const Bytes> message, Update&& update) {
    std::array<std::byte, Signer::header_size> header;
    std::memcpy(header.data(), message[0].data(), header.size());
    std::fill_n(header.begin() + Signer::signature_offset, sizeof(Signature), std::byte{0});
    if (!update(Bytes(header)) || !update(message[0].subspan(header.size()))) return false;
    for (const Bytes part : message.subspan(1)) {
        if (!update(part)) return false;
    }
    return true;
}

bool holds_header(std::span<const Bytes> message) {
    return !message.empty() && message[0].size() >= Signer::header_size;
}

// What the three have in common: a key and its contexts.  Context: `static unique_ptr<Context>
// make(Bytes key)` and `bool sign(message, fields, Signature&)`.
template <class Context, SigningAlgorithm id>
class OpensslSigner final : public Signer {
  public:
    explicit OpensslSigner(Bytes key) : key_(key, key.size()) {}

    SigningAlgorithm algorithm() const override { return id; }

    Result<Signature> sign(std::span<const Bytes> message,
                           const SigningFields& fields) const override {
        if (!holds_header(message)) return fail(NtStatus::INVALID_PARAMETER);
        auto context = contexts_.lease([this] { return Context::make(key_.bytes()); });
        Signature signature{};
        if (!context || !context->sign(message, fields, signature)) {
            context.discard();
            return fail(NtStatus::INTERNAL_ERROR);
        }
        return signature;
    }

  private:
    Key key_;
    mutable ContextPool<Context> contexts_;
};

// [MS-SMB2] 3.1.4.1: the first 16 bytes of HMAC-SHA256.  2.0.2 and 2.1, and 3.1.1 if a client
// offers nothing else.
struct HmacContext {
    MacContext mac;

    static std::unique_ptr<HmacContext> make(Bytes key) {
        const OpensslLibrary& library = OpensslLibrary::get();
        auto context = std::make_unique<HmacContext>();
        if (library.hmac == nullptr) return nullptr;
        context->mac.reset(::EVP_MAC_CTX_new(library.hmac));
        char digest[] = "SHA2-256";
        const OSSL_PARAM params[] = {
            ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
            ::OSSL_PARAM_construct_end()};
        if (!context->mac ||
            ::EVP_MAC_init(context->mac.get(), octets(key), key.size(), params) != 1) {
            return nullptr;
        }
        return context;
    }

    bool sign(std::span<const Bytes> message, const SigningFields&, Signature& signature) {
        // Without a key: begin again with the one there is.
        if (::EVP_MAC_init(mac.get(), nullptr, 0, nullptr) != 1) return false;
        const bool fed = feed(message, [&](Bytes part) {
            return part.empty() || ::EVP_MAC_update(mac.get(), octets(part), part.size()) == 1;
        });
        std::array<unsigned char, 32> full{};
        std::size_t written = 0;
        if (!fed || ::EVP_MAC_final(mac.get(), full.data(), &written, full.size()) != 1 ||
            written != full.size()) {
            return false;
        }
        std::memcpy(signature.data(), full.data(), signature.size());
        return true;
    }
};

struct CmacContext {
    std::unique_ptr<Cmac> mac;

    static std::unique_ptr<CmacContext> make(Bytes key) {
        auto context = std::make_unique<CmacContext>();
        context->mac = Cmac::create(key);
        return context->mac ? std::move(context) : nullptr;
    }

    bool sign(std::span<const Bytes> message, const SigningFields&, Signature& signature) {
        return mac->begin() && feed(message, [&](Bytes part) { return mac->update(part); }) &&
               mac->finish(signature);
    }
};

// AES-GMAC: AES-GCM that encrypts nothing.
struct GmacContext {
    CipherContext gcm;

    static std::unique_ptr<GmacContext> make(Bytes key) {
        const OpensslLibrary& library = OpensslLibrary::get();
        auto context = std::make_unique<GmacContext>();
        context->gcm.reset(::EVP_CIPHER_CTX_new());
        if (!context->gcm || library.aes_128_gcm == nullptr ||
            ::EVP_EncryptInit_ex(context->gcm.get(), library.aes_128_gcm, nullptr, octets(key),
                                 nullptr) != 1) {
            return nullptr;
        }
        return context;
    }

    // [MS-SMB2] 3.1.4.1: MessageId, then 32 bits: bit 0 the server's role, bit 1 an SMB2 CANCEL
    // request.
    static std::array<unsigned char, 12> nonce_of(const SigningFields& fields) {
        std::array<unsigned char, 12> nonce{};
        std::memcpy(nonce.data(), &fields.message_id, sizeof fields.message_id);
        nonce[8] =
            static_cast<unsigned char>((fields.from_server ? 1 : 0) | (fields.cancel ? 2 : 0));
        return nonce;
    }

    bool update(Bytes part) {
        while (!part.empty()) {
            const std::size_t now = std::min(part.size(), most_at_once);
            int written = 0;
            if (::EVP_EncryptUpdate(gcm.get(), nullptr, &written, octets(part),
                                    static_cast<int>(now)) != 1) {
                return false;
            }
            part = part.subspan(now);
        }
        return true;
    }

    bool sign(std::span<const Bytes> message, const SigningFields& fields, Signature& signature) {
        const auto nonce = nonce_of(fields);
        if (::EVP_EncryptInit_ex(gcm.get(), nullptr, nullptr, nullptr, nonce.data()) != 1) {
            return false;
        }
        int written = 0;
        unsigned char none[16];
        return feed(message, [&](Bytes part) { return update(part); }) &&
               ::EVP_EncryptFinal_ex(gcm.get(), none, &written) == 1 &&
               ::EVP_CIPHER_CTX_ctrl(gcm.get(), EVP_CTRL_AEAD_GET_TAG,
                                     static_cast<int>(signature.size()), signature.data()) == 1;
    }
};

}  // namespace

Result<std::shared_ptr<const Signer>> make_openssl_signer(SigningAlgorithm algorithm, Bytes key) {
    const bool hmac = algorithm == SigningAlgorithm::hmac_sha256;
    if (hmac ? key.empty() || key.size() > Key::max_size : key.size() != aes_128_key) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    switch (algorithm) {
        case SigningAlgorithm::hmac_sha256:
            return std::make_shared<OpensslSigner<HmacContext, SigningAlgorithm::hmac_sha256>>(key);
        case SigningAlgorithm::aes_128_cmac:
            return std::make_shared<OpensslSigner<CmacContext, SigningAlgorithm::aes_128_cmac>>(
                key);
        case SigningAlgorithm::aes_128_gmac:
            return std::make_shared<OpensslSigner<GmacContext, SigningAlgorithm::aes_128_gmac>>(
                key);
    }
    return fail(NtStatus::INVALID_PARAMETER);
}

}  // namespace smb3d::crypto::detail
