// The xattr user.DOSATTRIB: DOS attributes and creation time, in the format that Samba writes.
//
// Purpose: a share can be switched between smbd and smb3d with nothing lost.
// Spec: Samba's librpc/idl/xattr.idl, xattr_DOSATTRIB (NDR, little endian): a NUL-terminated
// hexadecimal string
//   (empty since version 4), then version, a union with one arm a version.  Read: 1 to 5, and the
//   bare string of old releases; written: 5.
// Thread: any (pure functions).
// Errors: nullopt for a value that is not of this format: hostile or of a later version; the caller
// then goes by
//   the inode alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "smb3d/buffer.h"

namespace smb3d::vfs_posix {

inline constexpr const char* dos_attrib_name = "user.DOSATTRIB";
inline constexpr std::size_t dos_attrib_max_size =
    512;  // versions 1 to 5 need less; a longer value is not ours

struct DosAttrib {
    std::optional<std::uint32_t> attributes;
    std::optional<std::uint64_t> creation_time;  // FileTime
    friend bool operator==(const DosAttrib&, const DosAttrib&) = default;
};

std::optional<DosAttrib> parse_dos_attrib(Bytes value);

// Version 5: 24 bytes.
std::array<std::byte, 24> build_dos_attrib(const DosAttrib& attrib);

}  // namespace smb3d::vfs_posix
