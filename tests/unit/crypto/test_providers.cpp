// Every provider against OpenSSL, which is the oracle: random keys, lengths and pieces, in place.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "crypto/batch.h"
#include "crypto/provider.h"

namespace smb3d::crypto {
namespace {

using Message = std::vector<std::byte>;
using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) { return random() % limit; }

Message bytes(Random& random, std::size_t size) {
    Message out(size);
    for (std::byte& byte : out) byte = static_cast<std::byte>(random());
    return out;
}

// Mostly small, with all the remainders of blocks and of what the kernels take at once.
std::size_t a_size(Random& random) {
    switch (below(random, 8)) {
        case 0:
            return 1 + below(random, 40);
        case 1:
            return 65000 + below(random, 1100);
        case 2:
            return 256 * (1 + below(random, 12)) + below(random, 3) - 1;
        default:
            return 1 + below(random, 3000);
    }
}

// Cuts `whole` into pieces, some of them empty; the first holds at least `first` bytes.
template <class View>
std::vector<View> cut(Random& random, View whole, std::size_t first) {
    std::vector<View> out;
    const bool small = below(random, 2) == 0;
    std::size_t size = std::min(whole.size(), first + below(random, small ? 40 : 2000));
    while (true) {
        out.push_back(whole.first(size));
        whole = whole.subspan(size);
        if (whole.empty()) return out;
        if (below(random, 5) == 0) out.push_back(whole.first(0));
        size = std::min(whole.size(), 1 + below(random, small ? 40 : 2000));
    }
}

class Providers : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        const std::string name = GetParam();
        if (name == "builtin") provider_ = builtin_provider();
        if (name == "ipsec_mb") provider_ = ipsec_mb_provider();
        if (provider_ == nullptr) GTEST_SKIP() << "not here";
    }
    const Provider* provider_{nullptr};
    Random random_{20261122};
};

constexpr std::array signings = {SigningAlgorithm::hmac_sha256, SigningAlgorithm::aes_128_cmac,
                                 SigningAlgorithm::aes_128_gmac};
constexpr std::array ciphers = {Cipher::aes_128_ccm, Cipher::aes_128_gcm, Cipher::aes_256_ccm,
                                Cipher::aes_256_gcm};

TEST_P(Providers, SignaturesAreOpensslsSignatures) {
    for (const SigningAlgorithm algorithm : signings) {
        for (int i = 0; i < 500; ++i) {
            const Message key = bytes(random_, 16);
            const auto signer = provider_->make_signer(algorithm, key);
            if (!signer) {
                EXPECT_EQ(signer.error(), NtStatus::NOT_SUPPORTED);
                break;
            }
            const auto oracle = openssl_provider().make_signer(algorithm, key);
            const Message message = bytes(random_, Signer::header_size - 1 + a_size(random_));
            const SigningFields fields{random_(), below(random_, 2) == 0, below(random_, 2) == 0};
            const auto pieces = cut(random_, Bytes(message), Signer::header_size);
            const auto signature = (*signer)->sign(pieces, fields);
            ASSERT_TRUE(signature);
            ASSERT_EQ(*signature, *(*oracle)->sign(Bytes(message), fields))
                << name_of(algorithm) << " of " << message.size();
            ASSERT_EQ((*signer)->algorithm(), algorithm);
        }
    }
}

