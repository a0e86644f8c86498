#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "blog_vectors.h"
#include "crypto/provider.h"
#include "support/hex.h"

namespace smb3d::crypto {
namespace {

using test::hex;
using test::unhex;
namespace blog = test::blog;

using Transform = std::array<std::byte, Aead::transform_size>;

Transform transform_of(Bytes message) {
    Transform transform{};
    std::ranges::copy(message.first(transform.size()), transform.begin());
    return transform;
}

std::shared_ptr<const Aead> make(Cipher cipher, Bytes key) {
    return openssl_provider().make_aead(cipher, key).value();
}
std::shared_ptr<const Aead> make(Cipher cipher) {
    std::vector<std::byte> key(key_size(cipher));
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
    return make(cipher, key);
}

struct Blog {
    Cipher cipher;
    const char* client_key;
    const char* server_key;
    const char* request;
    const char* sealed_request;
    const char* sealed_response;
    const char* response;
};
class Microsoft : public ::testing::TestWithParam<Blog> {};

TEST_P(Microsoft, MsSmb2_3_1_4_3_SealsTheRequest) {
    const auto expected = unhex(GetParam().sealed_request);
    Transform transform = transform_of(expected);
    std::fill_n(transform.begin() + Aead::tag_offset, Aead::tag_size, std::byte{0});
    auto message = unhex(GetParam().request);
    const auto aead = make(GetParam().cipher, unhex(GetParam().client_key));
    const MutableBytes parts[] = {message};
    ASSERT_TRUE(aead->seal_with_nonce(transform, parts));
    EXPECT_EQ(hex(transform) + hex(message), hex(expected));
}

TEST_P(Microsoft, MsSmb2_3_1_4_3_SealsTheRequestInPieces) {
    const auto expected = unhex(GetParam().sealed_request);
    Transform transform = transform_of(expected);
    auto message = unhex(GetParam().request);
    const MutableBytes all = message;
    const MutableBytes parts[] = {all.first(64), all.subspan(64, 0), all.subspan(64, 5),
                                  all.subspan(69)};
    const auto aead = make(GetParam().cipher, unhex(GetParam().client_key));
    for (int i = 0; i < 2; ++i) {
        std::ranges::copy(unhex(GetParam().request), message.begin());
        std::fill_n(transform.begin() + Aead::tag_offset, Aead::tag_size, std::byte{0});
        ASSERT_TRUE(aead->seal_with_nonce(transform, parts));
        EXPECT_EQ(hex(transform) + hex(message), hex(expected));
    }
}

TEST_P(Microsoft, MsSmb2_3_1_4_3_OpensTheResponse) {
    const auto sealed = unhex(GetParam().sealed_response);
    const Transform transform = transform_of(sealed);
    std::vector<std::byte> message(sealed.begin() + Aead::transform_size, sealed.end());
    const auto aead = make(GetParam().cipher, unhex(GetParam().server_key));
    ASSERT_TRUE(aead->open(transform, MutableBytes(message)));
    EXPECT_EQ(hex(message), GetParam().response);
}

INSTANTIATE_TEST_SUITE_P(Blogs, Microsoft,
                         ::testing::Values(Blog{Cipher::aes_128_ccm, blog::client_to_server_300,
                                                blog::server_to_client_300, blog::write_request_300,
                                                blog::sealed_request_300, blog::sealed_response_300,
                                                blog::write_response_300},
                                           Blog{Cipher::aes_128_gcm, blog::client_to_server_311,
                                                blog::server_to_client_311, blog::write_request_311,
                                                blog::sealed_request_311, blog::sealed_response_311,
                                                blog::write_response_311}));

// Computed with Python's cryptography module.
TEST(Aead, KnownAnswersWith256Bits) {
    const auto header = unhex(
        "fd534d42 00000000000000000000000000000000 404142434445464748494a4b4c4d4e4f"
        "64000000 0000 0100 1122334455667788");
    std::vector<std::byte> plain(100);
    for (std::size_t i = 0; i < 100; ++i) plain[i] = static_cast<std::byte>(i * 7);
    const std::pair<Cipher, const char*> answers[] = {
        {Cipher::aes_256_gcm,
         "daa91acefb48ed1e47b15e7b767e0bac"
         "e2bea0363a1fad32f5fb517bcf3f713209b12cd93ba69582dfe8f85853d83f0278ef1d5922bad545"
         "39eb2d42a5369d939b26f4545fb498880995429983419a7924d41b7fd83dc15baf3e65888263de41"
         "7e4f6c8e67394eee1fb953429f8bb6cc1754d45f"},
        {Cipher::aes_256_ccm,
         "7df04c8c6a7907af1b6a47249a0bc176"
         "750a7dbf17c9a80552e78ec6d5ff2859f8ec99cffdf7cc6815fedd5eabad1d2dc8f3f577928915dc"
         "21abb8a76c8e8cfbfc5f3d97586518d787cfc508b4d652188168ee4e4fc164319279b5c904b3aa18"
         "d915c3eb8eb4ba5d051703622df5acbea67ee4f2"},
    };
    for (const auto& [cipher, expected] : answers) {
        Transform transform = transform_of(header);
        auto message = plain;
        const MutableBytes parts[] = {message};
        ASSERT_TRUE(make(cipher)->seal_with_nonce(transform, parts));
        EXPECT_EQ(hex(Bytes(transform).subspan(Aead::tag_offset, Aead::tag_size)) + hex(message),
                  expected)
            << name_of(cipher);
    }
}

class EachCipher : public ::testing::TestWithParam<Cipher> {};

TEST_P(EachCipher, OpensWhatItSealed) {
    const auto aead = make(GetParam());
    EXPECT_EQ(aead->cipher(), GetParam());
    for (const std::size_t size : {1, 15, 16, 17, 64, 100, 4096, 300'000}) {
        std::vector<std::byte> plain(size);
        for (std::size_t i = 0; i < size; ++i) plain[i] = static_cast<std::byte>(i * 31);
        auto message = plain;
        Transform transform{};
        const MutableBytes all = message;
        const MutableBytes pieces[] = {all.first(size / 2), all.subspan(size / 2)};
        ASSERT_TRUE(aead->seal(transform, pieces));
        EXPECT_NE(message, plain);
        auto copy = message;
        ASSERT_TRUE(aead->open(transform, MutableBytes(copy))) << size;
        EXPECT_EQ(copy, plain);
        ASSERT_TRUE(aead->open(transform, pieces)) << size;
        EXPECT_EQ(message, plain);
    }
}

TEST_P(EachCipher, RefusesEveryChangedBit) {
    const auto aead = make(GetParam());
    std::vector<std::byte> message(80, std::byte{7});
    Transform transform{};
    ASSERT_TRUE(aead->seal(transform, MutableBytes(message)));
    // From the tag on; the nonce's unused bytes are authenticated as well.
    for (std::size_t i = Aead::tag_offset; i < transform.size(); ++i) {
        Transform changed = transform;
        changed[i] ^= std::byte{1};
        auto copy = message;
        const auto opened = aead->open(changed, MutableBytes(copy));
        ASSERT_FALSE(opened) << i;
        EXPECT_EQ(opened.error(), NtStatus::ACCESS_DENIED);
    }
    for (std::size_t i = 0; i < message.size(); ++i) {
        auto copy = message;
        copy[i] ^= std::byte{0x80};
        ASSERT_FALSE(aead->open(transform, MutableBytes(copy))) << i;
    }
    auto shorter = message;
    shorter.pop_back();
    EXPECT_FALSE(aead->open(transform, MutableBytes(shorter)));
    auto intact = message;
    EXPECT_TRUE(aead->open(transform, MutableBytes(intact)));
}

TEST_P(EachCipher, NeverUsesANonceTwice) {
    const auto aead = make(GetParam());
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        std::byte one{};
        Transform transform{};
        ASSERT_TRUE(aead->seal(transform, MutableBytes(&one, 1)));
        const Bytes nonce = Bytes(transform).subspan(Aead::nonce_offset, Aead::nonce_field_size);
        EXPECT_TRUE(seen.insert(hex(nonce.first(nonce_size(GetParam())))).second);
        for (const std::byte unused : nonce.subspan(nonce_size(GetParam()))) {
            EXPECT_EQ(unused, std::byte{0});
        }
    }
}

TEST_P(EachCipher, RefusesNothing) {
    const auto aead = make(GetParam());
    Transform transform{};
    EXPECT_EQ(aead->seal(transform, MutableBytes{}).error(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(aead->open(transform, MutableBytes{}).error(), NtStatus::INVALID_PARAMETER);
}

TEST_P(EachCipher, ManyThreadsShareOne) {
    const auto aead = make(GetParam());
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 10; ++t) {
        threads.emplace_back([&, t] {
            const std::vector<std::byte> plain(200 + t, static_cast<std::byte>(t));
            for (int i = 0; i < 200; ++i) {
                auto message = plain;
                Transform transform{};
                if (!aead->seal(transform, MutableBytes(message)) ||
                    !aead->open(transform, MutableBytes(message)) || message != plain) {
                    ++wrong;
                }
            }
        });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0);
}

TEST_P(EachCipher, RefusesOtherKeyLengths) {
    for (const std::size_t size : {0, 15, 24, 33}) {
        const std::vector<std::byte> key(size);
        EXPECT_FALSE(openssl_provider().make_aead(GetParam(), key)) << size;
    }
}

INSTANTIATE_TEST_SUITE_P(All, EachCipher,
                         ::testing::Values(Cipher::aes_128_ccm, Cipher::aes_128_gcm,
                                           Cipher::aes_256_ccm, Cipher::aes_256_gcm));

TEST(Aead, SealsABufferChain) {
    const auto aead = make(Cipher::aes_128_gcm);
    const BufferChain chain{make_heap_buffer(10), make_heap_buffer(20)};
    for (const Buffer& part : chain) std::ranges::fill(part.mutable_bytes(), std::byte{1});
    Transform transform{};
    ASSERT_TRUE(aead->seal(transform, std::span<const Buffer>(chain)));
    const MutableBytes parts[] = {chain[0].mutable_bytes(), chain[1].mutable_bytes()};
    ASSERT_TRUE(aead->open(transform, parts));
    EXPECT_EQ(chain[1].data()[19], std::byte{1});
    EXPECT_FALSE(openssl_provider().make_aead(Cipher::none, {}));
}

}  // namespace
}  // namespace smb3d::crypto
