// Signing and encryption, over a small message and over the data of a large READ.
#include <array>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include "crypto/batch.h"
#include "crypto/preauth.h"
#include "crypto/provider.h"

namespace smb3d {
namespace {

using crypto::Cipher;
using crypto::SigningAlgorithm;

struct Named {
    const char* name;
    const crypto::Provider* provider;
};
std::vector<Named> providers() {
    std::vector<Named> out{{"openssl", &crypto::openssl_provider()}};
    if (crypto::ipsec_mb_provider() != nullptr) {
        out.push_back({"ipsec_mb", crypto::ipsec_mb_provider()});
    }
    if (crypto::builtin_provider() != nullptr) {
        out.push_back({"builtin", crypto::builtin_provider()});
    }
    return out;
}

constexpr std::array<std::int64_t, 4> sizes = {128, 4096, 65536, 1 << 20};
constexpr std::array<std::size_t, 3> companies = {1, 4, 8};  // messages at once

void sign(benchmark::State& state, const crypto::Provider& provider, SigningAlgorithm algorithm,
          std::size_t company) {
    const std::vector<std::byte> key(16, std::byte{7});
    const auto signer = provider.make_signer(algorithm, key);
    const auto size = static_cast<std::size_t>(state.range(0));
    const std::vector<std::byte> memory(size * company, std::byte{1});
    std::vector<Bytes> messages(company);
    std::vector<crypto::SignJob> jobs(company);
    for (std::size_t i = 0; i < company; ++i) {
        messages[i] = Bytes(memory).subspan(i * size, size);
        jobs[i].signer = signer->get();
        jobs[i].message = std::span(&messages[i], 1);
    }
    for (auto _ : state) {
        for (crypto::SignJob& job : jobs) ++job.fields.message_id;
        crypto::sign_all(jobs);
        benchmark::DoNotOptimize(jobs.data());
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(memory.size()));
}

void seal(benchmark::State& state, const crypto::Provider& provider, Cipher cipher,
          std::size_t company) {
    const std::vector<std::byte> key(crypto::key_size(cipher), std::byte{7});
    const auto aead = provider.make_aead(cipher, key);
    const auto size = static_cast<std::size_t>(state.range(0));
    std::vector<std::byte> memory(size * company, std::byte{1});
    std::vector<std::array<std::byte, crypto::Aead::transform_size>> heads(company);
    std::vector<MutableBytes> messages(company);
    std::vector<crypto::SealJob> jobs;
    for (std::size_t i = 0; i < company; ++i) {
        messages[i] = MutableBytes(memory).subspan(i * size, size);
        jobs.push_back({aead->get(), heads[i], std::span(&messages[i], 1), {}, nullptr});
    }
    for (auto _ : state) {
        crypto::seal_all(jobs);
        benchmark::DoNotOptimize(memory.data());
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(memory.size()));
}

void open(benchmark::State& state, const crypto::Provider& provider, Cipher cipher) {
    const std::vector<std::byte> key(crypto::key_size(cipher), std::byte{7});
    const auto aead = provider.make_aead(cipher, key);
    std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)), std::byte{1});
    const std::array<std::byte, crypto::Aead::transform_size> head{};
    for (auto _ : state) {  // the tag is wrong: the work is the same
        auto done = (*aead)->open(head, MutableBytes(message));
        benchmark::DoNotOptimize(done);
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

template <class Run>
void add(const std::string& name, Run run) {
    auto* benchmark = benchmark::RegisterBenchmark(name.c_str(), run);
    for (const std::int64_t size : sizes) benchmark->Arg(size);
}

// Every algorithm by everyone who has it; several messages at once where that makes a difference.
[[maybe_unused]] const bool registered = [] {
    for (const auto& [name, provider] : providers()) {
        for (const auto algorithm : {SigningAlgorithm::hmac_sha256, SigningAlgorithm::aes_128_cmac,
                                     SigningAlgorithm::aes_128_gmac}) {
            const auto signer = provider->make_signer(algorithm, std::vector<std::byte>(16));
            if (!signer) continue;
            for (const std::size_t company : companies) {
                if (company > 1 && !crypto::gains_from_company(**signer)) continue;
                add(fmt::format("sign/{}/{}x{}", crypto::name_of(algorithm), name, company),
                    [p = provider, algorithm, company](benchmark::State& state) {
                        sign(state, *p, algorithm, company);
                    });
            }
        }
        for (const auto cipher :
             {Cipher::aes_128_ccm, Cipher::aes_128_gcm, Cipher::aes_256_ccm, Cipher::aes_256_gcm}) {
            const auto aead =
                provider->make_aead(cipher, std::vector<std::byte>(crypto::key_size(cipher)));
            if (!aead) continue;
            for (const std::size_t company : companies) {
                if (company > 1 && !crypto::gains_from_company(**aead)) continue;
                add(fmt::format("seal/{}/{}x{}", crypto::name_of(cipher), name, company),
                    [p = provider, cipher, company](benchmark::State& state) {
                        seal(state, *p, cipher, company);
                    });
            }
            add(fmt::format("open/{}/{}", crypto::name_of(cipher), name),
                [p = provider, cipher](benchmark::State& state) { open(state, *p, cipher); });
        }
    }
    return true;
}();

void preauth_hash(benchmark::State& state) {
    const std::vector<std::byte> message(300, std::byte{1});
    crypto::PreauthHash hash;
    for (auto _ : state) {
        hash.update(Bytes(message));
        benchmark::DoNotOptimize(hash);
    }
}
BENCHMARK(preauth_hash);

}  // namespace
}  // namespace smb3d
