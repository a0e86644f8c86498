// ByteReader, ByteWriter, ByteString and the wiping of secrets: what the codecs of this folder
// share.
//
// Purpose: NTLM messages and DER are read front to back or by (length, offset) pairs; both go
// through a
//   reader that cannot pass its end.
// Thread: any (values).
// Errors: a read beyond the end makes the reader fail for good: values read from then on are zero
// or empty,
//   and ok() is false; the caller checks once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "smb3d/buffer.h"

namespace smb3d::auth {

using ByteString = std::vector<std::byte>;

inline ByteString copy_bytes(Bytes bytes) { return {bytes.begin(), bytes.end()}; }
inline void append(ByteString& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
bool equal_bytes(Bytes a, Bytes b);  // not constant-time: for what is public

// Overwrites in a way that the compiler must not remove.
void wipe(MutableBytes secret);
void wipe(std::string& secret);
void wipe(std::u16string& secret);
void wipe(ByteString& secret);

// Little-endian, as NTLM messages are.
class ByteReader {
  public:
    explicit ByteReader(Bytes bytes) : all_(bytes) {}
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    Bytes bytes(std::size_t count);
    void skip(std::size_t count) { (void)bytes(count); }
    std::size_t position() const { return position_; }
    std::size_t remaining() const { return all_.size() - position_; }
    bool ok() const { return ok_; }

  private:
    std::uint64_t number(std::size_t count);

    Bytes all_;
    std::size_t position_{0};
    bool ok_{true};
};

class ByteWriter {
  public:
    void u8(std::uint8_t value) { number(value, 1); }
    void u16(std::uint16_t value) { number(value, 2); }
    void u32(std::uint32_t value) { number(value, 4); }
    void u64(std::uint64_t value) { number(value, 8); }
    void bytes(Bytes value) { append(out_, value); }
    void zeros(std::size_t count) { out_.resize(out_.size() + count); }
    std::size_t size() const { return out_.size(); }
    ByteString take() { return std::move(out_); }

  private:
    void number(std::uint64_t value, std::size_t count);

    ByteString out_;
};

}  // namespace smb3d::auth
