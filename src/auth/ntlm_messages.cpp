#include "auth/ntlm_messages.h"

#include <algorithm>

namespace smb3d::auth::ntlm {

namespace {

constexpr std::array<char, 8> signature_text{'N', 'T', 'L', 'M', 'S', 'S', 'P', '\0'};
enum Type : std::uint32_t { type_negotiate = 1, type_challenge = 2, type_authenticate = 3 };

constexpr std::size_t key_size = 16;
constexpr std::size_t version_size = 8;
constexpr std::size_t max_message = 64U * 1024U;
constexpr std::uint8_t revision_w2k3 = 0x0F;  // NTLMSSP_REVISION_W2K3

Bytes signature_bytes() { return std::as_bytes(std::span(signature_text)); }

// 2.2.1: {Len, MaxLen, BufferOffset} as read; resolved once it is known where the payload may
// begin.
struct Field {
    std::uint16_t length{0};
    std::uint32_t offset{0};
};

Field read_field(ByteReader& reader) {
    Field field;
    field.length = reader.u16();
    reader.skip(sizeof(std::uint16_t));  // MaxLen: "MUST be ignored"
    field.offset = reader.u32();
    return field;
}

// The bytes of a field; an empty one may say any offset.
Result<Bytes> resolve(Bytes message, const Field& field, std::size_t payload) {
    if (field.length == 0) return Bytes{};
    if (field.offset < payload || field.offset > message.size() ||
        field.length > message.size() - field.offset) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    return message.subspan(field.offset, field.length);
}

Result<void> read_header(ByteReader& reader, std::uint32_t type) {
    const Bytes signature = reader.bytes(signature_text.size());
    const std::uint32_t got = reader.u32();
    if (!reader.ok() || !equal_bytes(signature, signature_bytes()) || got != type) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    return {};
}

void write_header(ByteWriter& writer, std::uint32_t type) {
    writer.bytes(signature_bytes());
    writer.u32(type);
}

// Writes the fields of a message whose payloads follow one another from `payload` on.
class Payloads {
  public:
    explicit Payloads(std::size_t payload) : next_(payload) {}
    void field(ByteWriter& writer, Bytes content) {
        writer.u16(static_cast<std::uint16_t>(content.size()));
        writer.u16(static_cast<std::uint16_t>(content.size()));
        writer.u32(static_cast<std::uint32_t>(next_));
        next_ += content.size();
        parts_.push_back(content);
    }
    void write(ByteWriter& writer) const {
        for (const Bytes part : parts_) writer.bytes(part);
    }

