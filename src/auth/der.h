// DER, as much as SPNEGO needs: a bounded reader and a writer.
//
// Spec: X.690 10 (definite lengths only), RFC 4178 4.2, RFC 2743 3.1.
// Thread: any (values); a Reader refers to the bytes it was made with.
// Errors: INVALID_PARAMETER for anything malformed: indefinite or too long a length, a tag of
// several bytes,
//   nesting beyond max_depth.
#pragma once

#include <optional>

#include "auth/bytes.h"
#include "smb3d/status.h"

namespace smb3d::auth::der {

enum Tag : std::uint8_t {
    octet_string = 0x04,
    object_identifier = 0x06,
    enumerated = 0x0A,
    general_string = 0x1B,
    sequence = 0x30,
    application_0 = 0x60,
    context_0 = 0xA0,
    context_1 = 0xA1,
    context_2 = 0xA2,
    context_3 = 0xA3,
    context_4 = 0xA4,
};

inline constexpr unsigned max_depth = 8;
inline constexpr std::size_t max_size = 64U * 1024U;

struct Element {
    std::uint8_t tag{0};
    Bytes content;
    Bytes whole;  // with its tag and length
};

class Reader {
  public:
    explicit Reader(Bytes bytes) : rest_(bytes) {}
    bool empty() const { return rest_.empty(); }
    // The tag of the next element, 0 if there is none.
    std::uint8_t peek() const { return rest_.empty() ? 0 : static_cast<std::uint8_t>(rest_[0]); }
    Result<Element> next();
    Result<Element> expect(std::uint8_t tag);
    // A reader of the content of the next element, which must have this tag.
    Result<Reader> enter(std::uint8_t tag);

  private:
    Reader(Bytes bytes, unsigned depth) : rest_(bytes), depth_(depth) {}

    Bytes rest_;
    unsigned depth_{0};
};

ByteString element(std::uint8_t tag, Bytes content);

}  // namespace smb3d::auth::der
