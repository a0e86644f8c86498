// UTF-16LE as on the wire <-> UTF-8 as in the server.
//
// Unpaired surrogates survive a round trip as their three-byte form (WTF-8), since Windows file
// names may hold them; from_utf8 refuses any other malformed input. Thread: any (pure functions).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smb3d/buffer.h"

namespace smb3d {

// `bytes` must be an even number of bytes, else nullopt.
std::optional<std::string> utf16le_to_utf8(Bytes bytes);
std::string utf16_to_utf8(std::u16string_view text);
// nullopt if `text` is not UTF-8 (WTF-8).
std::optional<std::u16string> utf8_to_utf16(std::string_view text);
std::vector<std::byte> utf16le_bytes(std::u16string_view text);

// Number of UTF-16 units that `text` takes; counts a malformed byte as one.
std::size_t utf16_length(std::string_view text);

// Simple case mapping one to one, as Windows' upcase table does it: what two file names are
// compared by.
char16_t upcase(char16_t unit);
char16_t downcase(char16_t unit);
std::u16string upcase(std::u16string_view text);
// The folded form of a UTF-8 name: two names are the same to a Windows client iff these are equal.
std::string fold_name(std::string_view name);
bool equal_folded(std::string_view a, std::string_view b);

}  // namespace smb3d
