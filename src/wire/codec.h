// The codec: Reader and Writer, the two directions of one declaration.
//
// Purpose: every structure of the wire is declared once,
//     template <class S, class W> static void wire(S& self, W& w);
//   which runs with a Reader (S = T) to parse and with a Writer (S = const T) to build.  This file
//   is the only place that knows positions; no other one has a literal offset.
// Spec: [MS-SMB2] 2.2 (little-endian; offsets count from the start of the SMB2 header).
// Thread: any; a Reader or Writer belongs to one thread.
// Lifetime: parsed structures hold views (Bytes) into the message and must not outlive it.
// Errors: sticky; parse() and build() yield a Result.  A Reader never reads outside its bytes,
//   whatever they say.
//
// Variable parts are members of type Bytes, Payload or std::vector.  A declaration names them once
// for each of offset, length (or count) and content, in the order of the wire:
//     w.offset16(self.name); w.length16(self.name); ... w.payload(self.name);
// Parsing: a part of zero length may have any offset (Windows and its clients leave arbitrary
// values there); any other must lie within the message and behind the fixed part.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "smb3d/buffer.h"
#include "smb3d/status.h"

namespace smb3d::wire {

inline constexpr std::size_t header_size = 64;  // [MS-SMB2] 2.2.1
inline constexpr std::size_t message_alignment = 8;

using Guid = std::array<std::uint8_t, 16>;
using LeaseKey = std::array<std::uint8_t, 16>;
using FileTime = std::uint64_t;

// Data that a message carries last.  Parsed, it is a view.  To build, it is either bytes to copy,
// or `outside(n)`: the message says that n bytes follow, and the sender appends them itself without
// a copy.
struct Payload {
    Bytes bytes;
    std::size_t outside_size{0};

    Payload() = default;
    Payload(Bytes view) : bytes(view) {}  // implicit: a payload is bytes in the common case
    static Payload outside(std::size_t size) {
        Payload payload;
        payload.outside_size = size;
        return payload;
    }
    std::size_t size() const { return outside_size != 0 ? outside_size : bytes.size(); }
    bool empty() const { return size() == 0; }
};

template <class T>
concept Scalar = std::is_integral_v<T> || std::is_enum_v<T>;

// The body of an SMB2 message: it begins after the header, and its offsets count from the header.
template <class T>
concept Body = requires {
    requires std::is_const_v<decltype(T::command)>;
}
|| requires { requires std::is_const_v<decltype(T::is_body)>; };

template <class T>
inline constexpr std::size_t origin_of = Body<T> ? header_size : 0;

namespace detail {

template <class T>
T from_little(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
    return value;
}
template <class T>
void to_little(std::byte* to, T value) {
    if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
    std::memcpy(to, &value, sizeof value);
}

// The integer that carries a scalar.
template <class T>
struct Carrier {
    using type = std::make_unsigned_t<T>;
};
template <class T>
requires std::is_enum_v<T>
struct Carrier<T> {
    using type = std::make_unsigned_t<std::underlying_type_t<T>>;
};
template <>
struct Carrier<bool> {
    using type = std::uint8_t;
};

constexpr std::size_t aligned(std::size_t position, std::size_t alignment) {
    return (position + alignment - 1) / alignment * alignment;
}

// What is known about a variable part between its offset, length and content.
struct Slot {
    const void* id{nullptr};
    std::size_t offset{0};  // Reader: the value.  Writer: where to patch it.
    std::size_t length{0};  // Reader: the value.
    std::uint8_t offset_width{0};
};

class Slots {
  public:
    Slot& of(const void* id) {
        for (std::size_t i = 0; i < used_; ++i) {
            if (slots_[i].id == id) return slots_[i];
        }
        assert(used_ < slots_.size());
        slots_[used_] = Slot{id, 0, 0, 0};
        return slots_[used_++];
    }
    std::size_t mark() const { return used_; }
    void release(std::size_t mark) { used_ = mark; }

