// SPNEGO: the DER parser, that what was parsed survives a round trip, and the acceptor under any
// sequence of tokens.
#include <cstdlib>

#include "auth/ntlm.h"
#include "auth/spnego.h"

namespace {

using namespace smb3d;
using namespace smb3d::auth;

// Takes any OID for its own and any token for right, so that the acceptor's states are what gets
// tested.
class AnyContext : public MechanismContext {
  public:
    Result<MechanismStep> step(Bytes token) override {
        MechanismStep out;
        out.token = copy_bytes(token.first(std::min<std::size_t>(token.size(), 8)));
        out.complete = ++steps_ > 1 || token.size() % 2 == 1;
        return out;
    }
    bool has_integrity() const override { return true; }
    bool wants_mech_list_mic() const override { return true; }
    Result<ByteString> get_mic(Bytes message) override { return copy_bytes(message); }
    Result<void> verify_mic(Bytes, Bytes mic) override {
        if (mic.size() > 4) return fail(NtStatus::LOGON_FAILURE);
        return {};
    }
    Identity identity() const override { return {}; }

  private:
    int steps_{0};
};

class AnyMechanism : public Mechanism {
  public:
    std::string_view name() const override { return "any"; }
    Bytes mech_oid() const override { return oid::ntlmssp(); }
    bool is_named(Bytes oid) const override { return oid.size() > 2; }
    bool is_raw_token(Bytes token) const override {
        return !token.empty() && token[0] == std::byte{'N'};
    }
    std::unique_ptr<MechanismContext> begin(const Peer&) const override {
        return std::make_unique<AnyContext>();
    }
};

void check_round_trip(Bytes input) {
    const auto parsed = parse_neg_token(input);
    if (!parsed) return;
    const ByteString again =
        std::visit([](const auto& token) { return encode_neg_token(token); }, *parsed);
    const auto reparsed = parse_neg_token(again);
    if (!reparsed || reparsed->index() != parsed->index()) std::abort();
    if (const auto* init = std::get_if<NegTokenInit>(&*parsed)) {
        if (std::get<NegTokenInit>(*reparsed).mech_types != init->mech_types) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes input = std::as_bytes(std::span(data, size));
    check_round_trip(input);
    SpnegoAcceptor acceptor({std::make_shared<AnyMechanism>()}, {});
    bool complete = false;
    // Tokens one after the other, each with its length in two bytes before it.
    ByteReader reader(input);
    while (reader.ok() && reader.remaining() > 1) {
        const Bytes token = reader.bytes(reader.u16());
        const auto step = acceptor.step(token);
        if (step && complete) std::abort();  // nothing may follow the end
        if (step && step->complete) complete = true;
    }
    SpnegoAcceptor whole({std::make_shared<AnyMechanism>()}, {});
    (void)whole.step(input);
    return 0;
}
