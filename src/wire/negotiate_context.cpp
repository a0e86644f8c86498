#include "wire/negotiate_context.h"

namespace smb3d::wire {

namespace {

// [MS-SMB2] 3.3.5.4: more than one context of a type is INVALID_PARAMETER.
template <class T>
bool decode_into(std::optional<T>& value, Bytes data) {
    if (value) return false;
    const Result<T> parsed = parse<T>(data);
    if (!parsed) return false;
    value = *parsed;
    return true;
}

bool decode_one(NegotiateContexts& into, const NegotiateContext& context) {
    switch (context.context_type) {
        case NegotiateContextType::preauth_integrity_capabilities:
            return decode_into(into.preauth_integrity, context.data);
        case NegotiateContextType::encryption_capabilities:
            return decode_into(into.encryption, context.data);
        case NegotiateContextType::compression_capabilities:
            return decode_into(into.compression, context.data);
        case NegotiateContextType::netname_negotiate_context_id:
            return decode_into(into.netname, context.data);
        case NegotiateContextType::transport_capabilities:
            return decode_into(into.transport, context.data);
        case NegotiateContextType::rdma_transform_capabilities:
            return decode_into(into.rdma_transform, context.data);
        case NegotiateContextType::signing_capabilities:
            return decode_into(into.signing, context.data);
        case NegotiateContextType::posix_extensions_available:
            into.posix_extensions = true;
            return true;
    }
    return true;  // unknown types are ignored
}

}  // namespace

Result<NegotiateContexts> decode(std::span<const NegotiateContext> contexts) {
    NegotiateContexts decoded;
    for (const NegotiateContext& context : contexts) {
        if (!decode_one(decoded, context)) return fail(NtStatus::INVALID_PARAMETER);
    }
    return decoded;
}

template <class T>
void NegotiateContextBuilder::add(NegotiateContextType type, const std::optional<T>& value) {
    if (!value) return;
    data_.push_back(to_bytes(*value));
    contexts_.push_back({type, Bytes(data_.back())});
}

NegotiateContextBuilder::NegotiateContextBuilder(const NegotiateContexts& contexts) {
    using Type = NegotiateContextType;
    add(Type::preauth_integrity_capabilities, contexts.preauth_integrity);
    add(Type::encryption_capabilities, contexts.encryption);
    add(Type::compression_capabilities, contexts.compression);
    add(Type::netname_negotiate_context_id, contexts.netname);
    add(Type::transport_capabilities, contexts.transport);
    add(Type::rdma_transform_capabilities, contexts.rdma_transform);
    add(Type::signing_capabilities, contexts.signing);
    if (contexts.posix_extensions) {
        const std::span<const char> guid(posix_context_guid.data(), posix_context_guid.size());
        const Bytes data = std::as_bytes(guid);
        data_.emplace_back(data.begin(), data.end());
        contexts_.push_back({Type::posix_extensions_available, Bytes(data_.back())});
    }
}

}  // namespace smb3d::wire
