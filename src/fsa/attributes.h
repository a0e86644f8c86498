// File attributes: what may be set, when, and what the stored value becomes.
//
// Purpose: the attribute rules of create, overwrite and FileBasicInformation in one place.
// Spec: [MS-FSA] 2.1.5.1.1, 2.1.5.1.2, 2.1.5.15.2; [MS-FSCC] 2.6 (values).
// Thread: pure functions, any.  Lifetime: plain values.
// Errors: INVALID_PARAMETER, CANNOT_DELETE, ACCESS_DENIED as said at each function.
#pragma once

#include <cstdint>

#include "fsa/access.h"
#include "smb3d/status.h"

namespace smb3d::fsa {

namespace attribute {
inline constexpr std::uint32_t readonly = 0x00000001;
inline constexpr std::uint32_t hidden = 0x00000002;
inline constexpr std::uint32_t system = 0x00000004;
inline constexpr std::uint32_t directory = 0x00000010;
inline constexpr std::uint32_t archive = 0x00000020;
inline constexpr std::uint32_t normal = 0x00000080;
inline constexpr std::uint32_t temporary = 0x00000100;
inline constexpr std::uint32_t sparse_file = 0x00000200;
inline constexpr std::uint32_t reparse_point = 0x00000400;
inline constexpr std::uint32_t compressed = 0x00000800;
inline constexpr std::uint32_t offline = 0x00001000;
inline constexpr std::uint32_t not_content_indexed = 0x00002000;
inline constexpr std::uint32_t encrypted = 0x00004000;
inline constexpr std::uint32_t integrity_stream = 0x00008000;
inline constexpr std::uint32_t no_scrub_data = 0x00020000;

// [MS-FSA] 2.1.5.15.2: what FileBasicInformation and CREATE may set (0x31A7).
inline constexpr std::uint32_t settable =
    readonly | hidden | system | archive | normal | temporary | offline | not_content_indexed;
// What a CREATE may name at all; the rest of the 32 bits is INVALID_PARAMETER (smbtorture
// smb2.create.gentest).
inline constexpr std::uint32_t valid = 0x00007FB7;
}  // namespace attribute

// [MS-FSCC] 2.6: NORMAL stands alone.  Adds it if nothing else is set, takes it away otherwise;
// DIRECTORY follows `is_directory`.
constexpr std::uint32_t normalize_attributes(std::uint32_t attributes, bool is_directory) {
    std::uint32_t result = attributes & ~(attribute::normal | attribute::directory);
    if (is_directory) result |= attribute::directory;
    return result == 0 ? attribute::normal : result;
}

// [MS-FSA] 2.1.5.1.1: the attributes a new file gets: the settable ones asked for, ARCHIVE for
// files. INVALID_PARAMETER for bits that do not exist or TEMPORARY on a directory; CANNOT_DELETE
// for READONLY together with FILE_DELETE_ON_CLOSE.
Result<std::uint32_t> attributes_of_new_file(std::uint32_t requested, bool is_directory,
                                             std::uint32_t create_options);

// [MS-FSA] 2.1.5.1.2.1: rights that a file's attributes take away, whoever asks: what
// MAXIMUM_ALLOWED must leave out.
constexpr std::uint32_t access_denied_by_attributes(std::uint32_t stored, bool is_directory) {
    return (stored & attribute::readonly) != 0 && !is_directory
               ? access::write_data | access::append_data
               : 0;
}

// [MS-FSA] 2.1.5.1.2.1: may this existing file be opened so?  `stored` are its attributes,
// `desired` the access asked for (expanded).  ACCESS_DENIED for data access to a READONLY
// file that would write or overwrite, CANNOT_DELETE for FILE_DELETE_ON_CLOSE on a READONLY file.
Result<void> check_open_attributes(std::uint32_t stored, bool is_directory, std::uint32_t desired,
                                   CreateDisposition disposition, std::uint32_t create_options);

// [MS-FSA] 2.1.5.1.2: overwrite and supersede: ACCESS_DENIED if the file is HIDDEN or SYSTEM and
// the request does not say so too, or if it is READONLY; else the attributes it has afterwards
// (ARCHIVE always; supersede replaces the others, overwrite adds to them; SPARSE_FILE goes).
Result<std::uint32_t> attributes_of_overwritten_file(std::uint32_t stored, std::uint32_t requested,
                                                     CreateDisposition disposition);

// [MS-FSA] 2.1.5.15.2: FileBasicInformation.FileAttributes; 0 means "keep" and yields `stored`.
// INVALID_PARAMETER for DIRECTORY on a file, TEMPORARY on a directory.
Result<std::uint32_t> attributes_set_by_user(std::uint32_t stored, std::uint32_t requested,
                                             bool is_directory);

}  // namespace smb3d::fsa
