// AES-GCM and AES-CCM ([MS-SMB2] 3.1.4.3) on the processor's own instructions.
#include <algorithm>
#include <cstring>
#include <optional>

#include "crypto/batch.h"
#include "crypto/builtin_provider.h"
#include "crypto/hash.h"

namespace smb3d::crypto::detail {

namespace {

constexpr std::uint64_t most = std::uint64_t{1} << 30;

using Transform = std::span<std::byte, Aead::transform_size>;
using ConstTransform = std::span<const std::byte, Aead::transform_size>;

std::uint64_t size_of(std::span<const MutableBytes> message) {
    std::uint64_t total = 0;
    for (const MutableBytes part : message) total += part.size();
    return total;
}

template <class T>
void wipe(T& secret) {
    cleanse(MutableBytes(reinterpret_cast<std::byte*>(&secret), sizeof secret));
}

class BuiltinGcm final : public Aead {
  public:
    BuiltinGcm(Cipher cipher, Bytes key) : cipher_(cipher) { make_gcm_key(key, key_); }
    ~BuiltinGcm() override { wipe(key_); }
    BuiltinGcm(const BuiltinGcm&) = delete;
    BuiltinGcm& operator=(const BuiltinGcm&) = delete;

    Cipher cipher() const override { return cipher_; }

    Result<void> seal_with_nonce(Transform transform,
                                 std::span<const MutableBytes> message) const override {
        if (const auto total = size_of(message); total == 0 || total > most) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        GcmState state;
        begin(transform, state);
        for (const MutableBytes part : message) gcm_encrypt(key_, state, part);
        const AesBlock tag = gcm_finish(key_, state);
        std::memcpy(transform.data() + tag_offset, tag.data(), tag.size());
        wipe(state);
        return {};
    }

    Result<void> open(ConstTransform transform,
                      std::span<const MutableBytes> message) const override {
        if (const auto total = size_of(message); total == 0 || total > most) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        GcmState state;
        begin(transform, state);
        for (const MutableBytes part : message) gcm_decrypt(key_, state, part);
        const AesBlock tag = gcm_finish(key_, state);
        wipe(state);
        if (!equal_constant_time(transform.subspan<tag_offset, tag_size>(), tag)) {
            return fail(NtStatus::ACCESS_DENIED);
        }
        return {};
    }

  private:
    // [MS-SMB2] 2.2.41: everything from Nonce on is authenticated; its first 12 bytes are the
    // nonce.
    void begin(ConstTransform transform, GcmState& state) const {
        gcm_begin(key_, transform.subspan<nonce_offset, 12>(), state);
        gcm_aad(key_, state, transform.subspan<nonce_offset>());
    }

    Cipher cipher_;
    GcmKey key_;
};

// [SP800-38C] A.2.1, A.2.2, A.3 with a nonce of 11 bytes (so a length of 4) and a tag of 16.
struct CcmMessage {
    static constexpr std::size_t length_size = 15 - 11;
    std::array<std::byte, 64> prefix{};  // B0, then the additional data with its length, padded
    AesBlock counter{};                  // A0

    CcmMessage(ConstTransform transform, std::uint64_t total) {
        const Bytes nonce = transform.subspan<Aead::nonce_offset, 11>();
        const Bytes aad = transform.subspan<Aead::nonce_offset>();
        static_assert(Aead::transform_size - Aead::nonce_offset + 2 <= 48);
        constexpr unsigned flags = 0x40 | (16 - 2) / 2 << 3 | (length_size - 1);
        prefix[0] = std::byte{flags};
        std::copy(nonce.begin(), nonce.end(), prefix.begin() + 1);
        for (std::size_t i = 0; i < length_size; ++i) {
            prefix[15 - i] = static_cast<std::byte>(total >> (8 * i));
        }
        prefix[17] = static_cast<std::byte>(aad.size());
        std::copy(aad.begin(), aad.end(), prefix.begin() + 18);
        counter[0] = std::byte{length_size - 1};
        std::copy(nonce.begin(), nonce.end(), counter.begin() + 1);
    }
    // A.3: block i of the keystream; the first one masks the tag.
    AesBlock counter_at(std::uint64_t block) const {
        AesBlock out = counter;
        for (std::size_t i = 0; i < length_size; ++i) {
            out[15 - i] = static_cast<std::byte>(block >> (8 * i));
        }
        return out;
    }
};

// The keystream over pieces of any length.
class CcmStream {
  public:
    CcmStream(const AesSchedule& key, const CcmMessage& message) : key_(key), message_(message) {}
    void apply(MutableBytes data) {
        if (used_ != 0) {
            const std::size_t now = std::min(data.size(), aes_block - used_);
            for (std::size_t i = 0; i < now; ++i) data[i] ^= left_[used_ + i];
            used_ = (used_ + now) % aes_block;
            data = data.subspan(now);
        }
        if (data.empty()) return;
        const std::size_t whole = data.size() / aes_block * aes_block;
        if (whole != 0) ctr_xor(key_, message_.counter_at(block_), data.first(whole));
        block_ += whole / aes_block;
        data = data.subspan(whole);
        if (data.empty()) return;
        left_ = encrypt_block(key_, message_.counter_at(block_++));
        for (std::size_t i = 0; i < data.size(); ++i) data[i] ^= left_[i];
        used_ = data.size();
    }
    ~CcmStream() { wipe(left_); }
    CcmStream(const CcmStream&) = delete;
    CcmStream& operator=(const CcmStream&) = delete;

