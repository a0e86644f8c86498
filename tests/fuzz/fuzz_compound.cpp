// A whole message after framing: what kind it is, the chain's parts, and each part's request.
#include "fuzz_structure.h"
#include "wire/compound.h"
#include "wire/message_list.h"
#include "wire/smb1_negotiate.h"

namespace smb3d {

namespace {

void run_part(const wire::ChainPart& part) {
    wire::Requests::for_each([&]<class T>() {
        if (T::command == part.header.command) fuzz::parse_and_rebuild<T>(part.message);
    });
}

}  // namespace

}  // namespace smb3d

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    const Bytes message = fuzz::bytes_of(data, size);
    if (wire::message_kind(message) == wire::MessageKind::smb1) {
        (void)wire::parse_smb1_negotiate(message);
        return 0;
    }
    wire::ChainReader chain(message);
    wire::ChainPart part;
    std::size_t covered = 0;
    bool ended = false;
    while (chain.next(part)) {
        // Parts follow one another without gap or overlap, and the last one ends the chain.
        fuzz::require(!ended && part.offset == covered);
        covered += part.message.size();
        ended = part.last;
        fuzz::touch(part.message);
        run_part(part);
    }
    const bool sound = chain.fault() == wire::ChainFault::none;
    fuzz::require(sound == ended);
    fuzz::require(!sound || covered == message.size());
    return 0;
}
