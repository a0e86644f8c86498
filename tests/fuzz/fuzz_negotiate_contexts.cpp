// NEGOTIATE, parsed before anybody is authenticated: request, response and their contexts.
#include "fuzz_structure.h"
#include "wire/negotiate.h"

namespace smb3d {

namespace {

template <class T>
void run(Bytes message) {
    const Result<T> parsed = wire::parse<T>(message);
    if (!parsed) return;
    const Result<wire::NegotiateContexts> contexts = wire::decode(parsed->negotiate_contexts);
    if (!contexts) return;
    // Decoded contexts can be built and decode again.
    const wire::NegotiateContextBuilder builder(*contexts);
    const Result<wire::NegotiateContexts> again = wire::decode(builder.contexts());
    fuzz::require(again.has_value());
    fuzz::require(again->preauth_integrity.has_value() == contexts->preauth_integrity.has_value());
    fuzz::require(again->encryption.has_value() == contexts->encryption.has_value());
    fuzz::require(again->signing.has_value() == contexts->signing.has_value());
}

}  // namespace

}  // namespace smb3d

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    // The input is the body; the header in front of it does not matter here.
    std::vector<std::byte> message(wire::header_size + size);
    const Bytes body = fuzz::bytes_of(data, size);
    std::copy(body.begin(), body.end(), message.begin() + wire::header_size);
    run<wire::NegotiateRequest>(message);
    run<wire::NegotiateResponse>(message);
    return 0;
}
