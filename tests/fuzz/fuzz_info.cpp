// SET_INFO and FSCTL payloads and the lists of src/fscc: the first byte selects a structure or a
// list.
#include "fscc/structure_list.h"
#include "fuzz_structure.h"

namespace smb3d {

namespace {

template <class T>
void run_list(Bytes list, std::size_t alignment) {
    constexpr std::size_t max_entries = 256;
    wire::NextListReader reader(list, alignment, max_entries);
    std::vector<std::byte> out;
    wire::NextListWriter writer(out, alignment);
    Bytes entry;
    std::size_t written = 0;
    while (reader.next(entry)) {
        fuzz::touch(entry);
        const Result<T> parsed = wire::parse_entry<T>(entry);
        if (parsed && writer.add(*parsed)) ++written;
    }
    wire::NextListReader again(out, alignment, max_entries);
    std::size_t read = 0;
    while (again.next(entry)) {
        fuzz::require(wire::parse_entry<T>(entry).has_value());
        ++read;
    }
    fuzz::require(again.ok() && read == written);
}

void run_lists(std::size_t index, Bytes bytes) {
    switch (index) {
        case 0:
            return run_list<fscc::FileFullEaInformation>(bytes, fscc::ea_alignment);
        case 1:
            return run_list<fscc::FileGetEaInformation>(bytes, fscc::ea_alignment);
        case 2:
            return run_list<fscc::FileStreamInformation>(bytes, fscc::stream_alignment);
        case 3:
            return run_list<fscc::FileNotifyInformation>(bytes, fscc::notify_alignment);
        case 4:
            return run_list<fscc::NetworkInterfaceInfo>(bytes, fscc::network_interface_alignment);
        case 5:
            return run_list<fscc::FileLinkEntryInformation>(bytes, 8);
        default:
            return;
    }
}

}  // namespace

}  // namespace smb3d

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    if (size == 0) return 0;
    std::size_t index = data[0];
    const Bytes payload = fuzz::bytes_of(data + 1, size - 1);
    if (fuzz::run_selected<fscc::FileStructures>(index, payload)) return 0;
    index -= fscc::FileStructures::size;
    if (fuzz::run_selected<fscc::FsStructures>(index, payload)) return 0;
    index -= fscc::FsStructures::size;
    if (fuzz::run_selected<fscc::FsctlStructures>(index, payload)) return 0;
    run_lists(index - fscc::FsctlStructures::size, payload);
    return 0;
}
