// Sid: a security identifier as a value without allocation.
//
// Spec: [MS-DTYP] 2.4.2 (forms), 2.4.2.4 (well-known SIDs).
// Thread: a value.
// Errors: parsing: INVALID_SID.
#pragma once

#include <array>
#include <cassert>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smb3d/buffer.h"
#include "smb3d/status.h"

namespace smb3d::dtyp {

class Sid {
  public:
    static constexpr std::size_t max_sub_authorities = 15;
    static constexpr std::size_t min_size = 8;
    static constexpr std::size_t max_size = min_size + 4 * max_sub_authorities;

    // S-1-0, without sub-authorities.
    constexpr Sid() = default;
    constexpr Sid(std::uint64_t authority, std::initializer_list<std::uint32_t> sub_authorities)
        : authority_(authority) {
        assert(sub_authorities.size() <= max_sub_authorities && authority >> 48 == 0);
        for (const std::uint32_t sub : sub_authorities) sub_[count_++] = sub;
    }

    // The SID that `bytes` begins with; size() says how much of it that is.
    static Result<Sid> parse(Bytes bytes);
    // `bytes` must be one SID and nothing else: the form that Caller::sids has.
    static Result<Sid> parse_exact(Bytes bytes);
    static Result<Sid> from_raw(const std::vector<std::uint8_t>& raw);
    // "S-1-5-32-544"; an authority of 2^32 or more as 0x and twelve hex digits.
    static std::optional<Sid> from_text(std::string_view text);

    std::string text() const;
    constexpr std::size_t size() const { return min_size + 4 * std::size_t{count_}; }
    // Writes size() bytes at `out`, which must hold them.
    void write(std::byte* out) const;
    void append_to(std::vector<std::byte>& out) const;
    std::vector<std::uint8_t> raw() const;

    constexpr std::uint64_t authority() const { return authority_; }
    constexpr std::size_t count() const { return count_; }
    constexpr std::uint32_t sub_authority(std::size_t index) const {
        assert(index < count_);
        return sub_[index];
    }
    // The last sub-authority; 0 if there is none.
    constexpr std::uint32_t rid() const { return count_ == 0 ? 0 : sub_[count_ - 1]; }
    // This SID with one more sub-authority, which must fit.
    constexpr Sid with_rid(std::uint32_t rid) const {
        Sid result = *this;
        assert(result.count_ < max_sub_authorities);
        result.sub_[result.count_++] = rid;
        return result;
    }
    // Without the last sub-authority: the domain of an account's SID.
    constexpr Sid domain() const {
        Sid result = *this;
        if (result.count_ > 0) result.sub_[--result.count_] = 0;
        return result;
    }
    constexpr bool is_in(const Sid& domain) const {
        return count_ == domain.count_ + 1 && this->domain() == domain;
    }

    friend constexpr bool operator==(const Sid&, const Sid&) = default;
    friend constexpr auto operator<=>(const Sid&, const Sid&) = default;

  private:
    std::uint64_t authority_{0};
    std::uint8_t count_{0};
    std::array<std::uint32_t, max_sub_authorities> sub_{};  // unused ones are 0, so that == works
};

// [MS-DTYP] 2.4.2.4, and Samba's SIDs for Unix accounts without a mapping.
namespace sids {
inline constexpr Sid null{0, {0}};
inline constexpr Sid everyone{1, {0}};
inline constexpr Sid local{2, {0}};
inline constexpr Sid creator_owner{3, {0}};
inline constexpr Sid creator_group{3, {1}};
inline constexpr Sid owner_rights{3, {4}};
inline constexpr Sid network{5, {2}};
inline constexpr Sid interactive{5, {4}};
inline constexpr Sid anonymous{5, {7}};
inline constexpr Sid self{5, {10}};
inline constexpr Sid authenticated_users{5, {11}};
inline constexpr Sid restricted{5, {12}};
inline constexpr Sid local_system{5, {18}};
inline constexpr Sid local_service{5, {19}};
inline constexpr Sid network_service{5, {20}};
inline constexpr Sid builtin{5, {32}};
inline constexpr Sid administrators{5, {32, 544}};
inline constexpr Sid users{5, {32, 545}};
inline constexpr Sid guests{5, {32, 546}};
inline constexpr Sid power_users{5, {32, 547}};
inline constexpr Sid backup_operators{5, {32, 551}};
inline constexpr Sid unix_users{22, {1}};
inline constexpr Sid unix_groups{22, {2}};

constexpr Sid unix_user(std::uint32_t uid) { return unix_users.with_rid(uid); }
constexpr Sid unix_group(std::uint32_t gid) { return unix_groups.with_rid(gid); }
// The other way round; nullopt if `sid` is not of this kind.
constexpr std::optional<std::uint32_t> uid_of(const Sid& sid) {
    if (!sid.is_in(unix_users)) return std::nullopt;
    return sid.rid();
}
constexpr std::optional<std::uint32_t> gid_of(const Sid& sid) {
    if (!sid.is_in(unix_groups)) return std::nullopt;
    return sid.rid();
}

// "Everyone", "Administrators": [MS-LSAT] display name; empty if not well known.
std::string_view well_known_name(const Sid& sid);
// Its domain: "", "NT AUTHORITY", "BUILTIN", "Unix User", "Unix Group".
std::string_view well_known_domain(const Sid& sid);
}  // namespace sids

}  // namespace smb3d::dtyp

template <>
struct std::hash<smb3d::dtyp::Sid> {
    std::size_t operator()(const smb3d::dtyp::Sid& sid) const noexcept;
};