  private:
    std::array<Slot, 8> slots_;
    std::size_t used_{0};
};

}  // namespace detail

class Reader {
  public:
    static constexpr bool parsing = true;

    // `start`: where the first field lies; offsets count from the beginning of `bytes`.
    explicit Reader(Bytes bytes, std::size_t start = 0) : bytes_(bytes), position_(start) {
        if (start > bytes.size()) fail();
    }

    bool ok() const { return ok_; }
    std::size_t position() const { return position_; }
    std::size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }
    void fail() {
        ok_ = false;
        position_ = bytes_.size();
    }
    // A condition that the structure itself demands.
    void check(bool condition) {
        if (!condition) fail();
    }

    template <Scalar T>
    void field(T& value) {
        using Carrier = typename detail::Carrier<T>::type;
        if (!has(sizeof(Carrier))) return fail();
        value = static_cast<T>(detail::from_little<Carrier>(bytes_.data() + position_));
        position_ += sizeof(Carrier);
    }
    template <class T, std::size_t n>
    void field(std::array<T, n>& value) {
        if constexpr (sizeof(T) == 1) {
            if (!has(n)) return fail();
            std::memcpy(value.data(), bytes_.data() + position_, n);
            position_ += n;
        } else {
            for (T& element : value) field(element);
        }
    }
    template <class T>
    requires requires(T& t, Reader& r) { T::wire(t, r); }
    void field(T& value) { T::wire(value, *this); }
    template <Scalar T>
    void constant(T expected) {
        T value{};
        field(value);
        check(value == expected);
    }
    void structure_size(std::uint16_t expected) { constant(expected); }
    // Bytes that mean nothing: skipped, whatever they hold.
    void reserved(std::size_t count) {
        if (!has(count)) return fail();
        position_ += count;
    }
    void align(std::size_t alignment) {
        const std::size_t to = detail::aligned(position_, alignment);
        // Padding behind the last part may be absent.
        position_ = std::min(to, bytes_.size());
    }

    template <class P>
    void offset8(P& part) {
        offset<std::uint8_t>(part);
    }
    template <class P>
    void offset16(P& part) {
        offset<std::uint16_t>(part);
    }
    template <class P>
    void offset32(P& part) {
        offset<std::uint32_t>(part);
    }
    template <class P>
    void length8(P& part) {
        length<std::uint8_t>(part);
    }
    template <class P>
    void length16(P& part) {
        length<std::uint16_t>(part);
    }
    template <class P>
    void length32(P& part) {
        length<std::uint32_t>(part);
    }
    template <class T>
    void count8(std::vector<T>& list) {
        length<std::uint8_t>(list);
    }
    template <class T>
    void count16(std::vector<T>& list) {
        length<std::uint16_t>(list);
    }
    template <class T>
    void count32(std::vector<T>& list) {
        length<std::uint32_t>(list);
    }

    // The content of a part with offset and length.  The cursor stays: parts may lie in any order.
    void payload(Bytes& part, std::size_t alignment = 1) {
        const detail::Slot& slot = slots_.of(&part);
        part = {};
        if (!ok_ || slot.length == 0) return;
        const bool inside = slot.offset >= position_ && slot.offset <= bytes_.size() &&
                            slot.length <= bytes_.size() - slot.offset;
        if (!inside || slot.offset % alignment != 0) return fail();
        part = bytes_.subspan(slot.offset, slot.length);
    }
    void payload(Payload& part, std::size_t alignment = 1) {
        static_assert(offsetof(Payload, bytes) == 0);  // the address, by which the slot is known
        payload(part.bytes, alignment);
    }
    template <class P>
    void optional_payload(P& part, std::size_t alignment = 1) {
        payload(part, alignment);
    }
    // The same for text: an even number of bytes.
    void payload_utf16(Bytes& part) {
        payload(part);
        check(part.size() % 2 == 0);
    }
    // The content at the cursor, of the length read before.
    void inline_bytes(Bytes& part) { take(part, slots_.of(&part).length); }
    void inline_utf16(Bytes& part) {
        inline_bytes(part);
        check(part.size() % 2 == 0);
    }
    // Everything up to the end.
    void rest(Bytes& part) { take(part, remaining()); }
    // `count` bytes at the cursor.
    void take(Bytes& part, std::size_t count) {
        part = {};
        if (!has(count)) return fail();
        part = bytes_.subspan(position_, count);
        position_ += count;
    }

