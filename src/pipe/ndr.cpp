#include "pipe/ndr.h"

#include <algorithm>
#include <cassert>

#include "base/utf16.h"

namespace smb3d::pipe::ndr {

namespace {

// [C706] 14.1: a string that is not UTF-8 must not end a call; the share keeps its other
// properties.
std::u16string to_utf16(std::string_view utf8) {
    if (auto text = utf8_to_utf16(utf8)) return *text;
    std::u16string plain;
    for (const char c : utf8) {
        const auto unit = static_cast<unsigned char>(c);
        plain.push_back(unit < 0x80 ? static_cast<char16_t>(unit) : u'\uFFFD');
    }
    return plain;
}

}  // namespace

void Reader::align(std::size_t to) {
    assert(to != 0 && (to & (to - 1)) == 0);
    const std::size_t padding = (to - position_ % to) % to;
    if (padding > remaining()) {
        fail();
        return;
    }
    position_ += padding;
}

std::uint64_t Reader::number(std::size_t size) {
    align(size);
    if (size > remaining()) {
        fail();
        return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
        const auto byte = static_cast<std::uint64_t>(bytes_[position_ + i]);
        value |= byte << (8 * (big_ ? size - 1 - i : i));
    }
    position_ += size;
    return value;
}

Bytes Reader::bytes(std::size_t count) {
    if (!ok_ || count > remaining()) {
        fail();
        return {};
    }
    const Bytes part = bytes_.subspan(position_, count);
    position_ += count;
    return part;
}

Uuid Reader::uuid() {
    // [C706] Appendix A: three numbers in the byte order of the sender, then eight bytes.
    const std::uint32_t low = u32();
    const std::uint16_t middle = u16();
    const std::uint16_t high = u16();
    const Bytes rest = bytes(8);
    Uuid value{};
    if (!ok_) return value;
    for (std::size_t i = 0; i < 4; ++i) value[i] = static_cast<std::uint8_t>(low >> (8 * i));
    for (std::size_t i = 0; i < 2; ++i) {
        value[4 + i] = static_cast<std::uint8_t>(middle >> (8 * i));
        value[6 + i] = static_cast<std::uint8_t>(high >> (8 * i));
    }
    for (std::size_t i = 0; i < 8; ++i) value[8 + i] = static_cast<std::uint8_t>(rest[i]);
    return value;
}

ContextHandle Reader::context_handle() {
    ContextHandle handle;
    handle.attributes = u32();
    handle.uuid = uuid();
    return handle;
}

std::uint32_t Reader::conformance(std::size_t element_size) {
    const std::uint32_t count = u32();
    if (!ok_ || (element_size != 0 && count > remaining() / element_size)) {
        fail();
        return 0;
    }
    return count;
}

std::string Reader::string() {
    // [C706] 14.3.4.1: maximum count, offset, actual count, then the units.
    const std::uint32_t maximum = u32();
    const std::uint32_t offset = u32();
    const std::uint32_t actual = u32();
    if (!ok_ || offset != 0 || actual > maximum || actual > remaining() / 2) {
        fail();
        return {};
    }
    const Bytes data = bytes(std::size_t{actual} * 2);
    std::u16string text;
    text.reserve(actual);
    for (std::size_t i = 0; i + 1 < data.size(); i += 2) {
        const auto first = static_cast<std::uint32_t>(data[i]);
        const auto second = static_cast<std::uint32_t>(data[i + 1]);
        const std::uint32_t unit = big_ ? first << 8 | second : second << 8 | first;
        if (unit == 0) break;
        text.push_back(static_cast<char16_t>(unit));
    }
    return utf16_to_utf8(text);
}

std::optional<std::string> Reader::unique_string() {
    if (!pointer()) return std::nullopt;
    return string();
}

std::optional<std::uint32_t> Reader::unique_u32() {
    if (!pointer()) return std::nullopt;
    return u32();
}

void Writer::align(std::size_t to) {
    assert(to != 0 && (to & (to - 1)) == 0);
    out_.resize((out_.size() + to - 1) / to * to);
}

void Writer::number(std::uint64_t value, std::size_t size) {
    align(size);
    for (std::size_t i = 0; i < size; ++i) {
        out_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
}

void Writer::uuid(const Uuid& value) {
    align(4);
    for (const std::uint8_t byte : value) out_.push_back(static_cast<std::byte>(byte));
}

void Writer::context_handle(const ContextHandle& handle) {
    u32(handle.attributes);
    uuid(handle.uuid);
}

void Writer::pointer(bool present) {
    u32(present ? next_referent_ : 0);
    if (present) next_referent_ += 4;
}

void Writer::string(std::string_view utf8) {
    const std::u16string text = to_utf16(utf8);
    const auto count = static_cast<std::uint32_t>(text.size() + 1);
    u32(count);
    u32(0);
    u32(count);
    for (const char16_t unit : text) u16(unit);
    u16(0);
}

void Writer::unique_u32(const std::optional<std::uint32_t>& value) {
    pointer(value.has_value());
    if (value) u32(*value);
}

void Writer::patch_u16(std::size_t at, std::uint16_t value) {
    assert(at + 2 <= out_.size());
    out_[at] = static_cast<std::byte>(value & 0xFF);
    out_[at + 1] = static_cast<std::byte>(value >> 8);
}

void Writer::patch_u32(std::size_t at, std::uint32_t value) {
    patch_u16(at, static_cast<std::uint16_t>(value & 0xFFFF));
    patch_u16(at + 2, static_cast<std::uint16_t>(value >> 16));
}

std::size_t string_size(std::string_view utf8) { return 12 + 2 * (utf16_length(utf8) + 1); }

}  // namespace smb3d::pipe::ndr
