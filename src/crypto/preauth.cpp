#include "crypto/preauth.h"

#include <array>
#include <vector>

#include "crypto/parts.h"

namespace smb3d::crypto {

void PreauthHash::update(std::span<const Bytes> parts) {
    std::vector<Bytes> all;
    all.reserve(parts.size() + 1);
    all.emplace_back(value_);
    all.insert(all.end(), parts.begin(), parts.end());
    value_ = sha512(all);
}

void PreauthHash::update(std::span<const Buffer> parts) {
    const detail::Parts<Bytes> views(parts);
    update(views.span());
}

}  // namespace smb3d::crypto
