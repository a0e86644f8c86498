// Names from disk and from clients through the name map: what it gives always comes back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vfs_posix/name_map.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d::vfs_posix;
    const std::string_view name(reinterpret_cast<const char*>(data), size);
    const bool possible_on_disk = size > 0 && name != "." && name != ".." &&
                                  name.find('/') == name.npos && name.find('\0') == name.npos;
    if (possible_on_disk) {
        const std::string client = to_client(name);
        const auto back = to_disk(client);
        // A literal private-use character stands for another name as well (see name_map.h).
        if (name.find("\xEF\x80") == name.npos && back != name) std::abort();
        if (maps_to_itself(name) && client != name) std::abort();
    }
    if (const auto disk = to_disk(name)) {
        if (disk->empty() || *disk == "." || *disk == ".." || disk->find('/') != disk->npos ||
            disk->find('\0') != disk->npos) {
            std::abort();
        }
    }
    return 0;
}
