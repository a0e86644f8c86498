#include "pipe/rpc_pdu.h"

namespace smb3d::pipe::rpc {

namespace {

SyntaxId read_syntax(ndr::Reader& reader) {
    // [C706] 12.6.3.1 p_syntax_id_t: a UUID and a version whose low half is the major one.
    SyntaxId id;
    id.uuid = reader.uuid();
    const std::uint32_t version = reader.u32();
    id.major = static_cast<std::uint16_t>(version & 0xFFFF);
    id.minor = static_cast<std::uint16_t>(version >> 16);
    return id;
}

void write_syntax(ndr::Writer& writer, const SyntaxId& id) {
    writer.uuid(id.uuid);
    writer.u32(std::uint32_t{id.minor} << 16 | id.major);
}

void write_header(ndr::Writer& writer, PduType type, std::uint8_t flags, std::uint32_t call_id) {
    writer.u8(5);
    writer.u8(0);
    writer.u8(static_cast<std::uint8_t>(type));
    writer.u8(flags);
    writer.u32(0x10);  // [C706] 14.1: little-endian, ASCII, IEEE
    writer.u16(0);     // the fragment's length: finish() knows
    writer.u16(0);
    writer.u32(call_id);
}

Bits finish(ndr::Writer& writer) {
    writer.patch_u16(8, static_cast<std::uint16_t>(writer.size()));
    return writer.take();
}

// A Reader whose positions are those of the PDU, so that alignment counts from its start; behind
// the header.
ndr::Reader body_reader(const Pdu& pdu) {
    ndr::Reader reader(pdu.whole.first(header_size + pdu.body.size()), pdu.header.big_endian);
    (void)reader.bytes(header_size);
    return reader;
}

}  // namespace

std::optional<Header> parse_header(Bytes bytes) {
    if (bytes.size() < header_size) return std::nullopt;
    ndr::Reader order(bytes.subspan(4, 4));
    const std::uint8_t representation = order.u8();
    if ((representation & 0xF0) > 0x10) return std::nullopt;
    Header header;
    header.big_endian = (representation & 0xF0) == 0;
    ndr::Reader reader(bytes.first(header_size), header.big_endian);
    header.version = reader.u8();
    header.minor = reader.u8();
    header.type = static_cast<PduType>(reader.u8());
    header.flags = reader.u8();
    (void)reader.bytes(4);
    header.fragment_length = reader.u16();
    header.auth_length = reader.u16();
    header.call_id = reader.u32();
    if (header.fragment_length < header_size) return std::nullopt;
    return header;
}

std::optional<Pdu> parse_pdu(Bytes whole) {
    const auto header = parse_header(whole);
    if (!header || header->fragment_length != whole.size()) return std::nullopt;
    Pdu pdu{*header, whole, whole.subspan(header_size), std::nullopt};
    if (header->auth_length == 0) return pdu;

    // [MS-RPCE] 2.2.2.11: the verifier ends the fragment, padding comes before it.
    const std::size_t verifier = auth_trailer_size + header->auth_length;
    if (verifier > pdu.body.size()) return std::nullopt;
    AuthVerifier auth;
    auth.trailer_at = whole.size() - verifier;
    ndr::Reader reader(whole.subspan(auth.trailer_at), header->big_endian);
    auth.type = static_cast<AuthType>(reader.u8());
    auth.level = static_cast<AuthLevel>(reader.u8());
    auth.pad_length = reader.u8();
    (void)reader.u8();
    auth.context_id = reader.u32();
    auth.value = reader.bytes(header->auth_length);
    pdu.body = pdu.body.first(pdu.body.size() - verifier);
    if (auth.pad_length > pdu.body.size()) return std::nullopt;
    pdu.body = pdu.body.first(pdu.body.size() - auth.pad_length);
    pdu.auth = auth;
    return pdu;
}

std::optional<Bind> parse_bind(const Pdu& pdu) {
    ndr::Reader reader = body_reader(pdu);
    Bind bind;
    bind.max_transmit = reader.u16();
    bind.max_receive = reader.u16();
    bind.group = reader.u32();
    const std::size_t count = reader.u8();
    (void)reader.bytes(3);
    if (!reader.ok() || count == 0 || count > max_contexts) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
        PresentationContext context;
        reader.align(4);
        context.id = reader.u16();
        const std::size_t transfers = reader.u8();
        (void)reader.u8();
        context.abstract = read_syntax(reader);
        if (transfers * 20 > reader.remaining()) return std::nullopt;
        for (std::size_t k = 0; k < transfers; ++k) context.transfer.push_back(read_syntax(reader));
        bind.contexts.push_back(std::move(context));
    }
    if (!reader.ok()) return std::nullopt;
    return bind;
}

