// The RPC PDU stream of a pipe.  First byte: which pipe, who calls, whether binds may authenticate;
// second: the size of the pieces that the rest is fed in.
#include <algorithm>
#include <memory>

#include "base/log.h"
#include "fuzz_bytes.h"
#include "pipe/rpc.h"

namespace smb3d {

namespace {

constexpr std::uint32_t all_ntlm_flags = 0xe28a8233;

// Accepts any second token, so that what comes after an authenticated bind is reached.
class EasyExchange : public auth::Exchange {
  public:
    Result<auth::Step> step(Bytes token) override {
        auth::Step step;
        step.token.assign(token.begin(), token.end());
        step.complete = ++leg_ > 1;
        if (step.complete) {
            step.identity.caller = std::make_shared<Caller>();
            step.identity.session_key.assign(16, std::byte{0x55});
            step.identity.ntlm_flags = all_ntlm_flags;
        }
        if (leg_ > 2) return fail(NtStatus::LOGON_FAILURE);
        return step;
    }

  private:
    int leg_{0};
};

class EasyAuthority : public auth::Authority {
  public:
    std::vector<std::byte> hint() const override { return {}; }
    std::unique_ptr<auth::Exchange> begin(const auth::Peer&) const override {
        return std::make_unique<EasyExchange>();
    }
};

class RpcFuzzView : public pipe::ServerView {
  public:
    explicit RpcFuzzView(bool authenticates) {
        if (authenticates) authority_ = std::make_shared<EasyAuthority>();
    }
    pipe::ServerIdentity identity() const override { return {"NAS", "nas", "W", "comment"}; }
    std::vector<pipe::ShareEntry> shares(const Caller&) const override {
        pipe::ShareEntry share;
        share.name = "test";
        share.comment = "a comment";
        return std::vector<pipe::ShareEntry>(30, share);
    }
    std::shared_ptr<const auth::Authority> authority() const override { return authority_; }

  private:
    std::shared_ptr<const auth::Authority> authority_;
};

}  // namespace

}  // namespace smb3d

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    log::set_level(log::Component::pipe, log::Level::off);
    if (size < 2) return 0;
    const auto services = pipe::pipe_services();
    const auto view = std::make_shared<RpcFuzzView>((data[0] & 0x80) != 0);
    pipe::rpc::RpcConnection connection(services[data[0] % services.size()], view);
    Caller caller;
    caller.uid = (data[0] & 0x40) != 0 ? 0 : 1000;
    caller.anonymous = (data[0] & 0x20) != 0;
    const std::size_t piece = std::max<std::size_t>(data[1], 1) * 8;
    Bytes rest = fuzz::bytes_of(data, size).subspan(2);
    std::size_t answered = 0;
    while (!rest.empty()) {
        const Bytes part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        std::vector<pipe::rpc::Bits> replies;
        const bool was_broken = connection.broken();
        connection.feed(part, caller, replies);
        fuzz::require(!was_broken || (connection.broken() && replies.empty()));
        for (const pipe::rpc::Bits& reply : replies) {
            // Each answer is one whole PDU that our own parser takes.
            const auto pdu = pipe::rpc::parse_pdu(reply);
            fuzz::require(pdu.has_value());
            fuzz::require(reply.size() <= pipe::rpc::preferred_fragment ||
                          pdu->header.type == pipe::rpc::PduType::bind_ack ||
                          pdu->header.type == pipe::rpc::PduType::alter_context_response);
            answered += reply.size();
        }
        if (answered > (4U << 20)) break;
    }
    return 0;
}
