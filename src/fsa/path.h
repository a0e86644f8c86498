// Names in CREATE and SET_INFO -> paths of the VFS.
//
// Purpose: the only parser of client path names: UTF-16LE with backslashes in, checked UTF-8 with
//   slashes out.
// Spec: [MS-FSCC] 2.1.5 (pathnames, components, stream names), [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.
// Thread: pure functions, any.
// Lifetime: values.
// Errors: INVALID_PARAMETER (odd length; leading separator in CREATE), else OBJECT_NAME_INVALID.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "smb3d/buffer.h"
#include "smb3d/status.h"

namespace smb3d::fsa {

struct ParsedName {
    std::string path;    // VFS form; "" is the share's root
    std::string stream;  // the named stream's name; empty for the main stream
    // A named stream (not the main one) is meant.
    bool has_stream{false};
    // A ':' was there, be it only "::$DATA": a directory cannot be opened so.
    bool stream_syntax{false};
    // "::$INDEX_ALLOCATION": the directory itself.
    bool index_stream{false};
    // Ended in a separator: OBJECT_NAME_INVALID together with FILE_NON_DIRECTORY_FILE.
    bool must_be_directory{false};
    // A component is an @GMT token: not supported yet.
    bool previous_version{false};
};

enum class LeadingSeparator : std::uint8_t {
    refused,  // CREATE: INVALID_PARAMETER
    skipped,  // rename and link targets
};

Result<ParsedName> parse_name(Bytes utf16le, LeadingSeparator leading = LeadingSeparator::refused);

// True for a name that may be a component of a path: not "." or "..", at most 255 UTF-16 units, no
// forbidden character.
bool is_valid_component(std::u16string_view component);
// "@GMT-YYYY.MM.DD-HH.MM.SS", [MS-SMB2] 2.2.13 / [MS-SMB] 2.2.1.1.1.
bool is_gmt_token(std::u16string_view component);

// "a/b/c" -> "a/b", "a" -> "".
std::string_view parent_path(std::string_view path);
// "a/b/c" -> "c".
std::string_view last_component(std::string_view path);
// True if `path` lies below `directory` (not equal); "" is above everything else.
bool is_below(std::string_view path, std::string_view directory);
// ... or is that directory.
bool is_within(std::string_view path, std::string_view directory);
// "a/b" -> "\a\b", "" -> "\": as FileNameInformation and friends show a name.
std::string to_backslashes(std::string_view path);

}  // namespace smb3d::fsa
