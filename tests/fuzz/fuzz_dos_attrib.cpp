// user.DOSATTRIB as it may lie on a disk that somebody else wrote.
#include <cstdint>
#include <cstdlib>

#include "vfs_posix/dos_attrib.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d::vfs_posix;
    const auto parsed =
        parse_dos_attrib(smb3d::Bytes(reinterpret_cast<const std::byte*>(data), size));
    if (!parsed) return 0;
    // What was read can be written and reads the same.
    const auto built = build_dos_attrib(*parsed);
    if (parse_dos_attrib(built) != parsed) std::abort();
    return 0;
}