  private:
    const AesSchedule& key_;
    const CcmMessage& message_;
    std::uint64_t block_{1};
    AesBlock left_{};
    std::size_t used_{0};
};

AesBlock masked(const AesSchedule& key, const CcmMessage& message, const AesBlock& mac) {
    AesBlock tag = encrypt_block(key, message.counter_at(0));
    for (std::size_t i = 0; i < tag.size(); ++i) tag[i] ^= mac[i];
    return tag;
}

class BuiltinCcm final : public Aead {
  public:
    BuiltinCcm(Cipher cipher, Bytes key) : cipher_(cipher) { expand_key(key, key_.aes); }
    ~BuiltinCcm() override { wipe(key_); }
    BuiltinCcm(const BuiltinCcm&) = delete;
    BuiltinCcm& operator=(const BuiltinCcm&) = delete;

    Cipher cipher() const override { return cipher_; }
    const CcmKey* batch_key() const override { return &key_; }

    Result<void> seal_with_nonce(Transform transform,
                                 std::span<const MutableBytes> message) const override {
        SealJob job{this, transform, message, {}, nullptr};
        seal_ccm(std::span(&job, 1));
        return job.result;
    }

    Result<void> open(ConstTransform transform,
                      std::span<const MutableBytes> message) const override {
        const std::uint64_t total = size_of(message);
        if (total == 0 || total > most) return fail(NtStatus::INVALID_PARAMETER);
        const CcmMessage ccm(transform, total);
        CcmStream stream(key_.aes, ccm);
        for (const MutableBytes part : message) stream.apply(part);
        MacPieces pieces(message);
        MacJob job;
        job.begin(key_.aes, ccm.prefix, pieces.span(), 0, MacJob::Padding::zeros);
        run_macs(std::span(&job, 1));
        const AesBlock tag = masked(key_.aes, ccm, job.lane().state);
        if (!equal_constant_time(transform.subspan<tag_offset, tag_size>(), tag)) {
            return fail(NtStatus::ACCESS_DENIED);
        }
        return {};
    }

  private:
    Cipher cipher_;
    CcmKey key_;
};

}  // namespace

// The MACs of up to mac_lanes messages side by side, over the plaintext; then the keystream.
void seal_ccm(std::span<SealJob> jobs) {
    while (!jobs.empty()) {
        const std::span<SealJob> now = jobs.first(std::min(jobs.size(), mac_lanes));
        jobs = jobs.subspan(now.size());
        std::array<MacJob, mac_lanes> macs;
        std::array<std::optional<CcmMessage>, mac_lanes> messages;
        std::array<std::optional<MacPieces>, mac_lanes> pieces;
        std::size_t begun = 0;
        for (std::size_t i = 0; i < now.size(); ++i) {
            const std::uint64_t total = size_of(now[i].message);
            if (total == 0 || total > most) {
                now[i].result = fail(NtStatus::INVALID_PARAMETER);
                continue;
            }
            messages[i].emplace(now[i].transform, total);
            pieces[i].emplace(now[i].message);
            macs[begun++].begin(now[i].aead->batch_key()->aes, messages[i]->prefix,
                                pieces[i]->span(), 0, MacJob::Padding::zeros);
        }
        run_macs(std::span(macs).first(begun));
        for (std::size_t i = 0, job = 0; i < now.size(); ++i) {
            if (!messages[i]) continue;
            const AesSchedule& key = now[i].aead->batch_key()->aes;
            CcmStream stream(key, *messages[i]);
            for (const MutableBytes part : now[i].message) stream.apply(part);
            const AesBlock tag = masked(key, *messages[i], macs[job++].lane().state);
            std::memcpy(now[i].transform.data() + Aead::tag_offset, tag.data(), tag.size());
        }
    }
}

Result<std::shared_ptr<const Aead>> make_builtin_aead(Cipher cipher, Bytes key) {
    if (cipher == Cipher::none || key.size() != key_size(cipher)) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if (is_ccm(cipher)) return std::make_shared<BuiltinCcm>(cipher, key);
    return std::make_shared<BuiltinGcm>(cipher, key);
}

}  // namespace smb3d::crypto::detail