TEST_P(Providers, SealedMessagesAreOpensslsMessages) {
    for (const Cipher cipher : ciphers) {
        for (int i = 0; i < 500; ++i) {
            const Message key = bytes(random_, key_size(cipher));
            const auto aead = provider_->make_aead(cipher, key);
            if (!aead) {
                EXPECT_EQ(aead.error(), NtStatus::NOT_SUPPORTED);
                break;
            }
            const auto oracle = openssl_provider().make_aead(cipher, key);
            const Message plain = bytes(random_, a_size(random_));
            const Message head = bytes(random_, Aead::transform_size);
            std::array<std::byte, Aead::transform_size> ours{};
            std::copy(head.begin(), head.end(), ours.begin());
            auto theirs = ours;
            Message sealed = plain;
            Message expected = plain;
            const auto pieces = cut(random_, MutableBytes(sealed), 0);
            const MutableBytes whole(expected);
            ASSERT_TRUE((*aead)->seal_with_nonce(ours, pieces));
            ASSERT_TRUE((*oracle)->seal_with_nonce(theirs, std::span(&whole, 1)));
            ASSERT_EQ(ours, theirs) << name_of(cipher) << " of " << plain.size();
            ASSERT_EQ(sealed, expected) << name_of(cipher) << " of " << plain.size();
            const auto again = cut(random_, MutableBytes(sealed), 0);
            ASSERT_TRUE((*aead)->open(theirs, again));
            ASSERT_EQ(sealed, plain) << name_of(cipher) << " of " << plain.size();
        }
    }
}

TEST_P(Providers, OneWrongBitIsNoticed) {
    for (const Cipher cipher : ciphers) {
        const auto aead = provider_->make_aead(cipher, bytes(random_, key_size(cipher)));
        if (!aead) continue;
        const Message plain = bytes(random_, 300);
        std::array<std::byte, Aead::transform_size> head{};
        Message sealed = plain;
        ASSERT_TRUE((*aead)->seal(head, MutableBytes(sealed)));
        for (std::size_t bit = 0; bit < sealed.size() * 8; bit += 13) {
            Message damaged = sealed;
            damaged[bit / 8] ^= std::byte{1} << (bit % 8);
            EXPECT_FALSE((*aead)->open(head, MutableBytes(damaged)));
        }
        for (std::size_t at = Aead::tag_offset; at < head.size(); ++at) {
            auto changed = head;
            changed[at] ^= std::byte{0x40};
            Message copy = sealed;
            EXPECT_FALSE((*aead)->open(changed, MutableBytes(copy))) << at;
        }
        EXPECT_TRUE((*aead)->open(head, MutableBytes(sealed)));
        EXPECT_EQ(sealed, plain);
    }
}

TEST_P(Providers, WrongUseIsRefused) {
    for (const SigningAlgorithm algorithm : signings) {
        EXPECT_FALSE(provider_->make_signer(algorithm, Message(15)) &&
                     algorithm != SigningAlgorithm::hmac_sha256);
        const auto signer = provider_->make_signer(algorithm, Message(16));
        if (!signer) continue;
        EXPECT_FALSE((*signer)->sign(Message(63), {}));
        EXPECT_FALSE((*signer)->sign(std::span<const Bytes>(), {}));
    }
    for (const Cipher cipher : ciphers) {
        EXPECT_FALSE(provider_->make_aead(cipher, Message(24)));
        const auto aead = provider_->make_aead(cipher, Message(key_size(cipher)));
        if (!aead) continue;
        std::array<std::byte, Aead::transform_size> head{};
        EXPECT_FALSE((*aead)->seal(head, MutableBytes()));
        EXPECT_FALSE((*aead)->open(head, MutableBytes()));
    }
    EXPECT_FALSE(provider_->make_aead(Cipher::none, Message(16)));
}

INSTANTIATE_TEST_SUITE_P(All, Providers, ::testing::Values("builtin", "ipsec_mb"),
                         [](const auto& name) { return std::string(name.param); });

// As many messages as come, of several keys and lengths, of providers that gain from it and others.
class Together : public ::testing::Test {
  protected:
    const Provider& one_of() {
        const Provider* builtin = builtin_provider();
        return builtin != nullptr && below(random_, 4) != 0 ? *builtin : openssl_provider();
    }
    Random random_{7};
};

