// The four ciphers of [MS-SMB2] 3.1.4.3 on OpenSSL.
#include "crypto/openssl_aead.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include <openssl/err.h>

#include "crypto/context_pool.h"
#include "crypto/key.h"
#include "crypto/openssl_library.h"

namespace smb3d::crypto::detail {

namespace {

constexpr std::size_t most_at_once = std::size_t{1} << 30;  // OpenSSL counts in int
constexpr std::size_t kept_scratch = 128 * 1024;

const unsigned char* octets(Bytes bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* octets(MutableBytes bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

enum class Direction : bool { open = false, seal = true };

struct Context {
    CipherContext cipher;
    std::vector<std::byte> scratch;  // CCM of a message in pieces

    // The calls below are for both directions.
    bool start(const unsigned char* nonce) {
        return ::EVP_CipherInit_ex(cipher.get(), nullptr, nullptr, nullptr, nonce, -1) == 1;
    }
    bool authenticate(Bytes aad) {
        int written = 0;
        return ::EVP_CipherUpdate(cipher.get(), nullptr, &written, octets(aad),
                                  static_cast<int>(aad.size())) == 1;
    }
    bool expect_total(std::size_t size) {  // CCM only
        int written = 0;
        return ::EVP_CipherUpdate(cipher.get(), nullptr, &written, nullptr,
                                  static_cast<int>(size)) == 1;
    }
    bool transform(MutableBytes data) {
        while (!data.empty()) {
            const MutableBytes now = data.first(std::min(data.size(), most_at_once));
            int written = 0;
            if (::EVP_CipherUpdate(cipher.get(), octets(now), &written, octets(now),
                                   static_cast<int>(now.size())) != 1 ||
                written != static_cast<int>(now.size())) {
                return false;
            }
            data = data.subspan(now.size());
        }
        return true;
    }
    bool finish() {
        int written = 0;
        unsigned char none[16];
        return ::EVP_CipherFinal_ex(cipher.get(), none, &written) == 1;
    }
    bool get_tag(std::span<std::byte, Aead::tag_size> tag) {
        return ::EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, Aead::tag_size,
                                     tag.data()) == 1;
    }
    bool set_tag(std::span<const std::byte, Aead::tag_size> tag) {
        unsigned char copy[Aead::tag_size];  // the call takes a pointer to non-const
        std::memcpy(copy, tag.data(), sizeof copy);
        return ::EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, Aead::tag_size, copy) ==
               1;
    }
};

const EVP_CIPHER* find_cipher(Cipher cipher) {
    const OpensslLibrary& library = OpensslLibrary::get();
    switch (cipher) {
        case Cipher::aes_128_ccm:
            return library.aes_128_ccm;
        case Cipher::aes_128_gcm:
            return library.aes_128_gcm;
        case Cipher::aes_256_ccm:
            return library.aes_256_ccm;
        case Cipher::aes_256_gcm:
            return library.aes_256_gcm;
        case Cipher::none:
            break;
    }
    return nullptr;
}

// One contiguous view of `message` for CCM, which OpenSSL takes in one piece only; what was
// gathered is scattered back.
class Gathered {
  public:
    Gathered(std::span<const MutableBytes> message, std::size_t total, Context& context)
        : message_(message), context_(context) {
        if (message.size() == 1) {
            all_ = message[0];
            return;
        }
        context.scratch.resize(total);
        all_ = context.scratch;
        std::size_t at = 0;
        for (const MutableBytes part : message) {
            if (part.empty()) continue;
            std::memcpy(all_.data() + at, part.data(), part.size());
            at += part.size();
        }
    }
    Gathered(const Gathered&) = delete;
    Gathered& operator=(const Gathered&) = delete;
    ~Gathered() {
        if (message_.size() == 1) return;
        cleanse(context_.scratch);
        context_.scratch.clear();
        if (context_.scratch.capacity() > kept_scratch) context_.scratch.shrink_to_fit();
    }
    MutableBytes all() const { return all_; }
    void scatter() const {
        if (message_.size() == 1) return;
        std::size_t at = 0;
        for (const MutableBytes part : message_) {
            if (part.empty()) continue;
            std::memcpy(part.data(), all_.data() + at, part.size());
            at += part.size();
        }
    }

