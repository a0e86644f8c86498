#include "auth/bytes.h"

#include <algorithm>

#include <openssl/crypto.h>

namespace smb3d::auth {

bool equal_bytes(Bytes a, Bytes b) { return std::ranges::equal(a, b); }

void wipe(MutableBytes secret) {
    if (!secret.empty()) OPENSSL_cleanse(secret.data(), secret.size());
}

void wipe(std::string& secret) {
    if (!secret.empty()) OPENSSL_cleanse(secret.data(), secret.size());
    secret.clear();
}

void wipe(std::u16string& secret) {
    if (!secret.empty()) OPENSSL_cleanse(secret.data(), secret.size() * sizeof(char16_t));
    secret.clear();
}

void wipe(ByteString& secret) {
    if (!secret.empty()) OPENSSL_cleanse(secret.data(), secret.size());
    secret.clear();
}

Bytes ByteReader::bytes(std::size_t count) {
    if (!ok_ || count > remaining()) {
        ok_ = false;
        return {};
    }
    const Bytes part = all_.subspan(position_, count);
    position_ += count;
    return part;
}

std::uint64_t ByteReader::number(std::size_t count) {
    const Bytes part = bytes(count);
    std::uint64_t value = 0;
    for (std::size_t i = part.size(); i-- > 0;) {
        value = value << 8U | std::to_integer<std::uint64_t>(part[i]);
    }
    return value;
}

void ByteWriter::number(std::uint64_t value, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        out_.push_back(static_cast<std::byte>(value & 0xFFU));
        value >>= 8U;
    }
}

}  // namespace smb3d::auth