TEST_F(Together, SignaturesAreTheSame) {
    for (int round = 0; round < 200; ++round) {
        const std::size_t count = 1 + below(random_, 20);
        std::vector<Message> messages;
        std::vector<std::vector<Bytes>> pieces(count);
        std::vector<std::shared_ptr<const Signer>> signers;
        std::vector<SignJob> jobs(count);
        std::vector<Signature> expected(count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto algorithm = signings[below(random_, 8) == 0 ? 2 : 1];
            const Message key = bytes(random_, 16);
            messages.push_back(bytes(random_, Signer::header_size + a_size(random_)));
            pieces[i] = cut(random_, Bytes(messages.back()), Signer::header_size);
            signers.push_back(*one_of().make_signer(algorithm, key));
            jobs[i].signer = signers.back().get();
            jobs[i].message = pieces[i];
            jobs[i].fields.message_id = i;
            jobs[i].cookie = &expected[i];
            const auto oracle = openssl_provider().make_signer(algorithm, key);
            expected[i] = *(*oracle)->sign(Bytes(messages.back()), jobs[i].fields);
        }
        sign_all(jobs);
        for (const SignJob& job : jobs) {
            ASSERT_TRUE(job.signature);
            ASSERT_EQ(*job.signature, *static_cast<Signature*>(job.cookie));
        }
    }
}

TEST_F(Together, SealedMessagesOpen) {
    for (int round = 0; round < 200; ++round) {
        const std::size_t count = 1 + below(random_, 20);
        std::vector<Message> plain(count);
        std::vector<Message> sealed(count);
        std::vector<std::vector<MutableBytes>> pieces(count);
        std::vector<std::array<std::byte, Aead::transform_size>> heads(count);
        std::vector<std::shared_ptr<const Aead>> aeads;
        std::vector<std::shared_ptr<const Aead>> openers;
        std::vector<SealJob> jobs;
        for (std::size_t i = 0; i < count; ++i) {
            const Cipher cipher = ciphers[below(random_, 4)];
            const Message key = bytes(random_, key_size(cipher));
            aeads.push_back(*one_of().make_aead(cipher, key));
            openers.push_back(*openssl_provider().make_aead(cipher, key));
            plain[i] = bytes(random_, a_size(random_));
            sealed[i] = plain[i];
            pieces[i] = cut(random_, MutableBytes(sealed[i]), 0);
            jobs.push_back({aeads[i].get(), heads[i], pieces[i], {}, nullptr});
        }
        seal_all(jobs);
        for (std::size_t i = 0; i < count; ++i) {
            ASSERT_TRUE(jobs[i].result);
            ASSERT_TRUE(openers[i]->open(heads[i], MutableBytes(sealed[i])));
            ASSERT_EQ(sealed[i], plain[i]);
        }
    }
}

TEST(ChooseProvider, EveryAlgorithmHasSomebody) {
    const auto choice = choose_provider(Preference::automatic);
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->rows.size(), signings.size() + ciphers.size());
    for (const Choice::Row& row : choice->rows) EXPECT_GT(row.gib_per_second, 0) << row.algorithm;
    for (const SigningAlgorithm algorithm : signings) {
        EXPECT_TRUE(choice->provider->make_signer(algorithm, Message(16)));
    }
    for (const Cipher cipher : ciphers) {
        EXPECT_TRUE(choice->provider->make_aead(cipher, Message(key_size(cipher))));
    }
}

TEST(ChooseProvider, APreferenceIsKept) {
    const auto openssl = choose_provider(Preference::openssl);
    ASSERT_TRUE(openssl);
    for (const Choice::Row& row : openssl->rows) EXPECT_EQ(row.provider, "OpenSSL");
    const auto builtin = choose_provider(Preference::builtin);
    EXPECT_EQ(builtin.has_value(), builtin_provider() != nullptr);
    if (!builtin) return;
    for (const Choice::Row& row : builtin->rows) {
        EXPECT_EQ(row.provider, row.algorithm == "HMAC-SHA256" ? "OpenSSL" : "built-in");
    }
}

}  // namespace
}  // namespace smb3d::crypto
