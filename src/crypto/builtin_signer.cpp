// AES-CMAC and AES-GMAC ([MS-SMB2] 3.1.4.1) on the processor's own instructions.
#include <algorithm>
#include <cstring>

#include "crypto/batch.h"
#include "crypto/builtin_provider.h"
#include "crypto/hash.h"

namespace smb3d::crypto::detail {

namespace {

constexpr std::size_t aes_128_key = 16;

template <class T>
void wipe(T& secret) {
    cleanse(MutableBytes(reinterpret_cast<std::byte*>(&secret), sizeof secret));
}

bool holds_header(std::span<const Bytes> message) {
    return !message.empty() && message[0].size() >= Signer::header_size;
}

// The header with zeros in place of the Signature.
std::array<std::byte, Signer::header_size> header_of(std::span<const Bytes> message) {
    std::array<std::byte, Signer::header_size> header;
    std::memcpy(header.data(), message[0].data(), header.size());
    std::fill_n(header.begin() + Signer::signature_offset, sizeof(Signature), std::byte{0});
    return header;
}

// [SP800-38B] 6.1: times x in GF(2^128).
AesBlock doubled(const AesBlock& block) {
    AesBlock out{};
    for (std::size_t i = 0; i < block.size(); ++i) {
        const std::byte next = i + 1 < block.size() ? block[i + 1] >> 7 : std::byte{0};
        out[i] = block[i] << 1 | next;
    }
    if ((block[0] & std::byte{0x80}) != std::byte{0}) out[15] ^= std::byte{0x87};
    return out;
}

class BuiltinCmac final : public Signer {
  public:
    explicit BuiltinCmac(Bytes key) {
        expand_key(key, key_.aes);
        key_.k1 = doubled(encrypt_block(key_.aes, {}));
        key_.k2 = doubled(key_.k1);
    }
    ~BuiltinCmac() override { wipe(key_); }
    BuiltinCmac(const BuiltinCmac&) = delete;
    BuiltinCmac& operator=(const BuiltinCmac&) = delete;

    SigningAlgorithm algorithm() const override { return SigningAlgorithm::aes_128_cmac; }
    const CmacKey* batch_key() const override { return &key_; }

    Result<Signature> sign(std::span<const Bytes> message,
                           const SigningFields& fields) const override {
        SignJob job{this, message, fields, fail(NtStatus::INTERNAL_ERROR), nullptr};
        sign_cmac(std::span(&job, 1));
        return job.signature;
    }

  private:
    CmacKey key_;
};

// AES-GCM that encrypts nothing.
class BuiltinGmac final : public Signer {
  public:
    explicit BuiltinGmac(Bytes key) { make_gcm_key(key, key_); }
    ~BuiltinGmac() override { wipe(key_); }
    BuiltinGmac(const BuiltinGmac&) = delete;
    BuiltinGmac& operator=(const BuiltinGmac&) = delete;

    SigningAlgorithm algorithm() const override { return SigningAlgorithm::aes_128_gmac; }

    Result<Signature> sign(std::span<const Bytes> message,
                           const SigningFields& fields) const override {
        if (!holds_header(message)) return fail(NtStatus::INVALID_PARAMETER);
        const auto nonce = gmac_nonce(fields);
        GcmState state;
        gcm_begin(key_, nonce, state);
        gcm_aad(key_, state, header_of(message));
        gcm_aad(key_, state, message[0].subspan(header_size));
        for (const Bytes part : message.subspan(1)) gcm_aad(key_, state, part);
        const Signature signature = gcm_finish(key_, state);
        wipe(state);
        return signature;
    }

  private:
    GcmKey key_;
};

}  // namespace

void sign_cmac(std::span<SignJob> jobs) {
    while (!jobs.empty()) {
        const std::span<SignJob> now = jobs.first(std::min(jobs.size(), mac_lanes));
        jobs = jobs.subspan(now.size());
        std::array<MacJob, mac_lanes> macs;
        std::size_t begun = 0;
        for (SignJob& job : now) {
            if (!holds_header(job.message)) continue;
            const CmacKey& key = *job.signer->batch_key();
            macs[begun++].begin(key.aes, header_of(job.message), job.message, Signer::header_size,
                                MacJob::Padding::cmac, &key);
        }
        run_macs(std::span(macs).first(begun));
        std::size_t done = 0;
        for (SignJob& job : now) {
            if (holds_header(job.message)) {
                job.signature = macs[done++].lane().state;
            } else {
                job.signature = fail(NtStatus::INVALID_PARAMETER);
            }
        }
    }
}

Result<std::shared_ptr<const Signer>> make_builtin_signer(SigningAlgorithm algorithm, Bytes key) {
    if (algorithm == SigningAlgorithm::hmac_sha256) return fail(NtStatus::NOT_SUPPORTED);
    if (key.size() != aes_128_key) return fail(NtStatus::INVALID_PARAMETER);
    if (algorithm == SigningAlgorithm::aes_128_cmac) return std::make_shared<BuiltinCmac>(key);
    if (algorithm == SigningAlgorithm::aes_128_gmac) return std::make_shared<BuiltinGmac>(key);
    return fail(NtStatus::INVALID_PARAMETER);
}

}  // namespace smb3d::crypto::detail
