// Signing and encryption, over a small message and over the data of a large READ.
#include <array>
#include <vector>

#include <benchmark/benchmark.h>

#include "crypto/preauth.h"
#include "crypto/provider.h"

namespace smb3d {
namespace {

using crypto::Cipher;
using crypto::SigningAlgorithm;

void sign(benchmark::State& state, SigningAlgorithm algorithm) {
    const std::vector<std::byte> key(16, std::byte{7});
    const auto signer = crypto::openssl_provider().make_signer(algorithm, key);
    if (!signer) {
        state.SkipWithError("no such algorithm here");
        return;
    }
    const std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)), std::byte{1});
    crypto::SigningFields fields;
    for (auto _ : state) {
        ++fields.message_id;
        auto signature = (*signer)->sign(Bytes(message), fields);
        benchmark::DoNotOptimize(signature);
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(sign, hmac_sha256, SigningAlgorithm::hmac_sha256)
    ->Arg(128)
    ->Arg(65536)
    ->Arg(1 << 20);
BENCHMARK_CAPTURE(sign, aes_128_cmac, SigningAlgorithm::aes_128_cmac)
    ->Arg(128)
    ->Arg(65536)
    ->Arg(1 << 20);
BENCHMARK_CAPTURE(sign, aes_128_gmac, SigningAlgorithm::aes_128_gmac)
    ->Arg(128)
    ->Arg(65536)
    ->Arg(1 << 20);

void seal(benchmark::State& state, Cipher cipher) {
    const std::vector<std::byte> key(crypto::key_size(cipher), std::byte{7});
    const auto aead = crypto::openssl_provider().make_aead(cipher, key);
    if (!aead) {
        state.SkipWithError("no such cipher here");
        return;
    }
    std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)), std::byte{1});
    std::array<std::byte, crypto::Aead::transform_size> transform{};
    for (auto _ : state) {
        auto done = (*aead)->seal(transform, MutableBytes(message));
        benchmark::DoNotOptimize(done);
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(seal, aes_128_gcm, Cipher::aes_128_gcm)->Arg(128)->Arg(65536)->Arg(1 << 20);
BENCHMARK_CAPTURE(seal, aes_128_ccm, Cipher::aes_128_ccm)->Arg(128)->Arg(65536)->Arg(1 << 20);
BENCHMARK_CAPTURE(seal, aes_256_gcm, Cipher::aes_256_gcm)->Arg(128)->Arg(65536)->Arg(1 << 20);
BENCHMARK_CAPTURE(seal, aes_256_ccm, Cipher::aes_256_ccm)->Arg(128)->Arg(65536)->Arg(1 << 20);

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
