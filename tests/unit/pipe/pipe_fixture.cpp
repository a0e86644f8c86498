#include "unit/pipe/pipe_fixture.h"

#include <gtest/gtest.h>

#include "auth/ntlm_messages.h"

namespace smb3d::pipe::test {

Bits from_hex(std::string_view hex) {
    Bits bits;
    int high = -1;
    for (const char c : hex) {
        if (c == ' ' || c == '\n') continue;
        const int digit = c >= 'a' ? c - 'a' + 10 : c - '0';
        if (high < 0) {
            high = digit;
        } else {
            bits.push_back(static_cast<std::byte>(high << 4 | digit));
            high = -1;
        }
    }
    return bits;
}

std::string to_hex(Bytes bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
        const auto value = static_cast<unsigned>(byte);
        text.push_back("0123456789abcdef"[value >> 4]);
        text.push_back("0123456789abcdef"[value & 15]);
    }
    return text;
}

FakeView::FakeView() {
    identity_.netbios_name = "NAS";
    identity_.dns_name = "nas.example";
    identity_.domain = "WORKGROUP";
    identity_.comment = "a server";
    ShareEntry test;
    test.name = "test";
    test.comment = "files";
    test.path = "/srv/test";
    test.caching = 0x10;
    test.max_uses = 7;
    test.current_uses = 2;
    ShareEntry secret;
    secret.name = "secret";
    secret.hidden = true;
    secret.path = "/srv/secret";
    ShareEntry backup;
    backup.name = "backup$";
    backup.path = "/srv/backup";
    backup.access_based_enumeration = true;
    ShareEntry ipc;
    ipc.name = "IPC$";
    ipc.comment = "IPC";
    ipc.ipc = true;
    shares_ = {test, secret, backup, ipc};
}

std::vector<ShareEntry> FakeView::shares(const Caller&) const { return shares_; }

namespace {

class FakeExchange : public auth::Exchange {
  public:
    explicit FakeExchange(std::string last) : last_(std::move(last)) {}
    Result<auth::Step> step(Bytes token) override {
        auth::Step step;
        if (++leg_ == 1 && to_hex(token) == to_hex(text_bytes("hello"))) {
            step.token = text_bytes("challenge");
            return step;
        }
        if (leg_ != 2 || to_hex(token) != to_hex(text_bytes("proof"))) {
            return fail(NtStatus::LOGON_FAILURE);
        }
        step.token = text_bytes(last_);
        step.complete = true;
        step.identity.caller = std::make_shared<Caller>(root_caller());
        step.identity.session_key = FakeAuthority::key();
        step.identity.ntlm_flags = FakeAuthority::flags();
        return step;
    }

  private:
    std::string last_;
    int leg_{0};
};

}  // namespace

std::unique_ptr<auth::Exchange> FakeAuthority::begin(const auth::Peer& peer) const {
    last_peer_ = peer.address;
    return std::make_unique<FakeExchange>(last_);
}

Bits FakeAuthority::key() { return Bits(16, std::byte{0x55}); }

std::uint32_t FakeAuthority::flags() { return 0xe28a8233; }

Caller user_caller() {
    Caller caller;
    caller.uid = 1000;
    caller.gid = 1000;
    caller.user = "alice";
    return caller;
}

Caller root_caller() {
    Caller caller;
    caller.user = "root";
    return caller;
}

Caller anonymous_caller() {
    Caller caller;
    caller.uid = 65534;
    caller.anonymous = true;
    return caller;
}

Bits text_bytes(std::string_view text) {
    Bits bits;
    for (const char c : text) bits.push_back(static_cast<std::byte>(c));
    return bits;
}

namespace {

void put_header(ndr::Writer& out, rpc::PduType type, std::uint8_t flags, std::uint32_t call_id) {
    out.u8(5);
    out.u8(0);
    out.u8(static_cast<std::uint8_t>(type));
    out.u8(flags);
    out.u32(0x10);
    out.u32(0);
    out.u32(call_id);
}

Bits finish(ndr::Writer& out) {
    out.patch_u16(8, static_cast<std::uint16_t>(out.size()));
    return out.take();
}

void put_syntax(ndr::Writer& out, const SyntaxId& id) {
    out.uuid(id.uuid);
    out.u32(std::uint32_t{id.minor} << 16 | id.major);
}

}  // namespace