    // The elements at the cursor, as many as counted before; at most `max`.
    template <class T>
    void elements(std::vector<T>& list, std::size_t max, std::size_t alignment = 1) {
        const std::size_t count = slots_.of(&list).length;
        list.clear();
        if (count > max) return fail();
        list.reserve(std::min(count, remaining()));  // an element is one byte at least
        for (std::size_t i = 0; i < count && ok_; ++i) {
            align(alignment);
            const std::size_t mark = slots_.mark();
            T element{};
            field(element);
            slots_.release(mark);
            if (ok_) list.push_back(element);
        }
    }
    // The same at the list's offset.
    template <class T>
    void elements_at_offset(std::vector<T>& list, std::size_t max, std::size_t alignment) {
        const detail::Slot slot = slots_.of(&list);
        list.clear();
        if (!ok_ || slot.length == 0) return;
        if (slot.offset < position_ || slot.offset > bytes_.size() ||
            slot.offset % alignment != 0) {
            return fail();
        }
        position_ = slot.offset;
        elements(list, max, alignment);
    }
    // Elements of fixed size up to the end of the bytes.
    template <class T>
    void elements_to_end(std::vector<T>& list, std::size_t max) {
        list.clear();
        while (ok_ && remaining() > 0) {
            if (list.size() == max) return fail();
            T element{};
            field(element);
            if (ok_) list.push_back(element);
        }
    }

  private:
    bool has(std::size_t count) const { return ok_ && count <= bytes_.size() - position_; }

    template <class Width, class P>
    void offset(P& part) {
        Width value{};
        field(value);
        slots_.of(&part).offset = value;
    }
    template <class Width, class P>
    void length(P& part) {
        Width value{};
        field(value);
        slots_.of(&part).length = value;
    }

    Bytes bytes_;
    std::size_t position_;
    bool ok_{true};
    detail::Slots slots_;
};

// Writes at the end of a vector, or into memory of fixed size.  In the latter it counts on when the
// memory is full, so that size() tells what would have been needed; over no memory at all it only
// counts.
class Writer {
  public:
    static constexpr bool parsing = false;

    // `origin`: how far behind the point that offsets count from the first byte will lie.
    explicit Writer(std::vector<std::byte>& out, std::size_t origin = 0)
        : grow_(&out), base_(out.size()), origin_(origin) {}
    explicit Writer(MutableBytes out, std::size_t origin = 0) : fixed_(out), origin_(origin) {}

    bool ok() const { return ok_; }
    std::size_t position() const { return origin_ + size_; }
    std::size_t size() const { return size_; }
    bool fits() const { return grow_ != nullptr || size_ <= fixed_.size(); }
    void fail() { ok_ = false; }
    void check(bool condition) {
        if (!condition) fail();
    }
    // How many bytes were written; BUFFER_TOO_SMALL if they did not fit, INTERNAL_ERROR if a value
    // does not fit its field.
    Result<std::size_t> finish() const {
        if (!ok_) return smb3d::fail(NtStatus::INTERNAL_ERROR);
        if (!fits()) return smb3d::fail(NtStatus::BUFFER_TOO_SMALL);
        return size_;
    }

    template <Scalar T>
    void field(const T& value) {
        put(static_cast<typename detail::Carrier<T>::type>(value));
    }
    template <class T, std::size_t n>
    void field(const std::array<T, n>& value) {
        if constexpr (sizeof(T) == 1) {
            put_bytes(value.data(), n);
        } else {
            for (const T& element : value) field(element);
        }
    }
    template <class T>
    requires requires(const T& t, Writer& w) { T::wire(t, w); }
    void field(const T& value) { T::wire(value, *this); }
    template <Scalar T>
    void constant(T value) {
        field(value);
    }
    void structure_size(std::uint16_t size) {
        structure_size_ = size;
        structure_start_ = size_;
        field(size);
    }
    void reserved(std::size_t count) {
        if (std::byte* to = claim(count)) std::memset(to, 0, count);
    }
    void align(std::size_t alignment) {
        reserved(detail::aligned(position(), alignment) - position());
    }

