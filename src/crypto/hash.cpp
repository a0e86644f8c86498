#include "crypto/hash.h"

#include <new>
#include <utility>

#include <openssl/crypto.h>

#include "crypto/openssl_library.h"

namespace smb3d::crypto {

namespace {

using detail::CipherContext;
using detail::DigestContext;
using detail::OpensslLibrary;

const unsigned char* octets(Bytes bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* octets(MutableBytes bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

bool digest(const EVP_MD* algorithm, std::span<const Bytes> parts, MutableBytes out) {
    if (algorithm == nullptr) return false;
    const DigestContext context(::EVP_MD_CTX_new());
    if (!context || ::EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) return false;
    for (const Bytes part : parts) {
        if (part.empty()) continue;
        if (::EVP_DigestUpdate(context.get(), part.data(), part.size()) != 1) return false;
    }
    return ::EVP_DigestFinal_ex(context.get(), octets(out), nullptr) == 1;
}

// [RFC 2104], over digest() so that MD5 needs no MAC object of the library: keys here are short and
// used once.
template <std::size_t size>
bool hmac(const EVP_MD* algorithm, Bytes key, std::span<const Bytes> parts,
          std::array<std::byte, size>& out) {
    constexpr std::size_t block = 64;  // of MD5 and SHA-256 alike
    std::array<std::byte, block> pad{};
    std::array<std::byte, size> inner{};
    if (key.size() > block) {
        if (!digest(algorithm, std::span(&key, 1), std::span(pad).template first<size>())) {
            return false;
        }
    } else {
        std::copy(key.begin(), key.end(), pad.begin());
    }
    const auto flip = [&](unsigned value) {
        for (std::byte& b : pad) b ^= static_cast<std::byte>(value);
    };
    const DigestContext context(::EVP_MD_CTX_new());
    if (algorithm == nullptr || !context) return false;
    flip(0x36);
    bool ok = ::EVP_DigestInit_ex(context.get(), algorithm, nullptr) == 1 &&
              ::EVP_DigestUpdate(context.get(), pad.data(), pad.size()) == 1;
    for (const Bytes part : parts) {
        if (part.empty()) continue;
        ok = ok && ::EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
    }
    ok = ok && ::EVP_DigestFinal_ex(context.get(), octets(MutableBytes(inner)), nullptr) == 1;
    flip(0x36 ^ 0x5C);
    const Bytes outer[] = {pad, inner};
    ok = ok && digest(algorithm, outer, out);
    cleanse(pad);
    cleanse(inner);
    return ok;
}

// Of what OpenSSL always has: that it fails means that there is no memory.
template <class Digest>
Digest must(bool ok, const Digest& digest) {
    if (!ok) throw std::bad_alloc();
    return digest;
}
template <class Digest>
Result<Digest> may(bool ok, const Digest& digest) {
    if (!ok) return fail(NtStatus::NOT_SUPPORTED);
    return digest;
}

}  // namespace

Digest64 sha512(std::span<const Bytes> parts) {
    Digest64 out{};
    return must(digest(OpensslLibrary::get().sha512, parts, out), out);
}
Digest64 sha512(Bytes data) { return sha512(std::span<const Bytes>(&data, 1)); }

Digest32 sha256(std::span<const Bytes> parts) {
    Digest32 out{};
    return must(digest(OpensslLibrary::get().sha256, parts, out), out);
}
Digest32 sha256(Bytes data) { return sha256(std::span<const Bytes>(&data, 1)); }

Digest32 hmac_sha256(Bytes key, std::span<const Bytes> parts) {
    Digest32 out{};
    return must(hmac(OpensslLibrary::get().sha256, key, parts, out), out);
}
Digest32 hmac_sha256(Bytes key, Bytes data) {
    return hmac_sha256(key, std::span<const Bytes>(&data, 1));
}

Result<Digest16> md4(Bytes data) {
    Digest16 out{};
    return may(digest(OpensslLibrary::get().md4, std::span<const Bytes>(&data, 1), out), out);
}

Result<Digest16> md5(std::span<const Bytes> parts) {
    Digest16 out{};
    return may(digest(OpensslLibrary::get().md5, parts, out), out);
}
Result<Digest16> md5(Bytes data) { return md5(std::span<const Bytes>(&data, 1)); }

Result<Digest16> hmac_md5(Bytes key, std::span<const Bytes> parts) {
    Digest16 out{};
    return may(hmac(OpensslLibrary::get().md5, key, parts, out), out);
}
Result<Digest16> hmac_md5(Bytes key, Bytes data) {
    return hmac_md5(key, std::span<const Bytes>(&data, 1));
}

// ---- RC4

struct Rc4::State {
    CipherContext context;
};

Rc4::Rc4(std::unique_ptr<State> state) : state_(std::move(state)) {}
Rc4::Rc4(Rc4&&) noexcept = default;
Rc4& Rc4::operator=(Rc4&&) noexcept = default;
Rc4::~Rc4() = default;

Result<Rc4> Rc4::create(Bytes key) {
    const OpensslLibrary& library = OpensslLibrary::get();
    if (library.rc4 == nullptr) return fail(NtStatus::NOT_SUPPORTED);
    if (key.size() < 5 || key.size() > 32) return fail(NtStatus::INVALID_PARAMETER);
    auto state = std::make_unique<State>();
    state->context.reset(::EVP_CIPHER_CTX_new());
    EVP_CIPHER_CTX* context = state->context.get();
    if (context == nullptr ||
        ::EVP_EncryptInit_ex(context, library.rc4, nullptr, nullptr, nullptr) != 1 ||
        ::EVP_CIPHER_CTX_set_key_length(context, static_cast<int>(key.size())) != 1 ||
        ::EVP_EncryptInit_ex(context, nullptr, nullptr, octets(key), nullptr) != 1) {
        return fail(NtStatus::INTERNAL_ERROR);
    }
    return Rc4(std::move(state));
}

Result<void> Rc4::apply(MutableBytes data) {
    constexpr std::size_t most = std::size_t{1} << 30;
    while (!data.empty()) {
        const MutableBytes now = data.first(data.size() < most ? data.size() : most);
        int written = 0;
        if (::EVP_EncryptUpdate(state_->context.get(), octets(now), &written, octets(now),
                                static_cast<int>(now.size())) != 1) {
            return fail(NtStatus::INTERNAL_ERROR);
        }
        data = data.subspan(now.size());
    }
    return {};
}

Result<void> rc4(Bytes key, MutableBytes data) {
    Result<Rc4> stream = Rc4::create(key);
    if (!stream) return fail(stream.error());
    return stream->apply(data);
}

// ---- CRC-32

namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value & 1) != 0 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
        }
        table[i] = value;
    }
    return table;
}
constexpr std::array<std::uint32_t, 256> crc_table = make_crc_table();

}  // namespace

std::uint32_t crc32(Bytes data, std::uint32_t so_far) {
    std::uint32_t value = ~so_far;
    for (const std::byte b : data) {
        value = crc_table[(value ^ static_cast<std::uint32_t>(b)) & 0xFF] ^ (value >> 8);
    }
    return ~value;
}

bool equal_constant_time(Bytes a, Bytes b) {
    if (a.size() != b.size()) return false;
    return a.empty() || ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void cleanse(MutableBytes secret) { ::OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace smb3d::crypto
