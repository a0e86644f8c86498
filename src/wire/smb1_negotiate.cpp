#include "wire/smb1_negotiate.h"

#include "wire/header.h"

namespace smb3d::wire {

namespace {

constexpr std::uint8_t com_negotiate = 0x72;
constexpr std::uint8_t buffer_format_dialect = 0x02;
constexpr std::size_t smb1_rest_of_header = 27;  // Status to MID

// [MS-CIFS] 2.2.3.1 header, then WordCount 0 and ByteCount (2.2.4.52.1)
struct Smb1NegotiateFrame {
    Bytes dialects;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.constant(protocol_smb1);
        w.constant(com_negotiate);
        w.reserved(smb1_rest_of_header);
        w.constant(std::uint8_t{0});
        w.length16(self.dialects);
        w.inline_bytes(self.dialects);
    }
};

}  // namespace

Result<Smb1Negotiate> parse_smb1_negotiate(Bytes message) {
    const Result<Smb1NegotiateFrame> frame = parse<Smb1NegotiateFrame>(message);
    if (!frame) return fail(frame.error());
    Smb1Negotiate found;
    std::string_view left(reinterpret_cast<const char*>(frame->dialects.data()),
                          frame->dialects.size());
    while (!left.empty()) {
        const std::size_t end = left.find('\0');
        if (static_cast<std::uint8_t>(left.front()) != buffer_format_dialect ||
            end == std::string_view::npos) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        const std::string_view dialect = left.substr(1, end - 1);
        found.smb_2_002 = found.smb_2_002 || dialect == smb1_dialect_202;
        found.smb_2_wildcard = found.smb_2_wildcard || dialect == smb1_dialect_wildcard;
        left.remove_prefix(end + 1);
    }
    return found;
}

std::vector<std::byte> make_smb1_negotiate(std::span<const std::string_view> dialects) {
    std::vector<std::byte> strings;
    for (const std::string_view dialect : dialects) {
        strings.push_back(std::byte{buffer_format_dialect});
        const Bytes text = std::as_bytes(std::span(dialect.data(), dialect.size()));
        strings.insert(strings.end(), text.begin(), text.end());
        strings.push_back(std::byte{0});
    }
    Smb1NegotiateFrame frame;
    frame.dialects = strings;
    return to_bytes(frame);
}

}  // namespace smb3d::wire
