#include "auth/der.h"

namespace smb3d::auth::der {

namespace {

constexpr std::uint8_t long_form = 0x80;
constexpr std::uint8_t tag_number_mask = 0x1F;  // all set: the tag goes on in further bytes
constexpr std::size_t max_length_bytes = 4;

}  // namespace

// X.690 8.1.2, 8.1.3.  A length in more bytes than it needs is taken: some clients write one, and
// no meaning hangs on it since a mechListMIC is computed over the bytes as received.
Result<Element> Reader::next() {
    constexpr std::size_t shortest = 2;
    if (rest_.size() < shortest || rest_.size() > max_size) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    const auto tag = std::to_integer<std::uint8_t>(rest_[0]);
    if ((tag & tag_number_mask) == tag_number_mask) return fail(NtStatus::INVALID_PARAMETER);
    const auto first = std::to_integer<std::uint8_t>(rest_[1]);
    std::size_t header = shortest;
    std::size_t length = first;
    if ((first & long_form) != 0) {
        const std::size_t count = first & ~long_form & 0xFFU;
        if (count == 0 || count > max_length_bytes || count > rest_.size() - header) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        length = 0;
        for (std::size_t i = 0; i < count; ++i) {
            length = length << 8U | std::to_integer<std::size_t>(rest_[header + i]);
        }
        header += count;
    }
    if (length > rest_.size() - header) return fail(NtStatus::INVALID_PARAMETER);
    const Element element{tag, rest_.subspan(header, length), rest_.first(header + length)};
    rest_ = rest_.subspan(header + length);
    return element;
}

Result<Element> Reader::expect(std::uint8_t tag) {
    if (peek() != tag) return fail(NtStatus::INVALID_PARAMETER);
    return next();
}

Result<Reader> Reader::enter(std::uint8_t tag) {
    if (depth_ >= max_depth) return fail(NtStatus::INVALID_PARAMETER);
    const auto element = expect(tag);
    if (!element) return fail(element.error());
    return Reader(element->content, depth_ + 1);
}

ByteString element(std::uint8_t tag, Bytes content) {
    ByteString out;
    out.reserve(content.size() + 6);
    out.push_back(static_cast<std::byte>(tag));
    const std::size_t length = content.size();
    if (length < long_form) {
        out.push_back(static_cast<std::byte>(length));
    } else {
        std::size_t count = 1;
        while (length >> (8 * count) != 0) ++count;
        out.push_back(static_cast<std::byte>(long_form | count));
        while (count-- > 0) out.push_back(static_cast<std::byte>(length >> (8 * count) & 0xFFU));
    }
    append(out, content);
    return out;
}

}  // namespace smb3d::auth::der