  private:
    std::size_t next_;
    std::vector<Bytes> parts_;
};

// 2.2.2.10; zeros if the flag that announces it is not set.
void write_version(ByteWriter& writer, std::uint32_t flags) {
    if ((flags & negotiate_version) == 0) {
        writer.zeros(version_size);
        return;
    }
    constexpr std::uint8_t major = 6;  // what Windows 8 and later say; nothing is decided by it
    constexpr std::uint8_t minor = 1;
    writer.u8(major);
    writer.u8(minor);
    writer.u16(0);
    writer.zeros(3);
    writer.u8(revision_w2k3);
}

bool is_utf16_name(Bytes bytes) {
    return bytes.size() <= max_name_bytes && bytes.size() % sizeof(char16_t) == 0;
}

constexpr std::size_t header_size = 12;  // signature and type
constexpr std::size_t field_size = 8;
constexpr std::size_t negotiate_fixed = header_size + 4 + 2 * field_size;
constexpr std::size_t challenge_fixed = header_size + field_size + 4 + 8 + 8 + field_size;
constexpr std::size_t authenticate_fixed = header_size + 6 * field_size + 4;

}  // namespace

bool is_message(Bytes message) {
    return message.size() >= header_size &&
           equal_bytes(message.first(signature_text.size()), signature_bytes());
}

// 2.2.2.1
Result<std::vector<AvPair>> parse_av_pairs(Bytes bytes) {
    std::vector<AvPair> pairs;
    ByteReader reader(bytes);
    // Deviation: a list that simply ends, without MsvAvEOL, is taken: some small clients send none
    // at all.
    while (reader.remaining() > 0) {
        const auto id = static_cast<AvId>(reader.u16());
        const std::uint16_t length = reader.u16();
        const Bytes value = reader.bytes(length);
        if (!reader.ok()) return fail(NtStatus::INVALID_PARAMETER);
        if (id == AvId::eol) return pairs;
        if (pairs.size() == max_av_pairs) return fail(NtStatus::INVALID_PARAMETER);
        pairs.push_back({id, value});
    }
    return pairs;
}

void put_av_pair(ByteWriter& writer, AvId id, Bytes value) {
    writer.u16(static_cast<std::uint16_t>(id));
    writer.u16(static_cast<std::uint16_t>(value.size()));
    writer.bytes(value);
}

void put_av_text(ByteWriter& writer, AvId id, std::u16string_view value) {
    writer.u16(static_cast<std::uint16_t>(id));
    writer.u16(static_cast<std::uint16_t>(value.size() * sizeof(char16_t)));
    for (const char16_t unit : value) writer.u16(unit);
}

const AvPair* find_av_pair(const std::vector<AvPair>& pairs, AvId id) {
    const auto found = std::ranges::find(pairs, id, &AvPair::id);
    return found == pairs.end() ? nullptr : &*found;
}

// 2.2.1.1.  Old clients end the message after the flags.
Result<Negotiate> parse_negotiate(Bytes message) {
    if (message.size() > max_message) return fail(NtStatus::INVALID_PARAMETER);
    ByteReader reader(message);
    SMB3D_TRY(read_header(reader, type_negotiate));
    Negotiate out;
    out.flags = reader.u32();
    if (!reader.ok()) return fail(NtStatus::INVALID_PARAMETER);
    if (message.size() < negotiate_fixed) return out;
    const Field domain = read_field(reader);
    const Field workstation = read_field(reader);
    // The fields mean something only if their flags say so.
    if ((out.flags & negotiate_oem_domain_supplied) != 0) {
        const auto bytes = resolve(message, domain, negotiate_fixed);
        if (!bytes) return fail(bytes.error());
        out.domain = *bytes;
    }
    if ((out.flags & negotiate_oem_workstation_supplied) != 0) {
        const auto bytes = resolve(message, workstation, negotiate_fixed);
        if (!bytes) return fail(bytes.error());
        out.workstation = *bytes;
    }
    return out;
}

ByteString encode_negotiate(const Negotiate& message) {
    ByteWriter writer;
    Payloads payloads(negotiate_fixed + version_size);
    write_header(writer, type_negotiate);
    writer.u32(message.flags);
    payloads.field(writer, message.domain);
    payloads.field(writer, message.workstation);
    write_version(writer, message.flags);
    payloads.write(writer);
    return writer.take();
}

// 2.2.1.2
Result<ChallengeMessage> parse_challenge(Bytes message) {
    if (message.size() > max_message) return fail(NtStatus::INVALID_PARAMETER);
    ByteReader reader(message);
    SMB3D_TRY(read_header(reader, type_challenge));
    ChallengeMessage out;
    const Field name = read_field(reader);
    out.flags = reader.u32();
    const Bytes challenge = reader.bytes(out.challenge.size());
    reader.skip(sizeof(std::uint64_t));
    const Field info = read_field(reader);
    if (!reader.ok()) return fail(NtStatus::INVALID_PARAMETER);
    std::ranges::copy(challenge, out.challenge.begin());
    const auto name_bytes = resolve(message, name, challenge_fixed);
    const auto info_bytes = resolve(message, info, challenge_fixed);
    if (!name_bytes || !info_bytes) return fail(NtStatus::INVALID_PARAMETER);
    out.target_name = copy_bytes(*name_bytes);
    out.target_info = copy_bytes(*info_bytes);
    return out;
}

ByteString encode_challenge(const ChallengeMessage& message) {
    ByteWriter writer;
    Payloads payloads(challenge_fixed + version_size);
    write_header(writer, type_challenge);
    payloads.field(writer, message.target_name);
    writer.u32(message.flags);
    writer.bytes(message.challenge);
    writer.u64(0);
    payloads.field(writer, message.target_info);
    write_version(writer, message.flags);
    payloads.write(writer);
    return writer.take();
}

std::size_t authenticate_mic_position() { return authenticate_fixed + version_size; }

// 2.2.1.3.  No flag of the message itself tells whether Version and MIC are there: they are if no
// payload begins before their end.  Whether the MIC counts is said by MsvAvFlags in the NT
// response.
Result<Authenticate> parse_authenticate(Bytes message) {
    if (message.size() > max_message) return fail(NtStatus::INVALID_PARAMETER);
    ByteReader reader(message);
    SMB3D_TRY(read_header(reader, type_authenticate));
    std::array<Field, 6> fields;
    for (Field& field : fields) field = read_field(reader);
    Authenticate out;
    out.flags = reader.u32();
    if (!reader.ok()) return fail(NtStatus::INVALID_PARAMETER);
    const std::array<Bytes*, 6> into{&out.lm_response, &out.nt_response,
                                     &out.domain,      &out.user,
                                     &out.workstation, &out.encrypted_session_key};
    std::size_t first = message.size();
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto bytes = resolve(message, fields[i], authenticate_fixed);
        if (!bytes) return fail(bytes.error());
        *into[i] = *bytes;
        if (fields[i].length != 0) first = std::min<std::size_t>(first, fields[i].offset);
    }
    if (!is_utf16_name(out.domain) || !is_utf16_name(out.user) || !is_utf16_name(out.workstation)) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    if (first >= authenticate_mic_position() + key_size) {
        reader.skip(version_size);
        out.mic_position = reader.position();
        out.mic = reader.bytes(key_size);
    }
    return out;
}

