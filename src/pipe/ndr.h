// NDR 2.0: Reader and Writer of RPC stub data.
//
// Purpose: the transfer syntax of every call; the PDU layer uses the Reader for its headers too,
// which follow the
//   same alignment and byte order rules.
// Spec: [C706] 14 (NDR), [MS-RPCE] 2.2.4 and 2.2.5 (extensions); strings are UTF-16.
// Thread: any; one object belongs to one thread.
// Lifetime: a Reader views the bytes it was made with.
// Errors: sticky.  A failed read yields zero or nothing and leaves ok() false for good; a count is
// checked against
//   what remains before anything is allocated for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smb3d/buffer.h"

namespace smb3d::pipe::ndr {

using Uuid = std::array<std::uint8_t, 16>;  // as on the wire in little-endian

// [C706] context handle: attributes, which are always zero, and a UUID.
struct ContextHandle {
    std::uint32_t attributes{0};
    Uuid uuid{};
    friend bool operator==(const ContextHandle&, const ContextHandle&) = default;
};

class Reader {
  public:
    explicit Reader(Bytes bytes, bool big_endian = false) : bytes_(bytes), big_(big_endian) {}

    bool ok() const { return ok_; }
    void fail() { ok_ = false; }
    std::size_t position() const { return position_; }
    std::size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }

    // Primitives align themselves, [C706] 14.2.2.
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    void align(std::size_t to);
    Bytes bytes(std::size_t count);
    Uuid uuid();
    ContextHandle context_handle();

    // [C706] 14.3.10: true if the referent of a unique pointer follows (where deferral puts it).
    bool pointer() { return u32() != 0; }
    // The maximum count of a conformant array whose elements take at least `element_size` bytes
    // each.
    std::uint32_t conformance(std::size_t element_size);
    // [string] wchar_t *: conformant and varying; the text up to its terminator.
    std::string string();
    // [in, string, unique]: a top-level pointer, whose referent follows at once.
    std::optional<std::string> unique_string();
    // [in, unique] DWORD *
    std::optional<std::uint32_t> unique_u32();

  private:
    std::uint64_t number(std::size_t size);

    Bytes bytes_;
    std::size_t position_{0};
    bool big_;
    bool ok_{true};
};

// Writes little-endian always: the reader makes it right ([C706] 14.1).
class Writer {
  public:
    std::size_t size() const { return out_.size(); }
    std::vector<std::byte> take() { return std::move(out_); }
    Bytes view() const { return out_; }

    void u8(std::uint8_t value) { number(value, 1); }
    void u16(std::uint16_t value) { number(value, 2); }
    void u32(std::uint32_t value) { number(value, 4); }
    void align(std::size_t to);  // with zeros
    void bytes(Bytes value) { out_.insert(out_.end(), value.begin(), value.end()); }
    void uuid(const Uuid& value);
    void context_handle(const ContextHandle& handle);

    // A unique pointer: a fresh referent identifier, or 0 for null.
    void pointer(bool present);
    // [string] wchar_t *, with its terminator.
    void string(std::string_view utf8);
    // [out, unique] DWORD *: echoes what the request had.
    void unique_u32(const std::optional<std::uint32_t>& value);

    // Overwrites what was written before.
    void patch_u16(std::size_t at, std::uint16_t value);
    void patch_u32(std::size_t at, std::uint32_t value);

  private:
    void number(std::uint64_t value, std::size_t size);

    std::vector<std::byte> out_;
    std::uint32_t next_referent_{0x00020000};
};

// The bytes that `utf8` takes as an NDR string, its counts and terminator included.
std::size_t string_size(std::string_view utf8);

}  // namespace smb3d::pipe::ndr