    template <class P>
    void offset8(const P& part) {
        offset<std::uint8_t>(part);
    }
    template <class P>
    void offset16(const P& part) {
        offset<std::uint16_t>(part);
    }
    template <class P>
    void offset32(const P& part) {
        offset<std::uint32_t>(part);
    }
    template <class P>
    void length8(const P& part) {
        narrow<std::uint8_t>(part.size());
    }
    template <class P>
    void length16(const P& part) {
        narrow<std::uint16_t>(part.size());
    }
    template <class P>
    void length32(const P& part) {
        narrow<std::uint32_t>(part.size());
    }
    template <class T>
    void count8(const std::vector<T>& list) {
        narrow<std::uint8_t>(list.size());
    }
    template <class T>
    void count16(const std::vector<T>& list) {
        narrow<std::uint16_t>(list.size());
    }
    template <class T>
    void count32(const std::vector<T>& list) {
        narrow<std::uint32_t>(list.size());
    }

    // The offset is set even if the part is empty: where it would be.
    template <class P>
    void payload(const P& part, std::size_t alignment = 1) {
        if (part.size() != 0) align(alignment);
        patch(part);
        content(part);
    }
    // The offset of an empty part is 0.
    template <class P>
    void optional_payload(const P& part, std::size_t alignment = 1) {
        if (part.size() != 0) payload(part, alignment);
    }
    void payload_utf16(const Bytes& part) {
        check(part.size() % 2 == 0);
        payload(part);
    }
    void inline_bytes(const Bytes& part) { content(part); }
    void inline_utf16(const Bytes& part) {
        check(part.size() % 2 == 0);
        content(part);
    }
    void rest(const Bytes& part) { content(part); }
    void take(const Bytes& part, std::size_t count) {
        check(part.size() == count);
        content(part);
    }

    template <class T>
    void elements(const std::vector<T>& list, std::size_t max, std::size_t alignment = 1) {
        check(list.size() <= max);
        for (const T& element : list) {
            align(alignment);
            const std::size_t mark = slots_.mark();
            field(element);
            slots_.release(mark);
        }
    }
    template <class T>
    void elements_at_offset(const std::vector<T>& list, std::size_t max, std::size_t alignment) {
        if (list.empty()) return;
        align(alignment);
        patch(list);
        elements(list, max, alignment);
    }
    template <class T>
    void elements_to_end(const std::vector<T>& list, std::size_t max) {
        elements(list, max);
    }

    // A whole message body: adds the one byte that an odd StructureSize stands for when no variable
    // part was written.
    template <Body T>
    void body(const T& message) {
        T::wire(message, *this);
        const bool bare = size_ - structure_start_ + 1 == structure_size_;
        if (bare && !outside_) reserved(1);
    }

    // Room for `count` bytes that the caller fills; null when only counting.
    std::byte* claim(std::size_t count) {
        assert(!outside_);
        const std::size_t at = size_;
        size_ += count;
        if (grow_ != nullptr) {
            grow_->resize(base_ + size_);
            return grow_->data() + base_ + at;
        }
        return size_ <= fixed_.size() ? fixed_.data() + at : nullptr;
    }
    // Sets a field that was written before, at `at` bytes from the first one.
    template <class Width>
    void set(std::size_t at, Width value) {
        assert(at + sizeof value <= size_);
        std::byte* const memory = grow_ != nullptr ? grow_->data() + base_ : fixed_.data();
        if (grow_ != nullptr || at + sizeof value <= fixed_.size()) {
            detail::to_little(memory + at, value);
        }
    }