ByteString encode_authenticate(const Authenticate& message) {
    ByteWriter writer;
    Payloads payloads(authenticate_mic_position() + (message.mic ? key_size : 0));
    write_header(writer, type_authenticate);
    payloads.field(writer, message.lm_response);
    payloads.field(writer, message.nt_response);
    payloads.field(writer, message.domain);
    payloads.field(writer, message.user);
    payloads.field(writer, message.workstation);
    payloads.field(writer, message.encrypted_session_key);
    writer.u32(message.flags);
    write_version(writer, message.flags);
    if (message.mic) writer.bytes(*message.mic);
    payloads.write(writer);
    return writer.take();
}

// 2.2.2.7, 2.2.2.8
Result<Ntlmv2Response> parse_ntlmv2_response(Bytes nt_response) {
    ByteReader reader(nt_response);
    Ntlmv2Response out;
    out.proof = reader.bytes(key_size);
    out.client_challenge = nt_response.subspan(reader.position());
    const std::uint8_t response_type = reader.u8();
    const std::uint8_t highest_type = reader.u8();
    reader.skip(sizeof(std::uint16_t) + sizeof(std::uint32_t));
    out.timestamp = reader.u64();
    reader.skip(std::tuple_size_v<Challenge> + sizeof(std::uint32_t));
    if (!reader.ok() || response_type != 1 || highest_type != 1) {
        return fail(NtStatus::INVALID_PARAMETER);
    }
    auto pairs = parse_av_pairs(reader.bytes(reader.remaining()));
    if (!pairs) return fail(pairs.error());
    out.av_pairs = std::move(*pairs);
    return out;
}

ByteString encode_client_challenge(std::uint64_t timestamp, const Challenge& challenge,
                                   Bytes av_pairs) {
    ByteWriter writer;
    writer.u8(1);
    writer.u8(1);
    writer.u16(0);
    writer.u32(0);
    writer.u64(timestamp);
    writer.bytes(challenge);
    writer.u32(0);
    writer.bytes(av_pairs);
    writer.u32(0);
    return writer.take();
}

}  // namespace smb3d::auth::ntlm
