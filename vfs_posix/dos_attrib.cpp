#include "vfs_posix/dos_attrib.h"

#include <string_view>

namespace smb3d::vfs_posix {
namespace {

// xattr_DosInfoValidFlags
constexpr std::uint32_t valid_attributes = 0x01;
constexpr std::uint32_t valid_create_time = 0x10;

// Reads little-endian NDR with natural alignment; `good` turns false at the first byte that is not
// there.
class NdrReader {
  public:
    explicit NdrReader(Bytes value) : value_(value) {}

    bool good() const { return good_; }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2, 2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4, 4)); }
    std::uint64_t u64() { return number(8, 4); }  // udlong and NTTIME are aligned to 4

    std::string_view string() {
        for (std::size_t end = at_; end < value_.size(); ++end) {
            if (value_[end] != std::byte{0}) continue;
            const std::string_view text(reinterpret_cast<const char*>(value_.data()) + at_,
                                        end - at_);
            at_ = end + 1;
            return text;
        }
        good_ = false;
        return {};
    }
    bool at_end() const { return at_ >= value_.size(); }

  private:
    std::uint64_t number(std::size_t size, std::size_t alignment) {
        const std::size_t start = (at_ + alignment - 1) / alignment * alignment;
        if (!good_ || start > value_.size() || size > value_.size() - start) {
            good_ = false;
            return 0;
        }
        std::uint64_t number = 0;
        for (std::size_t i = size; i-- > 0;) {
            number = (number << 8U) | std::to_integer<std::uint64_t>(value_[start + i]);
        }
        at_ = start + size;
        return number;
    }

    Bytes value_;
    std::size_t at_{0};
    bool good_{true};
};

// "0x20": all there was in the first releases, and a courtesy copy in versions 1 to 3.
std::optional<std::uint32_t> parse_hex(std::string_view text) {
    if (!text.starts_with("0x") || text.size() < 3 || text.size() > 10) return std::nullopt;
    std::uint32_t number = 0;
    for (const char c : text.substr(2)) {
        const char lower = static_cast<char>(c | 0x20);
        std::uint32_t digit = 0;
        if (c >= '0' && c <= '9') {
            digit = static_cast<std::uint32_t>(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            digit = static_cast<std::uint32_t>(lower - 'a' + 10);
        } else {
            return std::nullopt;
        }
        number = (number << 4U) | digit;
    }
    return number;
}

std::optional<std::uint64_t> time_or_none(std::uint64_t time) {
    // 0 and all ones are how NTTIME says "not set"; the sign bit would be before 1601.
    if (time == 0 || (time >> 63U) != 0) return std::nullopt;
    return time;
}

}  // namespace

std::optional<DosAttrib> parse_dos_attrib(Bytes value) {
    if (value.size() > dos_attrib_max_size) return std::nullopt;
    NdrReader in(value);
    const std::string_view text = in.string();
    if (!in.good()) return std::nullopt;
    DosAttrib out;
    if (in.at_end()) {
        out.attributes = parse_hex(text);
        return out.attributes ? std::optional(out) : std::nullopt;
    }
    const std::uint16_t version = in.u16();
    if (in.u16() != version || !in.good()) return std::nullopt;  // the union's discriminant
    std::uint32_t valid = valid_attributes | valid_create_time;
    std::uint32_t attributes = 0;
    std::uint64_t creation_time = 0;
    switch (version) {
        case 0xFFFF:
            return std::nullopt;
        case 1:
        case 2:
        case 3:
            if (version == 2) in.u32();  // flags
            if (version == 3) valid = in.u32();
            attributes = in.u32();
            in.u32();  // ea_size
            in.u64();  // size
            in.u64();  // alloc_size
            creation_time = in.u64();
            in.u64();                       // change_time
            if (version == 2) in.u64();     // write_time
            if (version == 2) in.string();  // name
            break;
        case 4:
            valid = in.u32();
            attributes = in.u32();
            in.u64();  // itime: a source of file ids, which come from the inode here
            creation_time = in.u64();
            break;
        case 5:
            valid = in.u32();
            attributes = in.u32();
            creation_time = in.u64();
            break;
        default:
            return std::nullopt;
    }
    if (!in.good()) return std::nullopt;
    if ((valid & valid_attributes) != 0) out.attributes = attributes;
    if ((valid & valid_create_time) != 0) out.creation_time = time_or_none(creation_time);
    return out;
}

std::array<std::byte, 24> build_dos_attrib(const DosAttrib& attrib) {
    std::array<std::byte, 24> out{};  // the empty string and its padding are zeros
    const auto put = [&](std::size_t at, std::size_t size, std::uint64_t number) {
        for (std::size_t i = 0; i < size; ++i) {
            out[at + i] = static_cast<std::byte>((number >> (8 * i)) & 0xFFU);
        }
    };
    constexpr std::uint16_t version = 5;
    put(2, 2, version);
    put(4, 2, version);
    put(8, 4,
        (attrib.attributes ? valid_attributes : 0U) |
            (attrib.creation_time ? valid_create_time : 0U));
    put(12, 4, attrib.attributes.value_or(0));
    put(16, 8, attrib.creation_time.value_or(0));
    return out;
}

}  // namespace smb3d::vfs_posix
