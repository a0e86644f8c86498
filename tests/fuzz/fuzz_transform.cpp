// What stands in front of a message: the encryption and the compression transform headers.
#include "fuzz_structure.h"
#include "wire/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    const Bytes message = fuzz::bytes_of(data, size);
    const wire::MessageKind kind = wire::message_kind(message);
    const Result<wire::TransformHeader> transform = wire::parse<wire::TransformHeader>(message);
    const Result<wire::CompressionTransformHeader> compression =
        wire::parse<wire::CompressionTransformHeader>(message);
    fuzz::require(transform.has_value() ==
                  (kind == wire::MessageKind::transform && size >= wire::transform_header_size));
    fuzz::require(compression.has_value() ==
                  (kind == wire::MessageKind::compressed && size >= wire::compression_header_size));
    fuzz::parse_and_rebuild<wire::TransformHeader>(message);
    fuzz::parse_and_rebuild<wire::CompressionTransformHeader>(message);
    return 0;
}
