// A NetrShareEnum over a pipe, bind included: what `smbclient -L` and Explorer ask for.
#include <benchmark/benchmark.h>

#include "pipe/rpc.h"

namespace smb3d {
namespace {

class BenchView : public pipe::ServerView {
  public:
    explicit BenchView(std::size_t shares) : shares_(shares) {
        for (std::size_t i = 0; i < shares; ++i) {
            shares_[i].name = "share number " + std::to_string(i);
            shares_[i].comment = "what it holds";
        }
    }
    pipe::ServerIdentity identity() const override { return {}; }
    std::vector<pipe::ShareEntry> shares(const Caller&) const override { return shares_; }

  private:
    std::vector<pipe::ShareEntry> shares_;
};

std::vector<std::byte> header(pipe::ndr::Writer& body, std::uint8_t type) {
    pipe::ndr::Writer out;
    for (const std::uint8_t value : {std::uint8_t{5}, std::uint8_t{0}, type, std::uint8_t{3}}) {
        out.u8(value);
    }
    out.u32(0x10);
    out.u32(static_cast<std::uint32_t>(body.size() + 16));
    out.u32(1);
    out.bytes(body.view());
    return out.take();
}

std::vector<std::byte> bind_pdu() {
    const auto write_syntax = [](pipe::ndr::Writer& out, const pipe::SyntaxId& id) {
        out.uuid(id.uuid);
        out.u32(std::uint32_t{id.minor} << 16 | id.major);
    };
    pipe::ndr::Writer body;
    body.u32(4280U << 16 | 4280U);
    body.u32(0);
    body.u32(1);
    body.u32(1U << 16);
    write_syntax(body, pipe::srvsvc_interface().id);
    write_syntax(body, pipe::rpc::ndr20_syntax());
    return header(body, 11);
}

std::vector<std::byte> enum_pdu() {
    pipe::ndr::Writer body;
    body.u32(64);
    body.u32(15U << 16);
    for (const std::uint32_t value : {0U, 1U, 1U, 0x20000U, 0U, 0U, 0xFFFFFFFFU, 0U}) {
        body.u32(value);
    }
    return header(body, 0);
}

void share_enum(benchmark::State& state) {
    const auto view = std::make_shared<BenchView>(static_cast<std::size_t>(state.range(0)));
    const auto bind = bind_pdu();
    const auto request = enum_pdu();
    const Caller caller;
    for (auto _ : state) {
        pipe::rpc::RpcConnection connection(*pipe::find_pipe("srvsvc"), view);
        std::vector<pipe::rpc::Bits> replies;
        connection.feed(bind, caller, replies);
        connection.feed(request, caller, replies);
        if (replies.size() < 2 || connection.broken()) {
            state.SkipWithError("the call failed");
            return;
        }
    }
}
BENCHMARK(share_enum)->Arg(5)->Arg(500);

}  // namespace
}  // namespace smb3d
