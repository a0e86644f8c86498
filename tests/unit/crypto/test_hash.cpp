#include "crypto/hash.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "crypto/provider.h"
#include "crypto/random.h"
#include "support/hex.h"

namespace smb3d::crypto {
namespace {

using test::as_bytes;
using test::hex;
using test::unhex;

TEST(Library, HasEverything) {
    EXPECT_EQ(library_error(), "");
    EXPECT_TRUE(has_legacy_algorithms());
    EXPECT_EQ(openssl_provider().name(), "OpenSSL");
}

TEST(Hash, Sha2OfFips180) {
    EXPECT_EQ(hex(sha256(as_bytes("abc"))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex(sha512(as_bytes("abc"))),
              "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
              "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    EXPECT_EQ(hex(sha256(Bytes{})),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Hash, PartsAreOneMessage) {
    const Bytes parts[] = {as_bytes("a"), Bytes{}, as_bytes("bc")};
    EXPECT_EQ(sha512(parts), sha512(as_bytes("abc")));
    EXPECT_EQ(sha256(parts), sha256(as_bytes("abc")));
    EXPECT_EQ(md5(parts).value(), md5(as_bytes("abc")).value());
}

TEST(Hash, Md4OfRfc1320) {
    EXPECT_EQ(hex(md4(Bytes{}).value()), "31d6cfe0d16ae931b73c59d7e0c089c0");
    EXPECT_EQ(hex(md4(as_bytes("a")).value()), "bde52cb31de33e46245e05fbdbd6fb24");
    EXPECT_EQ(hex(md4(as_bytes("abc")).value()), "a448017aaf21d8525fc10ae87aa6729d");
    EXPECT_EQ(hex(md4(as_bytes("message digest")).value()), "d9130a8164549fe818874806e1c7014b");
    EXPECT_EQ(hex(md4(as_bytes("1234567890123456789012345678901234567890"
                               "1234567890123456789012345678901234567890"))
                      .value()),
              "e33b4ddc9c38f2199c3e7b164fcc0536");
}

TEST(Hash, Md5OfRfc1321) {
    EXPECT_EQ(hex(md5(as_bytes("message digest")).value()), "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST(Hash, HmacMd5OfRfc2104) {
    EXPECT_EQ(
        hex(hmac_md5(unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), as_bytes("Hi There")).value()),
        "9294727a3638bb1c13f48ef8158bfc9d");
    EXPECT_EQ(hex(hmac_md5(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")).value()),
              "750c783e6ab0b503eaa86e310a5db738");
    const std::vector<std::byte> long_key(80, std::byte{0xAA});
    EXPECT_EQ(hex(hmac_md5(long_key, as_bytes("Test Using Larger Than Block-Size Key - "
                                              "Hash Key First"))
                      .value()),
              "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
}

TEST(Hash, HmacSha256OfRfc4231) {
    EXPECT_EQ(hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const std::vector<std::byte> long_key(131, std::byte{0xAA});
    EXPECT_EQ(hex(hmac_sha256(long_key,
                              as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hash, Rc4OfRfc6229) {
    std::vector<std::byte> stream(16);
    ASSERT_TRUE(rc4(unhex("0102030405"), stream));
    EXPECT_EQ(hex(stream), "b2396305f03dc027ccc3524a0a1118a8");
    std::vector<std::byte> stream_16(16);
    ASSERT_TRUE(rc4(unhex("0102030405060708090a0b0c0d0e0f10"), stream_16));
    EXPECT_EQ(hex(stream_16), "9ac7cc9a609d1ef7b2932899cde41b97");
}

TEST(Hash, Rc4GoesOn) {
    auto stream = Rc4::create(unhex("0102030405060708"));
    ASSERT_TRUE(stream);
    std::vector<std::byte> pieces(64);
    ASSERT_TRUE(stream->apply(MutableBytes(pieces).first(10)));
    ASSERT_TRUE(stream->apply(MutableBytes(pieces).subspan(10)));
    std::vector<std::byte> whole(64);
    ASSERT_TRUE(rc4(unhex("0102030405060708"), whole));
    EXPECT_EQ(pieces, whole);
    EXPECT_FALSE(Rc4::create(unhex("0102")));
}

TEST(Hash, Crc32OfIeee) {
    EXPECT_EQ(crc32(as_bytes("123456789")), 0xCBF43926U);
    EXPECT_EQ(crc32(as_bytes("456789"), crc32(as_bytes("123"))), 0xCBF43926U);
    EXPECT_EQ(crc32(Bytes{}), 0U);
}

TEST(Hash, EqualConstantTime) {
    EXPECT_TRUE(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
    EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
    EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("ab")));
    EXPECT_TRUE(equal_constant_time(Bytes{}, Bytes{}));
}

TEST(Random, IsNotConstant) {
    EXPECT_NE(random_array<16>(), random_array<16>());
    std::vector<std::byte> much(100'000);
    random_bytes(much);
    EXPECT_GT(std::count(much.begin(), much.end(), std::byte{0}), 100);
    EXPECT_LT(std::count(much.begin(), much.end(), std::byte{0}), 1000);
}

}  // namespace
}  // namespace smb3d::crypto
