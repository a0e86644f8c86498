// Filler: a third direction of the codec, that sets every field of a structure to something random.
//
// Purpose: round-trip and truncation tests of every structure without a line per structure.
#pragma once

#include <deque>
#include <random>
#include <type_traits>
#include <vector>

#include "wire/codec.h"

namespace smb3d::wire::test {

class Filler {
  public:
    static constexpr bool parsing = false;

    explicit Filler(unsigned seed) : random_(seed) {}

    // What a structure writes as it is (constants, computed values) is none of ours.
    template <class T>
    void field(const T&) {}
    template <class T>
    requires(!std::is_const_v<T>) void field(T& value) {
        if constexpr (Scalar<T>) {
            // Zero and 3.1.1 decide about parts of some structures.
            const auto choice = random_() % 5;
            if (choice == 0) {
                value = static_cast<T>(0);
            } else if (choice == 1) {
                value = static_cast<T>(0x0311 & mask<T>);
            } else {
                value = static_cast<T>(random_() & mask<T>);
            }
        } else if constexpr (requires { std::tuple_size<T>::value; }) {
            for (auto& element : value) field(element);
        } else {
            T::wire(value, *this);
        }
    }
    template <class T>
    void constant(T) {}
    void structure_size(std::uint16_t) {}
    void reserved(std::size_t) {}
    void align(std::size_t) {}
    void check(bool) {}

    template <class P>
    void offset8(const P&) {}
    template <class P>
    void offset16(const P&) {}
    template <class P>
    void offset32(const P&) {}
    template <class P>
    void length8(const P&) {}
    template <class P>
    void length16(const P&) {}
    template <class P>
    void length32(const P&) {}
    template <class P>
    void count8(const P&) {}
    template <class P>
    void count16(const P&) {}
    template <class P>
    void count32(const P&) {}

    void payload(Bytes& part, std::size_t = 1) { part = bytes(); }
    void payload(Payload& part, std::size_t = 1) { part = Payload(bytes()); }
    template <class P>
    void optional_payload(P& part, std::size_t = 1) {
        payload(part);
    }
    void payload_utf16(Bytes& part) { part = bytes(); }
    void inline_bytes(Bytes& part) { part = bytes(); }
    void inline_utf16(Bytes& part) { part = bytes(); }
    void rest(Bytes& part) { part = bytes(); }
    void rest(const Bytes&) {}
    void take(Bytes& part, std::size_t) { part = bytes(); }
    template <class T>
    void elements(std::vector<T>& list, std::size_t, std::size_t = 1) {
        list.resize(random_() % 4);
        for (T& element : list) field(element);
    }
    template <class T>
    void elements_at_offset(std::vector<T>& list, std::size_t max, std::size_t) {
        elements(list, max);
    }
    template <class T>
    void elements_to_end(std::vector<T>& list, std::size_t max) {
        elements(list, max);
    }

  private:
    template <class T>
    static constexpr std::uint64_t mask = ~std::uint64_t{0} >> (64 - 8 * sizeof(T));

    // An even number of them, sometimes none.
    Bytes bytes() {
        std::vector<std::byte>& part = arena_.emplace_back(random_() % 12 * 2);
        for (std::byte& byte : part) byte = static_cast<std::byte>(random_() & 0xFF);
        return part;
    }

    std::mt19937_64 random_;
    std::deque<std::vector<std::byte>> arena_;
};

// The length below which no message of this type is one: all of its fixed part.
template <class T>
std::size_t fixed_size() {
    Writer writer(MutableBytes{}, origin_of<T>);
    writer.field(T{});
    return origin_of<T> + writer.size();
}

// Bytes as they would come from a peer: a body behind room for its header.
template <class T>
std::vector<std::byte> message_of(const T& value) {
    std::vector<std::byte> out(origin_of<T>);
    if (!append(value, out)) out.clear();
    return out;
}

// A copy in memory of exactly that size, for the address sanitizer to watch.
inline std::vector<std::byte> exactly(Bytes bytes) {
    std::vector<std::byte> copy(bytes.begin(), bytes.end());
    copy.shrink_to_fit();
    return copy;
}

}  // namespace smb3d::wire::test
