// The list of create contexts of a CREATE, and the data of every kind of context.
#include "fuzz_structure.h"
#include "wire/create_context.h"
#include "wire/type_list.h"

namespace smb3d {

namespace {

using ContextData =
    wire::TypeList<wire::DurableHandleRequest, wire::DurableHandleReconnect,
                   wire::QueryMaximalAccessRequest, wire::AllocationSize, wire::TimewarpToken,
                   wire::Lease, wire::LeaseV2, wire::DurableHandleRequestV2,
                   wire::DurableHandleReconnectV2, wire::AppInstanceId, wire::AppInstanceVersion,
                   wire::AaplRequest, wire::AaplResponse, wire::PosixRequest, wire::PosixResponse>;

bool inside(Bytes part, Bytes whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

}  // namespace smb3d

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    const Bytes list = fuzz::bytes_of(data, size);
    wire::CreateContextReader reader(list);
    wire::CreateContextBuilder builder;
    wire::CreateContext context;
    std::size_t count = 0;
    while (reader.next(context)) {
        ++count;
        fuzz::require(inside(context.name, list) && inside(context.data, list));
        fuzz::touch(context.name);
        fuzz::touch(context.data);
        ContextData::for_each([&]<class T>() { fuzz::parse_and_rebuild<T>(context.data); });
        const auto* name = reinterpret_cast<const char*>(context.name.data());
        builder.add({name, context.name.size()}, context.data);
    }
    fuzz::require(count <= limits::max_create_contexts);
    // What was read can be written, and then reads the same number of contexts; one whose name
    // leaves no room for a 16-bit offset to its data is left out.
    wire::CreateContextReader again(builder.bytes());
    std::size_t rebuilt = 0;
    while (again.next(context)) ++rebuilt;
    fuzz::require(again.ok() && rebuilt <= count);
    return 0;
}
