#include "dtyp/sid.h"

#include <charconv>
#include <cstring>

#include <fmt/core.h>

#include "dtyp/le.h"

namespace smb3d::dtyp {

// [MS-DTYP] 2.4.2.2 SID--Packet Representation: Revision, SubAuthorityCount, a big-endian 48-bit
// authority, and little-endian sub-authorities.
Result<Sid> Sid::parse(Bytes bytes) {
    if (bytes.size() < min_size) return fail(NtStatus::INVALID_SID);
    const auto revision = static_cast<std::uint8_t>(bytes[0]);
    const auto count = static_cast<std::uint8_t>(bytes[1]);
    if (revision != 1 || count > max_sub_authorities) return fail(NtStatus::INVALID_SID);
    if (bytes.size() - min_size < std::size_t{count} * 4) return fail(NtStatus::INVALID_SID);
    Sid sid;
    for (std::size_t i = 2; i < min_size; ++i) {
        sid.authority_ = sid.authority_ << 8 | static_cast<std::uint8_t>(bytes[i]);
    }
    sid.count_ = count;
    for (std::size_t i = 0; i < count; ++i) {
        sid.sub_[i] = le::load<std::uint32_t>(bytes.data() + min_size + i * 4);
    }
    return sid;
}

Result<Sid> Sid::parse_exact(Bytes bytes) {
    Result<Sid> sid = parse(bytes);
    if (sid && sid->size() != bytes.size()) return fail(NtStatus::INVALID_SID);
    return sid;
}

Result<Sid> Sid::from_raw(const std::vector<std::uint8_t>& raw) {
    return parse_exact(std::as_bytes(std::span(raw)));
}

void Sid::write(std::byte* out) const {
    out[0] = std::byte{1};
    out[1] = static_cast<std::byte>(count_);
    for (std::size_t i = 0; i < 6; ++i) {
        out[2 + i] = static_cast<std::byte>(authority_ >> (40 - 8 * i) & 0xFF);
    }
    for (std::size_t i = 0; i < count_; ++i) {
        le::store<std::uint32_t>(out + min_size + i * 4, sub_[i]);
    }
}

void Sid::append_to(std::vector<std::byte>& out) const {
    const std::size_t at = out.size();
    out.resize(at + size());
    write(out.data() + at);
}

std::vector<std::uint8_t> Sid::raw() const {
    std::vector<std::uint8_t> out(size());
    write(reinterpret_cast<std::byte*>(out.data()));
    return out;
}

// [MS-DTYP] 2.4.2.1 SID String Format Syntax.
std::string Sid::text() const {
    std::string out = authority_ >> 32 == 0 ? fmt::format("S-1-{}", authority_)
                                            : fmt::format("S-1-0x{:012X}", authority_);
    for (std::size_t i = 0; i < count_; ++i) out += fmt::format("-{}", sub_[i]);
    return out;
}

namespace {

// The digits that `text` begins with, taken off it.
template <class T>
std::optional<T> take_number(std::string_view& text, int base) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

}  // namespace

std::optional<Sid> Sid::from_text(std::string_view text) {
    if (!text.starts_with("S-1-") && !text.starts_with("s-1-")) return std::nullopt;
    text.remove_prefix(4);
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (hex) text.remove_prefix(2);
    const auto authority = take_number<std::uint64_t>(text, hex ? 16 : 10);
    if (!authority || *authority >> 48 != 0) return std::nullopt;
    Sid sid;
    sid.authority_ = *authority;
    while (!text.empty()) {
        if (text.front() != '-' || sid.count_ == max_sub_authorities) return std::nullopt;
        text.remove_prefix(1);
        const auto sub = take_number<std::uint32_t>(text, 10);
        if (!sub) return std::nullopt;
        sid.sub_[sid.count_++] = *sub;
    }
    return sid;
}

namespace sids {

namespace {

struct WellKnown {
    Sid sid;
    std::string_view domain;
    std::string_view name;
};

constexpr WellKnown well_known[] = {
    {null, "", "NULL SID"},
    {everyone, "", "Everyone"},
    {local, "", "LOCAL"},
    {creator_owner, "", "CREATOR OWNER"},
    {creator_group, "", "CREATOR GROUP"},
    {owner_rights, "", "OWNER RIGHTS"},
    {network, "NT AUTHORITY", "NETWORK"},
    {interactive, "NT AUTHORITY", "INTERACTIVE"},
    {anonymous, "NT AUTHORITY", "ANONYMOUS LOGON"},
    {self, "NT AUTHORITY", "SELF"},
    {authenticated_users, "NT AUTHORITY", "Authenticated Users"},
    {restricted, "NT AUTHORITY", "RESTRICTED"},
    {local_system, "NT AUTHORITY", "SYSTEM"},
    {local_service, "NT AUTHORITY", "LOCAL SERVICE"},
    {network_service, "NT AUTHORITY", "NETWORK SERVICE"},
    {builtin, "", "BUILTIN"},
    {administrators, "BUILTIN", "Administrators"},
    {users, "BUILTIN", "Users"},
    {guests, "BUILTIN", "Guests"},
    {power_users, "BUILTIN", "Power Users"},
    {backup_operators, "BUILTIN", "Backup Operators"},
};

const WellKnown* find_well_known(const Sid& sid) {
    for (const WellKnown& row : well_known) {
        if (row.sid == sid) return &row;
    }
    return nullptr;
}

}  // namespace

std::string_view well_known_name(const Sid& sid) {
    const WellKnown* row = find_well_known(sid);
    return row == nullptr ? std::string_view{} : row->name;
}

std::string_view well_known_domain(const Sid& sid) {
    if (sid.is_in(unix_users)) return "Unix User";
    if (sid.is_in(unix_groups)) return "Unix Group";
    const WellKnown* row = find_well_known(sid);
    return row == nullptr ? std::string_view{} : row->domain;
}

}  // namespace sids

}  // namespace smb3d::dtyp

std::size_t std::hash<smb3d::dtyp::Sid>::operator()(const smb3d::dtyp::Sid& sid) const noexcept {
    std::uint64_t value = sid.authority() * 0x9E3779B97F4A7C15ULL + sid.count();
    for (std::size_t i = 0; i < sid.count(); ++i) {
        value = (value ^ sid.sub_authority(i)) * 0x9E3779B97F4A7C15ULL;
        value ^= value >> 29;
    }
    return static_cast<std::size_t>(value);
}
