// choose_provider: measures who does each algorithm best on this machine, or takes who is asked
// for.
#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "crypto/batch.h"
#include "crypto/provider.h"

namespace smb3d::crypto {

namespace {

constexpr std::size_t sample = 64 * 1024;  // the size of most large READs
constexpr std::size_t company = 4;         // messages at once: what a busy client has under way
constexpr int rounds = 6;
constexpr std::array signings = {SigningAlgorithm::hmac_sha256, SigningAlgorithm::aes_128_cmac,
                                 SigningAlgorithm::aes_128_gmac};
constexpr std::array ciphers = {Cipher::aes_128_ccm, Cipher::aes_128_gcm, Cipher::aes_256_ccm,
                                Cipher::aes_256_gcm};

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

class ChosenProvider final : public Provider {
  public:
    std::string_view name() const override { return "chosen"; }
    Result<std::shared_ptr<const Signer>> make_signer(SigningAlgorithm algorithm,
                                                      Bytes key) const override {
        const auto found = signers.find(algorithm);
        if (found == signers.end()) return fail(NtStatus::INVALID_PARAMETER);
        return found->second->make_signer(algorithm, key);
    }
    Result<std::shared_ptr<const Aead>> make_aead(Cipher cipher, Bytes key) const override {
        const auto found = aeads.find(cipher);
        if (found == aeads.end()) return fail(NtStatus::INVALID_PARAMETER);
        return found->second->make_aead(cipher, key);
    }

    std::map<SigningAlgorithm, const Provider*> signers;
    std::map<Cipher, const Provider*> aeads;
};

// The best of some rounds: what disturbs makes it slower, never faster.
template <class Run>
double rate_of(Run&& run) {
    double best = 0;
    for (int round = 0; round < rounds; ++round) {
        const auto begin = Clock::now();
        run();
        const double seconds = Seconds(Clock::now() - begin).count();
        if (seconds > 0) best = std::max(best, company * sample / seconds);
    }
    return best / (1024.0 * 1024 * 1024);
}

// GiB a second, several messages given together; 0 if the provider lacks the algorithm.
double measure(const Provider& provider, SigningAlgorithm algorithm, std::span<std::byte> memory) {
    const std::array<std::byte, 16> key{};
    const auto signer = provider.make_signer(algorithm, key);
    if (!signer) return 0;
    return rate_of([&] {
        std::array<Bytes, company> messages;
        std::array<SignJob, company> jobs;
        for (std::size_t i = 0; i < company; ++i) {
            messages[i] = Bytes(memory).subspan(i * sample, sample);
            jobs[i].signer = signer->get();
            jobs[i].message = std::span(&messages[i], 1);
        }
        sign_all(jobs);
    });
}

double measure(const Provider& provider, Cipher cipher, std::span<std::byte> memory) {
    const std::array<std::byte, 32> key{};
    const auto aead = provider.make_aead(cipher, Bytes(key).first(key_size(cipher)));
    if (!aead) return 0;
    return rate_of([&] {
        std::array<std::array<std::byte, Aead::transform_size>, company> heads{};
        std::array<MutableBytes, company> messages;
        std::vector<SealJob> jobs;
        for (std::size_t i = 0; i < company; ++i) {
            messages[i] = memory.subspan(i * sample, sample);
            jobs.push_back({aead->get(), heads[i], std::span(&messages[i], 1), {}, nullptr});
        }
        seal_all(jobs);
    });
}

struct Candidate {
    const Provider* provider{nullptr};
    double rate{0};
};

template <class Algorithm>
Candidate best_of(std::span<const Provider* const> candidates, Algorithm algorithm,
                  std::span<std::byte> memory) {
    Candidate best;
    for (const Provider* provider : candidates) {
        const double rate = measure(*provider, algorithm, memory);
        // The first, OpenSSL, stays unless another is clearly faster.
        if (rate > best.rate * 1.05) best = {provider, rate};
    }
    return best;
}

template <class Algorithm>
Candidate preferred(const Provider& wanted, Algorithm algorithm, std::span<std::byte> memory) {
    for (const Provider* provider : {&wanted, &openssl_provider()}) {
        const double rate = measure(*provider, algorithm, memory);
        if (rate > 0) return {provider, rate};
    }
    return {};
}

}  // namespace

Result<Choice> choose_provider(Preference preference) {
    std::vector<const Provider*> candidates{&openssl_provider()};
    if (ipsec_mb_provider() != nullptr) candidates.push_back(ipsec_mb_provider());
    if (builtin_provider() != nullptr) candidates.push_back(builtin_provider());
    const Provider* wanted = nullptr;
    if (preference == Preference::openssl) wanted = &openssl_provider();
    if (preference == Preference::ipsec_mb) wanted = ipsec_mb_provider();
    if (preference == Preference::builtin) wanted = builtin_provider();
    if (preference != Preference::automatic && wanted == nullptr) {
        return fail(NtStatus::NOT_SUPPORTED);
    }
    std::vector<std::byte> memory(company * sample, std::byte{0x5A});
    auto chosen = std::make_shared<ChosenProvider>();
    Choice choice;
    const auto take = [&](auto algorithm, auto& table) {
        const Candidate best = wanted != nullptr ? preferred(*wanted, algorithm, memory)
                                                 : best_of(candidates, algorithm, memory);
        if (best.provider == nullptr) return;  // nobody has it: what uses it fails as before
        table[algorithm] = best.provider;
        choice.rows.push_back(
            {std::string(name_of(algorithm)), std::string(best.provider->name()), best.rate});
    };
    for (const SigningAlgorithm algorithm : signings) take(algorithm, chosen->signers);
    for (const Cipher cipher : ciphers) take(cipher, chosen->aeads);
    choice.provider = std::move(chosen);
    return choice;
}

}  // namespace smb3d::crypto
