#include "auth/spnego.h"

#include "auth/der.h"

namespace smb3d::auth {

namespace {

using der::Reader;

// The content of [n] Type for a type that is one element.
Result<ByteString> explicit_content(Reader& fields, std::uint8_t context, std::uint8_t tag) {
    auto inner = fields.enter(context);
    if (!inner) return fail(inner.error());
    const auto element = inner->expect(tag);
    if (!element) return fail(element.error());
    if (!inner->empty()) return fail(NtStatus::INVALID_PARAMETER);
    return copy_bytes(element->content);
}

Result<void> optional_octets(Reader& fields, std::uint8_t context,
                             std::optional<ByteString>& into) {
    if (fields.peek() != context) return {};
    auto content = explicit_content(fields, context, der::octet_string);
    if (!content) return fail(content.error());
    into = std::move(*content);
    return {};
}

Result<void> parse_mech_types(Reader& fields, NegTokenInit& into) {
    auto holder = fields.enter(der::context_0);
    if (!holder) return fail(holder.error());
    Reader whole = *holder;
    const auto list = whole.expect(der::sequence);
    if (!list) return fail(list.error());
    into.mech_types_der = copy_bytes(list->whole);
    auto types = holder->enter(der::sequence);
    if (!types) return fail(types.error());
    while (!types->empty()) {
        const auto type = types->expect(der::object_identifier);
        if (!type) return fail(type.error());
        if (type->content.empty() || into.mech_types.size() == max_mech_types) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        into.mech_types.push_back(copy_bytes(type->content));
    }
    if (into.mech_types.empty()) return fail(NtStatus::INVALID_PARAMETER);
    return {};
}

// [MS-SPNG] 2.2.1 NegHints: hintName [0] GeneralString, hintAddress [1] OCTET STRING, both
// optional.
Result<void> parse_hints(Reader& fields, NegTokenInit& into) {
    auto holder = fields.enter(der::context_3);
    if (!holder) return fail(holder.error());
    auto hints = holder->enter(der::sequence);
    if (!hints) return fail(hints.error());
    if (hints->peek() == der::context_0) {
        const auto name = explicit_content(*hints, der::context_0, der::general_string);
        if (!name) return fail(name.error());
        for (const std::byte byte : *name) into.hint_name.push_back(static_cast<char>(byte));
    }
    return {};
}

// RFC 4178 4.2.1; [3] is mechListMIC (an OCTET STRING), or negHints (a SEQUENCE) from a Windows
// server.
Result<NegToken> parse_init(Reader& outer) {
    auto holder = outer.enter(der::context_0);
    if (!holder) return fail(holder.error());
    auto fields = holder->enter(der::sequence);
    if (!fields) return fail(fields.error());
    NegTokenInit init;
    SMB3D_TRY(parse_mech_types(*fields, init));
    if (fields->peek() == der::context_1) {  // reqFlags: historical, ignored by RFC 4178 4.2.1
        SMB3D_TRY(fields->next());
    }
    SMB3D_TRY(optional_octets(*fields, der::context_2, init.mech_token));
    if (fields->peek() == der::context_3) {
        Reader ahead = *fields;
        auto inner = ahead.enter(der::context_3);
        if (inner && inner->peek() == der::sequence) {
            SMB3D_TRY(parse_hints(*fields, init));
        } else {
            SMB3D_TRY(optional_octets(*fields, der::context_3, init.mech_list_mic));
        }
    }
    SMB3D_TRY(optional_octets(*fields, der::context_4, init.mech_list_mic));
    if (!fields->empty() || !holder->empty()) return fail(NtStatus::INVALID_PARAMETER);
    return init;
}

// RFC 4178 4.2.2
Result<NegToken> parse_resp(Reader& outer) {
    auto holder = outer.enter(der::context_1);
    if (!holder) return fail(holder.error());
    auto fields = holder->enter(der::sequence);
    if (!fields) return fail(fields.error());
    NegTokenResp resp;
    if (fields->peek() == der::context_0) {
        const auto state = explicit_content(*fields, der::context_0, der::enumerated);
        if (!state) return fail(state.error());
        if (state->size() != 1) return fail(NtStatus::INVALID_PARAMETER);
        const auto value = std::to_integer<std::uint8_t>((*state)[0]);
        if (value > static_cast<std::uint8_t>(NegState::request_mic)) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        resp.state = static_cast<NegState>(value);
    }
    if (fields->peek() == der::context_1) {
        auto mech = explicit_content(*fields, der::context_1, der::object_identifier);
        if (!mech) return fail(mech.error());
        resp.supported_mech = std::move(*mech);
    }
    SMB3D_TRY(optional_octets(*fields, der::context_2, resp.response_token));
    SMB3D_TRY(optional_octets(*fields, der::context_3, resp.mech_list_mic));
    if (!fields->empty() || !holder->empty()) return fail(NtStatus::INVALID_PARAMETER);
    return resp;
}

ByteString wrap(std::uint8_t context, std::uint8_t tag, Bytes content) {
    return der::element(context, der::element(tag, content));
}

ByteString to_bytes(std::string_view text) {
    return copy_bytes(std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace

Result<NegToken> parse_neg_token(Bytes token) {
    if (token.size() > der::max_size) return fail(NtStatus::INVALID_PARAMETER);
    Reader reader(token);
    if (reader.peek() == der::context_1) return parse_resp(reader);
    // RFC 2743 3.1: the initial token says which mechanism it is for.
    auto initial = reader.enter(der::application_0);
    if (!initial) return fail(initial.error());
    const auto mech = initial->expect(der::object_identifier);
    if (!mech) return fail(mech.error());
    if (!equal_bytes(mech->content, oid::spnego())) return fail(NtStatus::INVALID_PARAMETER);
    return parse_init(*initial);
}

ByteString encode_mech_types(const std::vector<ByteString>& mech_types) {
    ByteString list;
    for (const ByteString& type : mech_types)
        append(list, der::element(der::object_identifier, type));
    return der::element(der::sequence, list);
}

ByteString encode_neg_token(const NegTokenInit& token) {
    ByteString fields = der::element(der::context_0, encode_mech_types(token.mech_types));
    if (token.mech_token)
        append(fields, wrap(der::context_2, der::octet_string, *token.mech_token));
    std::uint8_t mic_context = der::context_3;
    if (!token.hint_name.empty()) {
        const ByteString name =
            wrap(der::context_0, der::general_string, to_bytes(token.hint_name));
        append(fields, wrap(der::context_3, der::sequence, name));
        mic_context = der::context_4;
    }
    if (token.mech_list_mic) {
        append(fields, wrap(mic_context, der::octet_string, *token.mech_list_mic));
    }
    ByteString content = der::element(der::object_identifier, oid::spnego());
    append(content, wrap(der::context_0, der::sequence, fields));
    return der::element(der::application_0, content);
}

ByteString encode_neg_token(const NegTokenResp& token) {
    ByteString fields;
    if (token.state) {
        const std::byte value = static_cast<std::byte>(*token.state);
        append(fields, wrap(der::context_0, der::enumerated, Bytes(&value, 1)));
    }
    if (!token.supported_mech.empty()) {
        append(fields, wrap(der::context_1, der::object_identifier, token.supported_mech));
    }
    if (token.response_token) {
        append(fields, wrap(der::context_2, der::octet_string, *token.response_token));
    }
    if (token.mech_list_mic) {
        append(fields, wrap(der::context_3, der::octet_string, *token.mech_list_mic));
    }
    return wrap(der::context_1, der::sequence, fields);
}

ByteString make_neg_hint(const std::vector<std::shared_ptr<const Mechanism>>& mechanisms) {
    NegTokenInit hint;
    for (const auto& mechanism : mechanisms)
        hint.mech_types.push_back(copy_bytes(mechanism->mech_oid()));
    hint.hint_name = neg_hint_name;
    return encode_neg_token(hint);
}

}  // namespace smb3d::auth
