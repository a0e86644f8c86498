// Names on disk <-> names that a Windows client can express.
//
// Purpose: a name on disk is any bytes but '/' and NUL; a client's is UTF-16 without "*:<>?|\ and
// control characters
//   and without a final dot or space.  Both directions are one to one, so that every file can be
//   opened and deleted:
//   - forbidden characters are shown in the private-use area as macOS ("SFM") and Linux cifs
//   (mapposix) do:
//     0x01-0x1f U+F001-U+F01F, " U+F020, * U+F021, : U+F022, < U+F023, > U+F024, ? U+F025,
//     \ U+F026, | U+F027, a final space U+F028, a final dot U+F029;
//   - a byte that is not part of valid UTF-8 is shown as the unpaired surrogate U+DC00 + byte (in
//   WTF-8);
//   - an unpaired surrogate that a client sends otherwise is stored as its three bytes (WTF-8).
// Spec: [MS-FSCC] 2.1.5 (path names).
// Thread: any (pure functions).
// Errors: to_disk gives nullopt for what must not get to the file system: "", ".", "..", '/', NUL,
// and sequences of
//   U+DC80..U+DCFF that would make valid UTF-8 (they would be a second spelling of another name).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smb3d::vfs_posix {

// True if `component` is the same on disk and to clients: the common case, which needs no copy.
bool maps_to_itself(std::string_view component);

std::optional<std::string> to_disk(std::string_view component);
std::string to_client(std::string_view name_on_disk);

// Component-wise over '/'.
std::optional<std::string> path_to_disk(std::string_view path);
std::string path_to_client(std::string_view path_on_disk);

// Whether `path` needs no mapping at all and holds no component that must be refused.
bool path_maps_to_itself(std::string_view path);

}  // namespace smb3d::vfs_posix
