#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "crypto/cmac.h"
#include "crypto/provider.h"
#include "support/hex.h"

namespace smb3d::crypto {
namespace {

using test::hex;
using test::unhex;

constexpr const char* key_hex = "000102030405060708090a0b0c0d0e0f";

std::shared_ptr<const Signer> make(SigningAlgorithm algorithm) {
    auto signer = openssl_provider().make_signer(algorithm, unhex(key_hex));
    return signer.value();
}

std::vector<std::byte> message_of(std::size_t size) {
    std::vector<std::byte> message(size);
    for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<std::byte>(i * 5 + 1);
    return message;
}

// `message` cut at random places, the header in one piece.
std::vector<Bytes> cut(Bytes message, std::mt19937& random) {
    std::vector<Bytes> parts;
    std::size_t size = 64 + random() % 64;
    while (!message.empty()) {
        size = std::min(size, message.size());
        parts.push_back(message.first(size));
        message = message.subspan(size);
        size = random() % 40;
    }
    return parts;
}

std::string rfc4493(std::string_view message) {
    const auto cmac = detail::Cmac::create(unhex("2b7e151628aed2a6abf7158809cf4f3c"));
    std::array<std::byte, 16> mac{};
    EXPECT_TRUE(cmac->begin());
    EXPECT_TRUE(cmac->update(unhex(message)));
    EXPECT_TRUE(cmac->finish(mac));
    return hex(mac);
}

TEST(Cmac, Rfc4493Section4) {
    EXPECT_EQ(rfc4493(""), "bb1d6929e95937287fa37d129b756746");
    EXPECT_EQ(rfc4493("6bc1bee22e409f96e93d7e117393172a"), "070a16b46b4d4144f79bdd9dd04a287c");
    EXPECT_EQ(rfc4493("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                      "30c81c46a35ce411"),
              "dfa66747de9ae63030ca32611497c827");
    EXPECT_EQ(rfc4493("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                      "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"),
              "51f0bebf7e3b9d92fc49741779363cfe");
}

// Computed with Python's cryptography and hmac modules, over the message with its Signature as
// zeros.
TEST(Signer, MsSmb2_3_1_4_1_KnownAnswers) {
    const auto message = message_of(150);
    const SigningFields fields{0x0102030405060708, false, false};
    EXPECT_EQ(hex(make(SigningAlgorithm::hmac_sha256)->sign(message, fields).value()),
              "429d5fa8b09d86c89121f79ed468a202");
    EXPECT_EQ(hex(make(SigningAlgorithm::aes_128_cmac)->sign(message, fields).value()),
              "fcdf412a5c2831dd5136f95f1de2de21");
    const auto gmac = make(SigningAlgorithm::aes_128_gmac);
    EXPECT_EQ(hex(gmac->sign(message, fields).value()), "107e3f36dc21107e1d24f1b6ce202fc0");
    EXPECT_EQ(hex(gmac->sign(message, {fields.message_id, true, false}).value()),
              "00017fd886e3350a7f13f488846e3cbc");
    EXPECT_EQ(hex(gmac->sign(message, {fields.message_id, false, true}).value()),
              "23eda01f5f4189ad368e0f57fca3cdde");
    // Again with the same object: nothing is left over from the messages before.
    EXPECT_EQ(hex(gmac->sign(message, fields).value()), "107e3f36dc21107e1d24f1b6ce202fc0");
}

class EachSigner : public ::testing::TestWithParam<SigningAlgorithm> {};

TEST_P(EachSigner, PiecesMakeNoDifference) {
    const auto signer = make(GetParam());
    EXPECT_EQ(signer->algorithm(), GetParam());
    std::mt19937 random(7);
    for (std::size_t size = 64; size < 400; ++size) {
        const auto message = message_of(size);
        const SigningFields fields{size, true, false};
        const auto whole = signer->sign(message, fields);
        const auto parts = cut(message, random);
        ASSERT_EQ(signer->sign(parts, fields).value(), whole.value()) << size;
    }
    const auto large = message_of(70'001);
    const Bytes two[] = {Bytes(large).first(112), Bytes(large).subspan(112)};
    EXPECT_EQ(signer->sign(two, {}).value(), signer->sign(large, {}).value());
}

TEST_P(EachSigner, VerifiesOwnSignatureAndNoOther) {
    const auto signer = make(GetParam());
    const SigningFields fields{42, false, false};
    auto message = message_of(200);
    const Signature signature = signer->sign(message, fields).value();
    std::ranges::copy(signature, message.begin() + Signer::signature_offset);
    EXPECT_TRUE(signer->verify(message, fields));
    // Signing again gives the same, whatever the field holds.
    EXPECT_EQ(signer->sign(message, fields).value(), signature);
    for (std::size_t i = 0; i < message.size(); ++i) {
        message[i] ^= std::byte{0x10};
        const auto verified = signer->verify(message, fields);
        ASSERT_FALSE(verified) << i;
        EXPECT_EQ(verified.error(), NtStatus::ACCESS_DENIED);
        message[i] ^= std::byte{0x10};
    }
    message.pop_back();
    EXPECT_FALSE(signer->verify(message, fields));
}

TEST_P(EachSigner, NeedsTheHeaderInOnePiece) {
    const auto signer = make(GetParam());
    const auto message = message_of(100);
    const Bytes parts[] = {Bytes(message).first(63), Bytes(message).subspan(63)};
    EXPECT_EQ(signer->sign(parts, {}).error(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(signer->sign(std::span<const Bytes>{}, {}).error(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(signer->verify(Bytes(message).first(10), {}).error(), NtStatus::INVALID_PARAMETER);
}

TEST_P(EachSigner, ManyThreadsShareOne) {
    const auto signer = make(GetParam());
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 12; ++t) {
        threads.emplace_back([&, t] {
            const auto message = message_of(100 + t * 33);
            const Signature expected = make(GetParam())->sign(message, {t, true, false}).value();
            for (int i = 0; i < 300; ++i) {
                const auto signature = signer->sign(message, {t, true, false});
                if (!signature || *signature != expected) ++wrong;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0);
}

TEST_P(EachSigner, SignsABufferChain) {
    const auto signer = make(GetParam());
    const auto message = message_of(64 + 40 * 3);
    BufferChain chain;
    chain.push_back(make_heap_buffer(64));
    std::copy_n(message.begin(), 64, chain.back().data());
    for (std::size_t at = 64; at < message.size(); at += 3) {  // more pieces than fit the stack
        chain.push_back(make_heap_buffer(3));
        std::copy_n(message.begin() + static_cast<std::ptrdiff_t>(at), 3, chain.back().data());
    }
    EXPECT_EQ(signer->sign(std::span<const Buffer>(chain), {}).value(),
              signer->sign(message, {}).value());
}

INSTANTIATE_TEST_SUITE_P(All, EachSigner,
                         ::testing::Values(SigningAlgorithm::hmac_sha256,
                                           SigningAlgorithm::aes_128_cmac,
                                           SigningAlgorithm::aes_128_gmac));

TEST(Signer, RefusesOtherKeyLengths) {
    const auto& provider = openssl_provider();
    for (const std::size_t size : {0, 15, 17, 33}) {
        const std::vector<std::byte> key(size);
        EXPECT_FALSE(provider.make_signer(SigningAlgorithm::aes_128_cmac, key)) << size;
        EXPECT_FALSE(provider.make_signer(SigningAlgorithm::aes_128_gmac, key)) << size;
    }
    EXPECT_FALSE(provider.make_signer(SigningAlgorithm::hmac_sha256, {}));
    EXPECT_FALSE(provider.make_signer(static_cast<SigningAlgorithm>(3), unhex(key_hex)));
}

// OpenSSL's own CMAC as the oracle.
TEST(Cmac, AgreesWithOpenssl) {
    const auto key = unhex(key_hex);
    const auto cmac = detail::Cmac::create(key);
    EVP_MAC* oracle = ::EVP_MAC_fetch(nullptr, "CMAC", nullptr);
    ASSERT_NE(oracle, nullptr);
    for (const std::size_t size : {1, 15, 16, 17, 4095, 4096, 4097, 4112, 8192, 20'000}) {
        const auto message = message_of(size);
        std::array<std::byte, 16> mac{};
        ASSERT_TRUE(cmac->begin() && cmac->update(Bytes(message).first(size / 3)) &&
                    cmac->update(Bytes(message).subspan(size / 3)) && cmac->finish(mac));
        EVP_MAC_CTX* context = ::EVP_MAC_CTX_new(oracle);
        char name[] = "AES-128-CBC";
        const OSSL_PARAM params[] = {
            ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0),
            ::OSSL_PARAM_construct_end()};
        std::array<std::byte, 16> expected{};
        std::size_t written = 0;
        ASSERT_EQ(
            ::EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(key.data()), 16, params),
            1);
        ::EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(message.data()), size);
        ::EVP_MAC_final(context, reinterpret_cast<unsigned char*>(expected.data()), &written, 16);
        ::EVP_MAC_CTX_free(context);
        EXPECT_EQ(hex(mac), hex(expected)) << size;
    }
    ::EVP_MAC_free(oracle);
}

}  // namespace
}  // namespace smb3d::crypto
