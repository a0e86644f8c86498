// GCM and GMAC on libipsec-mb ([MS-SMB2] 3.1.4.1, 3.1.4.3), whose AVX-512 kernels are the fastest
// there are.  Its CMAC and CCM need its job manager, which belongs to one thread.
#include "crypto/provider.h"

#ifdef SMB3D_HAVE_IPSEC_MB

#include <algorithm>
#include <array>
#include <cstring>

#define NO_COMPAT_IMB_API_053  // not the old names, which are everybody's words
#include <intel-ipsec-mb.h>

#include "crypto/batch.h"
#include "crypto/hash.h"

namespace smb3d::crypto {

namespace {

constexpr std::uint64_t most = std::uint64_t{1} << 30;

using Tag = std::array<std::byte, 16>;

// Only its table of functions is used, which keeps no state.
struct Library {
    ::IMB_MGR* manager{nullptr};
    Library() : manager(::alloc_mb_mgr(0)) {
        if (manager == nullptr) return;
        ::IMB_ARCH arch = ::IMB_ARCH_NONE;
        ::init_mb_mgr_auto(manager, &arch);
        // Without AES instructions it computes with tables: that is not for keys.
        if (::imb_get_errno(manager) != 0 || arch == ::IMB_ARCH_NOAESNI) {
            ::free_mb_mgr(manager);
            manager = nullptr;
        }
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
    static const Library& get() {
        static const Library library;  // freed by nobody: keys in use outlive everything
        return library;
    }
};

template <class T>
void wipe(T& secret) {
    cleanse(MutableBytes(reinterpret_cast<std::byte*>(&secret), sizeof secret));
}

// The functions for one length of key.
struct GcmFunctions {
    ::aes_gcm_pre_t expand;
    ::aes_gcm_init_t init;
    ::aes_gcm_enc_dec_update_t encrypt;
    ::aes_gcm_enc_dec_update_t decrypt;
    ::aes_gcm_enc_dec_finalize_t finish_encrypt;
    ::aes_gcm_enc_dec_finalize_t finish_decrypt;
};
GcmFunctions functions_for(std::size_t key_size) {
    const ::IMB_MGR& m = *Library::get().manager;
    if (key_size == 32) {
        return {m.gcm256_pre,        m.gcm256_init,         m.gcm256_enc_update,
                m.gcm256_dec_update, m.gcm256_enc_finalize, m.gcm256_dec_finalize};
    }
    return {m.gcm128_pre,        m.gcm128_init,         m.gcm128_enc_update,
            m.gcm128_dec_update, m.gcm128_enc_finalize, m.gcm128_dec_finalize};
}

class IpsecMbGcm final : public Aead {
  public:
    IpsecMbGcm(Cipher cipher, Bytes key) : cipher_(cipher), functions_(functions_for(key.size())) {
        functions_.expand(key.data(), &key_);
    }
    ~IpsecMbGcm() override { wipe(key_); }
    IpsecMbGcm(const IpsecMbGcm&) = delete;
    IpsecMbGcm& operator=(const IpsecMbGcm&) = delete;

    Cipher cipher() const override { return cipher_; }

    Result<void> seal_with_nonce(std::span<std::byte, transform_size> transform,
                                 std::span<const MutableBytes> message) const override {
        if (!is_size_ok(message)) return fail(NtStatus::INVALID_PARAMETER);
        const Tag tag = run(transform, message, functions_.encrypt, functions_.finish_encrypt);
        std::memcpy(transform.data() + tag_offset, tag.data(), tag.size());
        return {};
    }
    Result<void> open(std::span<const std::byte, transform_size> transform,
                      std::span<const MutableBytes> message) const override {
        if (!is_size_ok(message)) return fail(NtStatus::INVALID_PARAMETER);
        const Tag tag = run(transform, message, functions_.decrypt, functions_.finish_decrypt);
        if (!equal_constant_time(transform.subspan<tag_offset, tag_size>(), tag)) {
            return fail(NtStatus::ACCESS_DENIED);
        }
        return {};
    }

