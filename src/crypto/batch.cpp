#include "crypto/batch.h"

#include <algorithm>
#include <cstring>

namespace smb3d::crypto {

bool gains_from_company(const Signer& signer) { return signer.batch_key() != nullptr; }
bool gains_from_company(const Aead& aead) { return aead.batch_key() != nullptr; }

void sign_all(std::span<SignJob> jobs) {
    const auto rest = std::partition(jobs.begin(), jobs.end(), [](const SignJob& job) {
        return gains_from_company(*job.signer);
    });
    detail::sign_cmac(std::span(jobs.begin(), rest));
    for (auto job = rest; job != jobs.end(); ++job) {
        job->signature = job->signer->sign(job->message, job->fields);
    }
}

void seal_all(std::span<SealJob> jobs) {
    const auto is_long = [](const SealJob& job) { return key_size(job.aead->cipher()) == 32; };
    const auto single = std::partition(
        jobs.begin(), jobs.end(), [](const SealJob& job) { return gains_from_company(*job.aead); });
    for (auto job = jobs.begin(); job != single; ++job) job->aead->choose_nonce(job->transform);
    const auto short_keys = std::partition(jobs.begin(), single, is_long);
    detail::seal_ccm(std::span(jobs.begin(), short_keys));
    detail::seal_ccm(std::span(short_keys, single));
    for (auto job = single; job != jobs.end(); ++job) {
        job->result = job->aead->seal(job->transform, job->message);
    }
}

namespace detail {

std::array<std::byte, 12> gmac_nonce(const SigningFields& fields) {
    std::array<std::byte, 12> nonce{};
    std::memcpy(nonce.data(), &fields.message_id, sizeof fields.message_id);
    nonce[8] = static_cast<std::byte>((fields.from_server ? 1 : 0) | (fields.cancel ? 2 : 0));
    return nonce;
}

}  // namespace detail

}  // namespace smb3d::crypto