Bits bind_pdu(const std::vector<ContextSpec>& contexts, rpc::PduType type, std::uint16_t fragment,
              std::uint32_t call_id) {
    ndr::Writer out;
    put_header(out, type, 3, call_id);
    out.u16(fragment);
    out.u16(fragment);
    out.u32(0);
    out.u32(static_cast<std::uint32_t>(contexts.size()));
    for (const ContextSpec& context : contexts) {
        out.u16(context.id);
        out.u16(static_cast<std::uint16_t>(context.transfer.size()));
        put_syntax(out, context.abstract);
        for (const SyntaxId& transfer : context.transfer) put_syntax(out, transfer);
    }
    return finish(out);
}

Bits bind_pdu(const Interface& interface, std::uint16_t fragment) {
    return bind_pdu({ContextSpec{0, interface.id}}, rpc::PduType::bind, fragment);
}

Bits request_pdu(std::uint16_t operation, Bytes stub, std::uint32_t call_id, std::uint8_t flags,
                 std::uint16_t context_id) {
    ndr::Writer out;
    put_header(out, rpc::PduType::request, flags, call_id);
    out.u32(static_cast<std::uint32_t>(stub.size()));
    out.u16(context_id);
    out.u16(operation);
    out.bytes(stub);
    return finish(out);
}

Bits with_auth(Bits pdu, rpc::AuthType type, rpc::AuthLevel level, Bytes value,
               std::uint8_t extra_flags) {
    ndr::Writer out;
    pdu[3] |= static_cast<std::byte>(extra_flags);
    out.bytes(pdu);
    out.align(4);
    const std::size_t pad = out.size() - pdu.size();
    out.u8(static_cast<std::uint8_t>(type));
    out.u8(static_cast<std::uint8_t>(level));
    out.u8(static_cast<std::uint8_t>(pad));
    out.u8(0);
    out.u32(5);
    out.bytes(value);
    out.patch_u16(10, static_cast<std::uint16_t>(value.size()));
    return finish(out);
}

std::uint16_t u16_at(Bytes bytes, std::size_t at) {
    if (at + 2 > bytes.size()) return 0xFFFF;
    return static_cast<std::uint16_t>(static_cast<unsigned>(bytes[at]) |
                                      static_cast<unsigned>(bytes[at + 1]) << 8);
}

std::uint32_t u32_at(Bytes bytes, std::size_t at) {
    return std::uint32_t{u16_at(bytes, at)} | std::uint32_t{u16_at(bytes, at + 2)} << 16;
}

Client::Client(std::string_view pipe, std::shared_ptr<const ServerView> view, Caller who)
    : caller(std::move(who)),
      connection(*find_pipe(pipe), std::move(view)),
      service_(*find_pipe(pipe)) {}

std::vector<Bits> Client::feed(Bytes input) {
    std::vector<Bits> replies;
    connection.feed(input, caller, replies);
    return replies;
}

void Client::bind(const Interface& interface) {
    const auto replies = feed(bind_pdu(interface));
    ASSERT_EQ(replies.size(), 1U);
    ASSERT_EQ(static_cast<unsigned>(replies[0][2]), 12U);
}

std::optional<Bits> Client::call(std::uint16_t operation, Bytes stub) {
    fault = 0;
    fragments = 0;
    Bits whole;
    for (const Bits& reply : feed(request_pdu(operation, stub))) {
        EXPECT_EQ(u16_at(reply, 8), reply.size());
        const auto type = static_cast<unsigned>(reply[2]);
        if (type == 3) {
            fault = u32_at(reply, 24);
            return std::nullopt;
        }
        EXPECT_EQ(type, 2U);
        ++fragments;
        whole.insert(whole.end(), reply.begin() + 24, reply.end());
    }
    if (fragments == 0) return std::nullopt;
    return whole;
}

Bits share_enum_stub(std::uint32_t level, std::uint32_t preferred,
                     std::optional<std::uint32_t> resume) {
    ndr::Writer out;
    out.pointer(true);
    out.string("\\\\NAS");
    out.u32(level);
    out.u32(level);
    out.pointer(true);
    out.u32(0);
    out.pointer(false);
    out.u32(preferred);
    out.unique_u32(resume);
    return out.take();
}

}  // namespace smb3d::pipe::test