  private:
    static bool is_size_ok(std::span<const MutableBytes> message) {
        std::uint64_t total = 0;
        for (const MutableBytes part : message) total += part.size();
        return total != 0 && total <= most;
    }
    Tag run(Bytes transform, std::span<const MutableBytes> message,
            ::aes_gcm_enc_dec_update_t update, ::aes_gcm_enc_dec_finalize_t finish) const {
        ::gcm_context_data context;
        const Bytes aad = transform.subspan(nonce_offset);
        functions_.init(&key_, &context, reinterpret_cast<const std::uint8_t*>(aad.data()),
                        reinterpret_cast<const std::uint8_t*>(aad.data()), aad.size());
        for (const MutableBytes part : message) {
            auto* data = reinterpret_cast<std::uint8_t*>(part.data());
            if (!part.empty()) update(&key_, &context, data, data, part.size());
        }
        Tag tag;
        finish(&key_, &context, reinterpret_cast<std::uint8_t*>(tag.data()), tag.size());
        wipe(context);
        return tag;
    }

    Cipher cipher_;
    GcmFunctions functions_;
    alignas(64)::gcm_key_data key_{};
};

class IpsecMbGmac final : public Signer {
  public:
    explicit IpsecMbGmac(Bytes key) { Library::get().manager->gcm128_pre(key.data(), &key_); }
    ~IpsecMbGmac() override { wipe(key_); }
    IpsecMbGmac(const IpsecMbGmac&) = delete;
    IpsecMbGmac& operator=(const IpsecMbGmac&) = delete;

    SigningAlgorithm algorithm() const override { return SigningAlgorithm::aes_128_gmac; }

    Result<Signature> sign(std::span<const Bytes> message,
                           const SigningFields& fields) const override {
        if (message.empty() || message[0].size() < header_size) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        const ::IMB_MGR& m = *Library::get().manager;
        const auto nonce = detail::gmac_nonce(fields);
        std::array<std::byte, header_size> header;
        std::memcpy(header.data(), message[0].data(), header.size());
        std::fill_n(header.begin() + signature_offset, sizeof(Signature), std::byte{0});
        ::gcm_context_data context;
        m.gmac128_init(&key_, &context, reinterpret_cast<const std::uint8_t*>(nonce.data()),
                       nonce.size());
        const auto feed = [&](Bytes part) {
            if (part.empty()) return;
            m.gmac128_update(&key_, &context, reinterpret_cast<const std::uint8_t*>(part.data()),
                             part.size());
        };
        feed(header);
        feed(message[0].subspan(header_size));
        for (const Bytes part : message.subspan(1)) feed(part);
        Signature signature;
        m.gmac128_finalize(&key_, &context, reinterpret_cast<std::uint8_t*>(signature.data()),
                           signature.size());
        wipe(context);
        return signature;
    }

  private:
    alignas(64)::gcm_key_data key_{};
};

class IpsecMbProvider final : public Provider {
  public:
    std::string_view name() const override { return "ipsec-mb"; }
    Result<std::shared_ptr<const Signer>> make_signer(SigningAlgorithm algorithm,
                                                      Bytes key) const override {
        if (algorithm != SigningAlgorithm::aes_128_gmac) return fail(NtStatus::NOT_SUPPORTED);
        if (key.size() != 16) return fail(NtStatus::INVALID_PARAMETER);
        return std::make_shared<IpsecMbGmac>(key);
    }
    Result<std::shared_ptr<const Aead>> make_aead(Cipher cipher, Bytes key) const override {
        if (cipher != Cipher::aes_128_gcm && cipher != Cipher::aes_256_gcm) {
            return fail(NtStatus::NOT_SUPPORTED);
        }
        if (key.size() != key_size(cipher)) return fail(NtStatus::INVALID_PARAMETER);
        return std::make_shared<IpsecMbGcm>(cipher, key);
    }
};

}  // namespace

const Provider* ipsec_mb_provider() {
    static const IpsecMbProvider provider;
    return Library::get().manager != nullptr ? &provider : nullptr;
}

}  // namespace smb3d::crypto

#else

namespace smb3d::crypto {

const Provider* ipsec_mb_provider() { return nullptr; }

}  // namespace smb3d::crypto

#endif
