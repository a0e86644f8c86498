// Every structure of src/wire: the first byte selects one, the rest is the message from its header
// on.
#include "fuzz_structure.h"
#include "wire/message_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    if (size == 0) return 0;
    std::size_t index = data[0];
    const Bytes message = fuzz::bytes_of(data + 1, size - 1);
    if (fuzz::run_selected<wire::Requests>(index, message)) return 0;
    index -= wire::Requests::size;
    if (fuzz::run_selected<wire::Responses>(index, message)) return 0;
    index -= wire::Responses::size;
    fuzz::run_selected<wire::Structures>(index, message);
    return 0;
}
