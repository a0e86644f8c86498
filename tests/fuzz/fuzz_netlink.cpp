// rtnetlink messages: of the kernel, but read like a stranger's.
#include <cstdint>
#include <cstdlib>

#include "daemon/netlink.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    daemon::NetlinkTable table;
    const Bytes bytes(reinterpret_cast<const std::byte*>(data), size);
    table.take(bytes);
    // The same again changes nothing that was not taken back meanwhile.
    table.take(bytes);
    if (table.links().size() > daemon::NetlinkTable::max_entries) std::abort();
    if (table.addresses().size() > daemon::NetlinkTable::max_entries) std::abort();
    for (const auto& [index, link] : table.links()) {
        if (index == 0 || link.name.empty()) std::abort();
    }
    return 0;
}