  private:
    std::span<const MutableBytes> message_;
    Context& context_;
    MutableBytes all_;
};

class OpensslAead final : public Aead {
  public:
    OpensslAead(Cipher cipher, const EVP_CIPHER* algorithm, Bytes key)
        : cipher_(cipher), algorithm_(algorithm), key_(key, key.size()) {}

    Cipher cipher() const override { return cipher_; }

    Result<void> seal_with_nonce(std::span<std::byte, transform_size> transform,
                                 std::span<const MutableBytes> message) const override {
        const std::size_t total = size_of(message);
        if (total == 0 || total > most_at_once) return fail(NtStatus::INVALID_PARAMETER);
        auto context = sealing_.lease([this] { return make(Direction::seal); });
        const auto tag = transform.subspan<tag_offset, tag_size>();
        if (!context || !run(*context.operator->(), transform, message, total) ||
            !context->get_tag(tag)) {
            context.discard();
            ::ERR_clear_error();
            return fail(NtStatus::INTERNAL_ERROR);
        }
        return {};
    }

    Result<void> open(std::span<const std::byte, transform_size> transform,
                      std::span<const MutableBytes> message) const override {
        const std::size_t total = size_of(message);
        if (total == 0 || total > most_at_once) return fail(NtStatus::INVALID_PARAMETER);
        auto context = opening_.lease([this] { return make(Direction::open); });
        if (!context || !context->set_tag(transform.subspan<tag_offset, tag_size>())) {
            context.discard();
            ::ERR_clear_error();
            return fail(NtStatus::INTERNAL_ERROR);
        }
        if (!run(*context.operator->(), transform, message, total)) {
            context.discard();  // rare, so not worth knowing which state it was left in
            ::ERR_clear_error();
            return fail(NtStatus::ACCESS_DENIED);
        }
        return {};
    }

  private:
    static std::size_t size_of(std::span<const MutableBytes> message) {
        std::size_t total = 0;
        for (const MutableBytes part : message) total += part.size();
        return total;
    }

    std::unique_ptr<Context> make(Direction direction) const {
        auto context = std::make_unique<Context>();
        context->cipher.reset(::EVP_CIPHER_CTX_new());
        EVP_CIPHER_CTX* ctx = context->cipher.get();
        const int encrypts = direction == Direction::seal ? 1 : 0;
        if (ctx == nullptr ||
            ::EVP_CipherInit_ex(ctx, algorithm_, nullptr, nullptr, nullptr, encrypts) != 1 ||
            ::EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN,
                                  static_cast<int>(nonce_size(cipher_)), nullptr) != 1) {
            return nullptr;
        }
        // CCM must know the tag's length before the key.
        if (is_ccm(cipher_) &&
            ::EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, tag_size, nullptr) != 1) {
            return nullptr;
        }
        if (::EVP_CipherInit_ex(ctx, nullptr, nullptr, octets(key_.bytes()), nullptr, -1) != 1) {
            return nullptr;
        }
        return context;
    }

    bool run(Context& context, Bytes transform, std::span<const MutableBytes> message,
             std::size_t total) const {
        // [MS-SMB2] 2.2.41: everything from Nonce on is authenticated; the cipher takes the first
        // 11 or 12 bytes of it.
        const Bytes aad = transform.subspan(nonce_offset);
        if (!context.start(octets(aad))) return false;
        if (is_ccm(cipher_)) {
            const Gathered gathered(message, total, context);
            if (!context.expect_total(total) || !context.authenticate(aad) ||
                !context.transform(gathered.all())) {
                return false;
            }
            gathered.scatter();
            return true;  // CCM says with the data whether the tag was right
        }
        if (!context.authenticate(aad)) return false;
        for (const MutableBytes part : message) {
            if (!context.transform(part)) return false;
        }
        return context.finish();
    }

    Cipher cipher_;
    const EVP_CIPHER* algorithm_;
    Key key_;
    mutable ContextPool<Context> sealing_;
    mutable ContextPool<Context> opening_;
};

}  // namespace

Result<std::shared_ptr<const Aead>> make_openssl_aead(Cipher cipher, Bytes key) {
    if (cipher == Cipher::none || key.size() != key_size(cipher)) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    const EVP_CIPHER* algorithm = find_cipher(cipher);
    if (algorithm == nullptr) return fail(NtStatus::NOT_SUPPORTED);
    return std::make_shared<OpensslAead>(cipher, algorithm, key);
}

}  // namespace smb3d::crypto::detail