  private:
    template <class Width>
    void put(Width value) {
        if (std::byte* to = claim(sizeof value)) detail::to_little(to, value);
    }
    void put_bytes(const void* from, std::size_t count) {
        std::byte* to = claim(count);
        if (to != nullptr && count != 0) std::memcpy(to, from, count);
    }
    template <class Width>
    void narrow(std::size_t value) {
        check(value <= std::numeric_limits<Width>::max());
        put(static_cast<Width>(value));
    }
    template <class Width, class P>
    void offset(const P& part) {
        detail::Slot& slot = slots_.of(&part);
        slot.offset = size_;
        slot.offset_width = sizeof(Width);
        put(Width{0});
    }
    template <class P>
    void patch(const P& part) {
        const detail::Slot& slot = slots_.of(&part);
        const std::size_t value = position();
        switch (slot.offset_width) {
            case 1:
                return patch_width<std::uint8_t>(slot.offset, value);
            case 2:
                return patch_width<std::uint16_t>(slot.offset, value);
            case 4:
                return patch_width<std::uint32_t>(slot.offset, value);
            default:
                assert(false);
        }
    }
    template <class Width>
    void patch_width(std::size_t at, std::size_t value) {
        check(value <= std::numeric_limits<Width>::max());
        set(at, static_cast<Width>(value));
    }
    void content(const Bytes& part) { put_bytes(part.data(), part.size()); }
    void content(const Payload& part) {
        if (part.outside_size == 0) return content(part.bytes);
        outside_ = true;  // the rest of the message is the sender's
    }

    std::vector<std::byte>* grow_{nullptr};
    std::size_t base_{0};
    MutableBytes fixed_;
    std::size_t origin_;
    std::size_t size_{0};
    std::size_t structure_start_{0};
    std::uint16_t structure_size_{0};
    bool outside_{false};
    bool ok_{true};
    detail::Slots slots_;
};

// Parses a structure.  For a message body `bytes` begins with its SMB2 header and ends with the
// message (in a compound: with the part).  `error` is what a malformed one yields.
template <class T>
Result<T> parse(Bytes bytes, NtStatus error = NtStatus::INVALID_PARAMETER) {
    Result<T> value;
    Reader reader(bytes, origin_of<T>);
    if (reader.ok()) T::wire(*value, reader);
    if (!reader.ok()) value = fail(error);
    return value;
}

// Writes a structure into `out`; for a message body, `out` begins where the body does, behind the
// header.  Yields the number of bytes written, without those that a Payload leaves outside.
template <class T>
Result<std::size_t> build(const T& value, MutableBytes out) {
    Writer writer(out, origin_of<T>);
    if constexpr (Body<T>) {
        writer.body(value);
    } else {
        writer.field(value);
    }
    return writer.finish();
}

// What build() would need.
template <class T>
std::size_t built_size(const T& value) {
    Writer writer(MutableBytes{}, origin_of<T>);
    if constexpr (Body<T>) {
        writer.body(value);
    } else {
        writer.field(value);
    }
    return writer.size();
}

// Appends a structure to `out`, with offsets that count from the byte `origin_of<T>` before it.
template <class T>
Result<std::size_t> append(const T& value, std::vector<std::byte>& out) {
    Writer writer(out, origin_of<T>);
    if constexpr (Body<T>) {
        writer.body(value);
    } else {
        writer.field(value);
    }
    return writer.finish();
}

// For rare and small structures.  Empty if a value does not fit its field.
template <class T>
std::vector<std::byte> to_bytes(const T& value) {
    std::vector<std::byte> out;
    if (!append(value, out)) out.clear();
    return out;
}

// The StructureSize at the start of a body, by which OPLOCK_BREAK's forms are told apart; 0 if it
// is not there.
inline std::uint16_t structure_size_of(Bytes message) {
    if (message.size() < header_size + sizeof(std::uint16_t)) return 0;
    return detail::from_little<std::uint16_t>(message.data() + header_size);
}

}  // namespace smb3d::wire
