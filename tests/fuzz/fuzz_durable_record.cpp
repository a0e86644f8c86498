// Whatever the disk has for a persistent handle: decode() takes it or not, and what it takes is
// written back as the same bytes.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "durable/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d::durable;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    std::vector<std::byte> form(bytes, bytes + size);
    // The checksum would keep the fuzzer out of everything behind it.
    std::uint64_t sum = 0xCBF2'9CE4'8422'2325;
    for (const std::byte b : form)
        sum = (sum ^ std::to_integer<std::uint64_t>(b)) * 0x100'0000'01B3;
    for (int i = 0; i < 8; ++i) form.push_back(static_cast<std::byte>(sum >> (8 * i)));
    if (const auto record = decode(form); record && encode(*record) != form) std::abort();
    if (decode({bytes, size}) && size < 8) std::abort();
    return 0;
}