std::optional<Request> parse_request(const Pdu& pdu) {
    ndr::Reader reader = body_reader(pdu);
    Request request;
    request.allocation_hint = reader.u32();
    request.context_id = reader.u16();
    request.operation = reader.u16();
    if ((pdu.header.flags & has_object) != 0) (void)reader.uuid();
    if (!reader.ok()) return std::nullopt;
    request.stub_at = reader.position();
    request.stub = reader.bytes(reader.remaining());
    return request;
}

Bits build_bind_ack(const BindAck& ack, PduType type, std::uint8_t flags, std::uint32_t call_id,
                    const std::optional<AuthToken>& token) {
    ndr::Writer writer;
    write_header(
        writer, type,
        static_cast<std::uint8_t>(first_fragment | last_fragment | (flags & header_signing)),
        call_id);
    writer.u16(ack.max_transmit);
    writer.u16(ack.max_receive);
    writer.u32(ack.group);
    // port_any_t: with its terminator; an alter_context_response has none.
    const auto length = ack.secondary_address.empty() ? 0 : ack.secondary_address.size() + 1;
    writer.u16(static_cast<std::uint16_t>(length));
    for (const char c : ack.secondary_address) writer.u8(static_cast<std::uint8_t>(c));
    if (length != 0) writer.u8(0);
    writer.align(4);
    writer.u8(static_cast<std::uint8_t>(ack.answers.size()));
    writer.u8(0);
    writer.u16(0);
    for (const ContextAnswer& answer : ack.answers) {
        writer.u16(static_cast<std::uint16_t>(answer.result));
        writer.u16(answer.reason);
        write_syntax(writer, answer.transfer);
    }
    if (token) {
        const std::size_t before = writer.size();
        writer.align(4);
        const std::size_t pad = writer.size() - before;
        writer.u8(static_cast<std::uint8_t>(token->type));
        writer.u8(static_cast<std::uint8_t>(token->level));
        writer.u8(static_cast<std::uint8_t>(pad));
        writer.u8(0);
        writer.u32(token->context_id);
        writer.bytes(token->value);
        writer.patch_u16(10, static_cast<std::uint16_t>(token->value.size()));
    }
    return finish(writer);
}

Bits build_bind_nak(NakReason reason, std::uint32_t call_id) {
    ndr::Writer writer;
    write_header(writer, PduType::bind_nak, first_fragment | last_fragment, call_id);
    writer.u16(static_cast<std::uint16_t>(reason));
    // p_rt_versions_supported_t: one, 5.0
    writer.u8(1);
    writer.u8(5);
    writer.u8(0);
    return finish(writer);
}

Bits build_fault(Fault fault, std::uint16_t context_id, std::uint32_t call_id, std::uint8_t flags) {
    ndr::Writer writer;
    write_header(writer, PduType::fault,
                 static_cast<std::uint8_t>(first_fragment | last_fragment | flags), call_id);
    writer.u32(32);  // [C706] 12.6.4.7 alloc_hint: what the PDU is long, as Windows says
    writer.u16(context_id);
    writer.u8(0);
    writer.u8(0);
    writer.u32(static_cast<std::uint32_t>(fault));
    writer.u32(0);
    return finish(writer);
}

SyntaxId ndr20_syntax() { return {uuid_from("8a885d04-1ceb-11c9-9fe8-08002b104860"), 2, 0}; }

SyntaxId ndr64_syntax() { return {uuid_from("71710533-beba-4937-8319-b5dbef9ccc36"), 1, 0}; }

bool is_bind_time_features(const SyntaxId& syntax) {
    // [MS-RPCE] 3.3.1.5.3: 6CB71C2C-9812-4540-xxxx-xxxxxxxxxxxx version 1; the rest are the
    // client's features.
    constexpr ndr::Uuid prefix = uuid_from("6cb71c2c-9812-4540-0000-000000000000");
    for (std::size_t i = 0; i < 8; ++i) {
        if (syntax.uuid[i] != prefix[i]) return false;
    }
    return syntax.major == 1 && syntax.minor == 0;
}

}  // namespace smb3d::pipe::rpc
