#include "dtyp/sddl.h"

#include <charconv>
#include <initializer_list>
#include <optional>

#include <fmt/core.h>

#include "dtyp/guid.h"
#include "dtyp/le.h"

namespace smb3d::dtyp {

namespace {

constexpr std::size_t max_text = 512 * 1024;  // a descriptor of 64 KiB takes less

Fail bad_text() { return fail(NtStatus::INVALID_PARAMETER); }

template <class T>
struct Word {
    std::string_view text;
    T value;
};

// [MS-DTYP] 2.5.1.1 sid-string.
constexpr Word<Sid> sid_words[] = {
    {"WD", sids::everyone},
    {"CO", sids::creator_owner},
    {"CG", sids::creator_group},
    {"OW", sids::owner_rights},
    {"NU", sids::network},
    {"IU", sids::interactive},
    {"SU", {5, {6}}},
    {"AN", sids::anonymous},
    {"ED", {5, {9}}},
    {"PS", sids::self},
    {"AU", sids::authenticated_users},
    {"RC", sids::restricted},
    {"SY", sids::local_system},
    {"LS", sids::local_service},
    {"NS", sids::network_service},
    {"BA", sids::administrators},
    {"BU", sids::users},
    {"BG", sids::guests},
    {"PU", sids::power_users},
    {"AO", {5, {32, 548}}},
    {"SO", {5, {32, 549}}},
    {"PO", {5, {32, 550}}},
    {"BO", sids::backup_operators},
    {"RE", {5, {32, 552}}},
    {"RU", {5, {32, 554}}},
    {"RD", {5, {32, 555}}},
    {"NO", {5, {32, 556}}},
    {"MU", {5, {32, 558}}},
    {"LU", {5, {32, 559}}},
    {"IS", {5, {32, 568}}},
    {"CY", {5, {32, 569}}},
    {"ER", {5, {32, 573}}},
    {"CD", {5, {32, 574}}},
    {"HA", {5, {32, 578}}},
    {"AA", {5, {32, 579}}},
    {"RM", {5, {32, 580}}},
    {"AC", {15, {2, 1}}},
    {"LW", {16, {4096}}},
    {"ME", {16, {8192}}},
    {"MP", {16, {8448}}},
    {"HI", {16, {12288}}},
    {"SI", {16, {16384}}},
};

// Relative to a domain.
constexpr Word<std::uint32_t> rid_words[] = {
    {"RO", 498}, {"LA", 500}, {"LG", 501}, {"DA", 512}, {"DU", 513},
    {"DG", 514}, {"DC", 515}, {"DD", 516}, {"CA", 517}, {"SA", 518},
    {"EA", 519}, {"PA", 520}, {"CN", 522}, {"AP", 525}, {"RS", 553},
};

// [MS-DTYP] 2.5.1.1 text-rights-string.  Those of files first: they are what is written.
constexpr Word<AccessMask> right_words[] = {
    {"FA", file_all_access},
    {"FR", file_generic_read},
    {"FW", file_generic_write},
    {"FX", file_generic_execute},
    {"GA", generic_all},
    {"GR", generic_read},
    {"GW", generic_write},
    {"GX", generic_execute},
    {"RC", read_control},
    {"SD", delete_access},
    {"WD", write_dac},
    {"WO", write_owner},
    {"CC", 0x001},
    {"DC", 0x002},
    {"LC", 0x004},
    {"SW", 0x008},
    {"RP", 0x010},
    {"WP", 0x020},
    {"DT", 0x040},
    {"LO", 0x080},
    {"CR", 0x100},
    {"KA", 0x000F003F},
    {"KR", 0x00020019},
    {"KW", 0x00020006},
    {"KX", 0x00020019},
};
constexpr std::size_t written_rights = 8;

constexpr Word<AccessMask> label_words[] = {{"NW", 1}, {"NR", 2}, {"NX", 4}};

constexpr Word<std::uint8_t> flag_words[] = {
    {"OI", ace_flags::object_inherit},
    {"CI", ace_flags::container_inherit},
    {"NP", ace_flags::no_propagate_inherit},
    {"IO", ace_flags::inherit_only},
    {"ID", ace_flags::inherited},
    {"SA", ace_flags::successful_access},
    {"FA", ace_flags::failed_access},
};

constexpr Word<AceType> type_words[] = {
    {"A", AceType::access_allowed},          {"D", AceType::access_denied},
    {"AU", AceType::system_audit},           {"AL", AceType::system_alarm},
    {"OA", AceType::access_allowed_object},  {"OD", AceType::access_denied_object},
    {"OU", AceType::system_audit_object},    {"OL", AceType::system_alarm_object},
    {"ML", AceType::system_mandatory_label}, {"SP", AceType::system_scoped_policy_id},
};
// Known, but with a condition or an attribute that is not parsed here.
constexpr std::string_view unsupported_types[] = {"XA", "XD", "XU", "ZA", "RA", "TL", "FL"};

template <class T, std::size_t n>
const T* find_word(const Word<T> (&words)[n], std::string_view text) {
    for (const Word<T>& word : words) {
        if (word.text == text) return &word.value;
    }
    return nullptr;
}

template <class T, std::size_t n>
std::optional<std::string_view> find_text(const Word<T> (&words)[n], const T& value,
                                          std::size_t count = n) {
    for (std::size_t i = 0; i < count; ++i) {
        if (words[i].value == value) return words[i].text;
    }
    return std::nullopt;
}

// The values of a run of two-letter words, or-ed.
template <class T, std::size_t n>
std::optional<T> parse_words(const Word<T> (&words)[n], std::string_view text) {
    T result{0};
    if (text.size() % 2 != 0) return std::nullopt;
    for (; !text.empty(); text.remove_prefix(2)) {
        const T* value = find_word(words, text.substr(0, 2));
        if (value == nullptr) return std::nullopt;
        result = static_cast<T>(result | *value);
    }
    return result;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

std::optional<Sid> parse_sid(std::string_view text, const Sid* domain) {
    if (const Sid* sid = find_word(sid_words, text)) return *sid;
    if (const std::uint32_t* rid = find_word(rid_words, text)) {
        if (domain == nullptr || domain->count() == Sid::max_sub_authorities) return std::nullopt;
        return domain->with_rid(*rid);
    }
    return Sid::from_text(text);
}

std::optional<AccessMask> parse_rights(std::string_view text, AceType type) {
    if (text.empty()) return AccessMask{0};
    if (text.front() >= '0' && text.front() <= '9') {
        int base = 10;
        if (text.starts_with("0x") || text.starts_with("0X")) {
            base = 16;
            text.remove_prefix(2);
        } else if (text.size() > 1 && text.front() == '0') {
            base = 8;
        }
        AccessMask mask = 0;
        const char* last = text.data() + text.size();
        const auto [end, error] = std::from_chars(text.data(), last, mask, base);
        if (error != std::errc{} || end != last) return std::nullopt;
        return mask;
    }
    if (type == AceType::system_mandatory_label) return parse_words(label_words, text);
    return parse_words(right_words, text);
}

bool append_guid(std::string_view text, std::uint32_t flag, std::uint32_t& flags,
                 std::vector<std::byte>& out) {
    if (text.empty()) return true;
    const std::optional<Guid> guid = Guid::parse(text);
    if (!guid) return false;
    flags |= flag;
    out.insert(out.end(), guid->bytes.begin(), guid->bytes.end());
    return true;
}

// ace-type;ace-flags;rights;object-guid;inherit-object-guid;sid
Result<Ace> parse_ace(std::string_view text, const Sid* domain) {
    std::string_view fields[6];
    for (std::size_t i = 0; i < 6; ++i) {
        const std::size_t end = text.find(';');
        if ((end == std::string_view::npos) != (i == 5)) return bad_text();
        fields[i] = trim(text.substr(0, end));
        if (i < 5) text.remove_prefix(end + 1);
    }
    for (const std::string_view type : unsupported_types) {
        if (fields[0] == type) return fail(NtStatus::NOT_SUPPORTED);
    }
    const AceType* type = find_word(type_words, fields[0]);
    if (type == nullptr) return bad_text();
    const auto flags = parse_words(flag_words, fields[1]);
    const auto mask = parse_rights(fields[2], *type);
    const auto sid = parse_sid(fields[5], domain);
    if (!flags || !mask || !sid) return bad_text();

    Ace ace{*type, *flags, *mask, *sid, {}, {}};
    if (ace.layout() == Ace::Layout::object) {
        std::uint32_t present = 0;
        ace.object.resize(4);
        if (!append_guid(fields[3], 1, present, ace.object) ||
            !append_guid(fields[4], 2, present, ace.object)) {
            return bad_text();
        }
        le::store<std::uint32_t>(ace.object.data(), present);
    } else if (!fields[3].empty() || !fields[4].empty()) {
        return bad_text();
    }
    return ace;
}

struct AclFlags {
    std::uint16_t is_protected;
    std::uint16_t inherit_required;
    std::uint16_t inherited;
};
constexpr AclFlags dacl_flags{sd_control::dacl_protected, sd_control::dacl_auto_inherit_required,
                              sd_control::dacl_auto_inherited};
constexpr AclFlags sacl_flags{sd_control::sacl_protected, sd_control::sacl_auto_inherit_required,
                              sd_control::sacl_auto_inherited};

// [MS-DTYP] 2.5.1.1 dacl / sacl: flags, then ACEs in parentheses.  nullopt is NO_ACCESS_CONTROL.
Result<std::optional<Acl>> parse_acl(std::string_view text, const AclFlags& names,
                                     std::uint16_t& control, const Sid* domain) {
    const auto take = [&](std::string_view word) {
        if (!text.starts_with(word)) return false;
        text.remove_prefix(word.size());
        return true;
    };
    const auto set = [&](std::uint16_t bit) {
        control = static_cast<std::uint16_t>(control | bit);
    };
    bool no_access_control = false;
    while (!text.empty() && text.front() != '(' && text.front() != ' ') {
        if (take("NO_ACCESS_CONTROL")) {
            no_access_control = true;
        } else if (take("AR")) {
            set(names.inherit_required);
        } else if (take("AI")) {
            set(names.inherited);
        } else if (take("P")) {
            set(names.is_protected);
        } else {
            return bad_text();
        }
    }
    if (no_access_control) {
        if (!trim(text).empty()) return bad_text();
        return std::optional<Acl>{};
    }
    Acl acl;
    for (text = trim(text); !text.empty(); text = trim(text)) {
        const std::size_t end = text.find(')');
        if (text.front() != '(' || end == std::string_view::npos) return bad_text();
        if (acl.aces.size() == Acl::max_aces) return bad_text();
        Result<Ace> ace = parse_ace(text.substr(1, end - 1), domain);
        if (!ace) return fail(ace.error());
        if (ace->layout() == Ace::Layout::object) acl.revision = Acl::revision_object;
        acl.aces.push_back(std::move(*ace));
        text.remove_prefix(end + 1);
    }
    return std::optional<Acl>(std::move(acl));
}

// Where the part that begins at the front of `text` ends: before the letter of the next "X:".
std::size_t end_of_part(std::string_view text) {
    bool inside = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '(') inside = true;
        if (text[i] == ')') inside = false;
        if (text[i] == ':' && !inside) return i == 0 ? 0 : i - 1;
    }
    return text.size();
}

Result<void> parse_part(char tag, std::string_view text, const Sid* domain,
                        SecurityDescriptor& result) {
    if (tag == 'O' || tag == 'G') {
        std::optional<Sid>& into = tag == 'O' ? result.owner : result.group;
        const std::optional<Sid> sid = parse_sid(trim(text), domain);
        if (into || !sid) return bad_text();
        into = sid;
        return {};
    }
    if (tag != 'D' && tag != 'S') return bad_text();
    const bool is_dacl = tag == 'D';
    if (is_dacl ? result.dacl_present() : result.sacl_present()) return bad_text();
    auto acl = parse_acl(trim(text), is_dacl ? dacl_flags : sacl_flags, result.control, domain);
    if (!acl) return fail(acl.error());
    (is_dacl ? result.dacl : result.sacl) = std::move(*acl);
    result.control = static_cast<std::uint16_t>(
        result.control | (is_dacl ? sd_control::dacl_present : sd_control::sacl_present));
    return {};
}

std::string sid_text(const Sid& sid) {
    if (const auto word = find_text(sid_words, sid)) return std::string(*word);
    return sid.text();
}

std::string object_guid(const Ace& ace, std::uint32_t flag) {
    const auto flags = le::load<std::uint32_t>(ace.object.data());
    if ((flags & flag) == 0) return {};
    const std::size_t at = flag == 2 && (flags & 1) != 0 ? 4 + Guid::size : 4;
    return Guid::from_bytes(std::span(ace.object).subspan(at).first<Guid::size>()).text();
}

Result<void> write_ace(const Ace& ace, std::string& out) {
    const auto type = find_text(type_words, ace.type);
    if (!type || !ace.data.empty()) return fail(NtStatus::NOT_SUPPORTED);
    out += fmt::format("({};", *type);
    std::uint8_t known = 0;
    for (const Word<std::uint8_t>& word : flag_words) {
        if ((ace.flags & word.value) != 0) out += word.text;
        known = static_cast<std::uint8_t>(known | word.value);
    }
    if ((ace.flags & ~known) != 0) return fail(NtStatus::NOT_SUPPORTED);
    out += ';';
    const auto rights = find_text(right_words, ace.mask, written_rights);
    if (rights && ace.type != AceType::system_mandatory_label) {
        out += *rights;
    } else {
        out += fmt::format("0x{:x}", ace.mask);
    }
    const bool object = ace.layout() == Ace::Layout::object;
    if (object && (ace.object.size() < 4 || le::load<std::uint32_t>(ace.object.data()) > 3)) {
        return fail(NtStatus::NOT_SUPPORTED);
    }
    out += fmt::format(";{};{};{})", object ? object_guid(ace, 1) : "",
                       object ? object_guid(ace, 2) : "", sid_text(ace.sid));
    return {};
}

Result<void> write_acl(char tag, const std::optional<Acl>& acl, std::uint16_t control,
                       const AclFlags& names, std::string& out) {
    out += tag;
    out += ':';
    if ((control & names.is_protected) != 0) out += 'P';
    if ((control & names.inherit_required) != 0) out += "AR";
    if ((control & names.inherited) != 0) out += "AI";
    if (!acl) {
        out += "NO_ACCESS_CONTROL";
        return {};
    }
    for (const Ace& ace : acl->aces) SMB3D_TRY(write_ace(ace, out));
    return {};
}

}  // namespace

Result<SecurityDescriptor> from_sddl(std::string_view text, const Sid* domain) {
    if (text.size() > max_text) return bad_text();
    SecurityDescriptor result;
    for (text = trim(text); !text.empty(); text = trim(text)) {
        if (text.size() < 2 || text[1] != ':') return bad_text();
        const char tag = text.front();
        text.remove_prefix(2);
        const std::size_t end = end_of_part(text);
        SMB3D_TRY(parse_part(tag, text.substr(0, end), domain, result));
        text.remove_prefix(end);
    }
    if (result.size() > SecurityDescriptor::max_size) return bad_text();
    return result;
}

Result<std::string> to_sddl(const SecurityDescriptor& descriptor) {
    std::string out;
    if (descriptor.owner) out += "O:" + sid_text(*descriptor.owner);
    if (descriptor.group) out += "G:" + sid_text(*descriptor.group);
    if (descriptor.dacl_present()) {
        SMB3D_TRY(write_acl('D', descriptor.dacl, descriptor.control, dacl_flags, out));
    }
    if (descriptor.sacl_present()) {
        SMB3D_TRY(write_acl('S', descriptor.sacl, descriptor.control, sacl_flags, out));
    }
    return out;
}

}  // namespace smb3d::dtyp
