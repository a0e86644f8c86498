#include "crypto/kdf.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "blog_vectors.h"
#include "crypto/preauth.h"
#include "support/hex.h"

namespace smb3d::crypto {
namespace {

using test::hex;
using test::unhex;
namespace blog = test::blog;

Digest64 digest_of(const char* text) {
    Digest64 digest{};
    std::ranges::copy(unhex(text), digest.begin());
    return digest;
}

TEST(Preauth, MsSmb2_3_1_4_4_1_HashChainOfMicrosoft) {
    PreauthHash hash;
    EXPECT_EQ(hex(hash.bytes()), std::string(128, '0'));
    const std::pair<const char*, const char*> steps[] = {
        {blog::negotiate_request, blog::hash_1},
        {blog::negotiate_response, blog::hash_2},
        {blog::session_setup_request_1, blog::hash_3},
        {blog::session_setup_response_1, blog::hash_4},
        {blog::session_setup_request_2, blog::hash_5},
    };
    for (const auto& [message, expected] : steps) {
        hash.update(unhex(message));
        EXPECT_EQ(hex(hash.bytes()), expected);
    }
    const SessionKeys keys = derive_session_keys(0x0311, unhex(blog::preauth_session_key),
                                                 hash.value(), Cipher::aes_128_gcm);
    EXPECT_EQ(hex(keys.signing.bytes()), blog::preauth_signing_key);
}

TEST(Preauth, PiecesAreOneMessage) {
    const auto message = unhex(blog::negotiate_response);
    Buffer first = make_heap_buffer(64);
    Buffer second = make_heap_buffer(message.size() - 64);
    std::copy_n(message.begin(), 64, first.data());
    std::copy(message.begin() + 64, message.end(), second.data());
    const BufferChain chain{first, second};
    PreauthHash hash;
    hash.update(unhex(blog::negotiate_request));
    hash.update(std::span<const Buffer>(chain));
    EXPECT_EQ(hex(hash.bytes()), blog::hash_2);
}

TEST(Kdf, MsSmb2_3_1_4_2_Smb300OfMicrosoft) {
    const SessionKeys keys =
        derive_session_keys(0x0300, unhex(blog::session_key_300), {}, Cipher::aes_128_ccm);
    EXPECT_EQ(hex(keys.decryption.bytes()), blog::client_to_server_300);
    EXPECT_EQ(hex(keys.encryption.bytes()), blog::server_to_client_300);
    // Computed with Python's hmac module.
    EXPECT_EQ(hex(keys.signing.bytes()), "f773cd23c18fd1e08ee510cada7cf852");
    EXPECT_EQ(hex(keys.application.bytes()), "77432f808ce99156b5bc6a3676d730d1");
}

TEST(Kdf, MsSmb2_3_1_4_2_Smb311OfMicrosoft) {
    const SessionKeys keys = derive_session_keys(0x0311, unhex(blog::session_key_311),
                                                 digest_of(blog::preauth_311), Cipher::aes_128_gcm);
    EXPECT_EQ(hex(keys.decryption.bytes()), blog::client_to_server_311);
    EXPECT_EQ(hex(keys.encryption.bytes()), blog::server_to_client_311);
}

// Computed with Python's hmac module.
TEST(Kdf, MsSmb2_3_3_5_5_3_FullSessionKeyWith256Bits) {
    std::vector<std::byte> key(32);
    Digest64 preauth{};
    for (unsigned i = 0; i < 32; ++i) key[i] = static_cast<std::byte>(i);
    for (unsigned i = 0; i < 64; ++i) preauth[i] = static_cast<std::byte>(i);
    const SessionKeys keys = derive_session_keys(0x0311, key, preauth, Cipher::aes_256_gcm);
    EXPECT_EQ(hex(keys.decryption.bytes()),
              "e568de865ae188f20138931c5423898fc0d5e94fa094b72d474fc56cf5703db6");
    EXPECT_EQ(hex(keys.encryption.bytes()),
              "53f8b2fb513a90f5231f5ac12ba0a24b9eed8f6e80596136560f1b0003e8d2ae");
    EXPECT_EQ(hex(keys.signing.bytes()), "f7e5401ecc6e79ef9eab401b05004e4f");
    EXPECT_EQ(hex(keys.application.bytes()), "3b37360639dd593424d252bd73a0c0ff");
    EXPECT_EQ(hex(keys.session.bytes()), hex(Bytes(key).first(16)));
}

TEST(Kdf, MsSmb2_3_3_5_5_3_OldDialectsUseTheSessionKey) {
    const auto key = unhex("0102030405060708");
    const SessionKeys keys = derive_session_keys(0x0210, key, {}, Cipher::none);
    EXPECT_EQ(hex(keys.session.bytes()), "01020304050607080000000000000000");
    EXPECT_EQ(hex(keys.signing.bytes()), hex(keys.session.bytes()));
    EXPECT_TRUE(keys.encryption.empty());
    EXPECT_TRUE(keys.decryption.empty());
}

TEST(Kdf, NoCipherNoKeys) {
    const SessionKeys keys = derive_session_keys(0x0311, unhex(blog::session_key_311),
                                                 digest_of(blog::preauth_311), Cipher::none);
    EXPECT_TRUE(keys.encryption.empty());
    EXPECT_FALSE(keys.signing.empty());
    EXPECT_EQ(hex(derive_channel_signing_key(0x0311, unhex(blog::session_key_311),
                                             digest_of(blog::preauth_311))
                      .bytes()),
              hex(keys.signing.bytes()));
}

}  // namespace
}  // namespace smb3d::crypto
