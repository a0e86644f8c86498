#include "crypto/cmac.h"

#include <algorithm>
#include <cstring>

#include "crypto/hash.h"

namespace smb3d::crypto::detail {

namespace {

constexpr unsigned char zero_iv[Cmac::block_size] = {};

const unsigned char* octets(Bytes bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

// [RFC 4493] 2.3: times x in GF(2^128).
Cmac::Block Cmac::doubled(const Block& block) {
    Block result{};
    for (std::size_t i = 0; i < block.size(); ++i) {
        const int next = i + 1 < block.size() ? block[i + 1] >> 7 : 0;
        result[i] = static_cast<unsigned char>((block[i] << 1 | next) & 0xFF);
    }
    if ((block[0] & 0x80) != 0) result[15] ^= 0x87;
    return result;
}

std::unique_ptr<Cmac> Cmac::create(Bytes key) {
    const OpensslLibrary& library = OpensslLibrary::get();
    std::unique_ptr<Cmac> cmac(new Cmac);
    const CipherContext ecb(::EVP_CIPHER_CTX_new());
    cmac->cbc_.reset(::EVP_CIPHER_CTX_new());
    if (key.size() != block_size || !ecb || !cmac->cbc_ || library.aes_128_ecb == nullptr ||
        library.aes_128_cbc == nullptr) {
        return nullptr;
    }
    Block block{};
    int written = 0;
    if (::EVP_EncryptInit_ex(ecb.get(), library.aes_128_ecb, nullptr, octets(key), nullptr) != 1 ||
        ::EVP_CIPHER_CTX_set_padding(ecb.get(), 0) != 1 ||
        ::EVP_EncryptUpdate(ecb.get(), block.data(), &written, block.data(), block_size) != 1 ||
        ::EVP_EncryptInit_ex(cmac->cbc_.get(), library.aes_128_cbc, nullptr, octets(key),
                             zero_iv) != 1 ||
        ::EVP_CIPHER_CTX_set_padding(cmac->cbc_.get(), 0) != 1) {
        return nullptr;
    }
    cmac->k1_ = doubled(block);
    cmac->k2_ = doubled(cmac->k1_);
    return cmac;
}

Cmac::~Cmac() {
    cleanse(std::as_writable_bytes(std::span(k1_)));
    cleanse(std::as_writable_bytes(std::span(k2_)));
}

bool Cmac::encrypt(const unsigned char* data, std::size_t size) {
    int written = 0;
    return ::EVP_EncryptUpdate(cbc_.get(), ciphertext_.data(), &written, data,
                               static_cast<int>(size)) == 1 &&
           written == static_cast<int>(size);
}

bool Cmac::begin() {
    held_size_ = 0;
    return ::EVP_EncryptInit_ex(cbc_.get(), nullptr, nullptr, nullptr, zero_iv) == 1;
}

bool Cmac::update(Bytes part) {
    if (part.empty()) return true;
    const std::size_t room = block_size - held_size_;
    if (part.size() <= room) {
        std::memcpy(held_.data() + held_size_, part.data(), part.size());
        held_size_ += part.size();
        return true;
    }
    if (held_size_ > 0) {
        std::memcpy(held_.data() + held_size_, part.data(), room);
        if (!encrypt(held_.data(), block_size)) return false;
        part = part.subspan(room);
    }
    while (part.size() > block_size) {
        const std::size_t whole = (part.size() - 1) / block_size * block_size;
        const std::size_t now = std::min(whole, ciphertext_.size());
        if (!encrypt(octets(part), now)) return false;
        part = part.subspan(now);
    }
    std::memcpy(held_.data(), part.data(), part.size());
    held_size_ = part.size();
    return true;
}

// [RFC 4493] 2.4, steps 4 to 7.
bool Cmac::finish(std::span<std::byte, block_size> mac) {
    const Block& subkey = held_size_ == block_size ? k1_ : k2_;
    if (held_size_ < block_size) {
        held_[held_size_] = 0x80;
        std::fill(held_.begin() + static_cast<std::ptrdiff_t>(held_size_) + 1, held_.end(), 0);
    }
    for (std::size_t i = 0; i < block_size; ++i) {
        held_[i] = static_cast<unsigned char>(held_[i] ^ subkey[i]);
    }
    if (!encrypt(held_.data(), block_size)) return false;
    std::memcpy(mac.data(), ciphertext_.data(), block_size);
    return true;
}

}  // namespace smb3d::crypto::detail
