#include "dtyp/security_descriptor.h"

#include <algorithm>

#include "dtyp/le.h"

namespace smb3d::dtyp {

namespace {

constexpr std::size_t ace_header_size = 4;
constexpr std::size_t guid_size = 16;
constexpr std::uint32_t object_type_present = 1;  // [MS-DTYP] 2.4.4.3 Flags
constexpr std::uint32_t inherited_object_type_present = 2;

Fail malformed() { return fail(NtStatus::INVALID_SECURITY_DESCR); }

std::vector<std::byte> copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// [MS-DTYP] 2.4.4.2 ... 2.4.4.17.  `bytes` is the whole ACE, header included.
Result<Ace> parse_ace(Bytes bytes) {
    Ace ace;
    ace.type = static_cast<AceType>(bytes[0]);
    ace.flags = static_cast<std::uint8_t>(bytes[1]);
    Bytes body = bytes.subspan(ace_header_size);
    if (ace.layout() == Ace::Layout::opaque) {
        ace.data = copy(body);
        return ace;
    }
    if (body.size() < 4) return malformed();
    ace.mask = le::load<std::uint32_t>(body.data());
    body = body.subspan(4);
    if (ace.layout() == Ace::Layout::object) {
        if (body.size() < 4) return malformed();
        const auto flags = le::load<std::uint32_t>(body.data());
        std::size_t size = 4;
        if ((flags & object_type_present) != 0) size += guid_size;
        if ((flags & inherited_object_type_present) != 0) size += guid_size;
        if (body.size() < size) return malformed();
        ace.object = copy(body.first(size));
        body = body.subspan(size);
    }
    const Result<Sid> sid = Sid::parse(body);
    if (!sid) return malformed();
    ace.sid = *sid;
    ace.data = copy(body.subspan(sid->size()));
    return ace;
}

// [MS-DTYP] 2.4.5.  `bytes` begins with the ACL and goes on to the end of the descriptor.
Result<Acl> parse_acl(Bytes bytes) {
    if (bytes.size() < Acl::header_size) return malformed();
    Acl acl;
    acl.revision = static_cast<std::uint8_t>(bytes[0]);
    const auto size = le::load<std::uint16_t>(bytes.data() + 2);
    const auto count = le::load<std::uint16_t>(bytes.data() + 4);
    if (acl.revision < Acl::revision_basic || acl.revision > Acl::revision_object) {
        return malformed();
    }
    if (size < Acl::header_size || size > bytes.size()) return malformed();
    Bytes rest = bytes.first(size).subspan(Acl::header_size);
    // Each ACE takes its header at least: a count that cannot be true allocates nothing.
    if (count > Acl::max_aces || count > rest.size() / ace_header_size) return malformed();
    acl.aces.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (rest.size() < ace_header_size) return malformed();
        const auto ace_size = le::load<std::uint16_t>(rest.data() + 2);
        // [MS-DTYP] 2.4.4.1 AceSize: a multiple of four.
        if (ace_size < ace_header_size || ace_size % 4 != 0 || ace_size > rest.size()) {
            return malformed();
        }
        Result<Ace> ace = parse_ace(rest.first(ace_size));
        if (!ace) return fail(ace.error());
        acl.aces.push_back(std::move(*ace));
        rest = rest.subspan(ace_size);
    }
    return acl;
}

void write_ace(const Ace& ace, std::vector<std::byte>& out) {
    const std::size_t at = out.size();
    out.resize(at + ace_header_size);
    out[at] = static_cast<std::byte>(ace.type);
    out[at + 1] = static_cast<std::byte>(ace.flags);
    if (ace.layout() != Ace::Layout::opaque) {
        out.resize(out.size() + 4);
        le::store<std::uint32_t>(out.data() + at + ace_header_size, ace.mask);
        if (ace.layout() == Ace::Layout::object) {
            out.insert(out.end(), ace.object.begin(), ace.object.end());
        }
        ace.sid.append_to(out);
    }
    out.insert(out.end(), ace.data.begin(), ace.data.end());
    out.resize(at + ace.size());  // zeros up to a multiple of four
    le::store<std::uint16_t>(out.data() + at + 2, static_cast<std::uint16_t>(ace.size()));
}

void write_acl(const Acl& acl, std::vector<std::byte>& out) {
    const std::size_t at = out.size();
    out.resize(at + Acl::header_size);
    out[at] = static_cast<std::byte>(acl.revision);
    for (const Ace& ace : acl.aces) write_ace(ace, out);
    le::store<std::uint16_t>(out.data() + at + 2, static_cast<std::uint16_t>(out.size() - at));
    le::store<std::uint16_t>(out.data() + at + 4, static_cast<std::uint16_t>(acl.aces.size()));
}

// What the fields of `acl` cannot say on the wire.
bool is_buildable(const std::optional<Acl>& acl) {
    if (!acl) return true;
    if (acl->aces.size() > Acl::max_aces || acl->size() > 0xFFFF) return false;
    for (const Ace& ace : acl->aces) {
        if (ace.size() > 0xFFFF) return false;
    }
    return true;
}

}  // namespace

Ace::Layout Ace::layout_of(AceType type) {
    switch (type) {
        case AceType::access_allowed:
        case AceType::access_denied:
        case AceType::system_audit:
        case AceType::system_alarm:
        case AceType::access_allowed_callback:
        case AceType::access_denied_callback:
        case AceType::system_audit_callback:
        case AceType::system_alarm_callback:
        case AceType::system_mandatory_label:
        case AceType::system_resource_attribute:
        case AceType::system_scoped_policy_id:
            return Layout::basic;
        case AceType::access_allowed_object:
        case AceType::access_denied_object:
        case AceType::system_audit_object:
        case AceType::system_alarm_object:
        case AceType::access_allowed_callback_object:
        case AceType::access_denied_callback_object:
        case AceType::system_audit_callback_object:
        case AceType::system_alarm_callback_object:
            return Layout::object;
        case AceType::access_allowed_compound:
            break;
    }
    return Layout::opaque;
}

std::size_t Ace::size() const {
    std::size_t size = ace_header_size + data.size();
    if (layout() != Layout::opaque) size += 4 + sid.size();
    if (layout() == Layout::object) size += object.size();
    return (size + 3) & ~std::size_t{3};
}

std::size_t Acl::size() const {
    std::size_t size = header_size;
    for (const Ace& ace : aces) size += ace.size();
    return size;
}

std::size_t SecurityDescriptor::size() const {
    std::size_t size = header_size;
    if (owner) size += owner->size();
    if (group) size += group->size();
    if (sacl && sacl_present()) size += sacl->size();
    if (dacl && dacl_present()) size += dacl->size();
    return size;
}

// [MS-DTYP] 2.4.6: Revision, Sbz1, Control, then the offsets of owner, group, SACL and DACL; 0 is
// "not there".
Result<SecurityDescriptor> SecurityDescriptor::parse(Bytes bytes) {
    if (bytes.size() < header_size || bytes.size() > SecurityDescriptor::max_size) {
        return malformed();
    }
    SecurityDescriptor result;
    result.rm_control = static_cast<std::uint8_t>(bytes[1]);
    result.control = le::load<std::uint16_t>(bytes.data() + 2);
    if (bytes[0] != std::byte{1} || (result.control & sd_control::self_relative) == 0) {
        return malformed();
    }
    // What an offset points to, to the end; empty if the offset is none that is allowed.
    const auto part = [&](std::size_t field) -> Bytes {
        const auto offset = le::load<std::uint32_t>(bytes.data() + field);
        if (offset < header_size || offset >= bytes.size()) return {};
        return bytes.subspan(offset);
    };
    const auto is_set = [&](std::size_t field) {
        return le::load<std::uint32_t>(bytes.data() + field) != 0;
    };
    const auto read_sid = [&](std::size_t field, std::optional<Sid>& into) {
        if (!is_set(field)) return true;
        const Result<Sid> sid = Sid::parse(part(field));
        if (sid) into = *sid;
        return sid.has_value();
    };
    const auto read_acl = [&](std::size_t field, bool present, std::optional<Acl>& into) {
        if (!present || !is_set(field)) return true;
        Result<Acl> acl = parse_acl(part(field));
        if (acl) into = std::move(*acl);
        return acl.has_value();
    };
    if (!read_sid(4, result.owner) || !read_sid(8, result.group) ||
        !read_acl(12, result.sacl_present(), result.sacl) ||
        !read_acl(16, result.dacl_present(), result.dacl)) {
        return malformed();
    }
    // Parts may overlap in what was read; built, they do not.
    if (result.size() > SecurityDescriptor::max_size) return malformed();
    return result;
}

Result<std::vector<std::byte>> SecurityDescriptor::build() const {
    if (size() > SecurityDescriptor::max_size || !is_buildable(sacl) || !is_buildable(dacl)) {
        return malformed();
    }
    std::vector<std::byte> out;
    out.reserve(size());
    out.resize(header_size);
    out[0] = std::byte{1};
    out[1] = static_cast<std::byte>(rm_control);
    le::store<std::uint16_t>(out.data() + 2,
                             static_cast<std::uint16_t>(control | sd_control::self_relative));
    const auto begin = [&](std::size_t field) {
        le::store<std::uint32_t>(out.data() + field, static_cast<std::uint32_t>(out.size()));
    };
    if (owner) {
        begin(4);
        owner->append_to(out);
    }
    if (group) {
        begin(8);
        group->append_to(out);
    }
    if (sacl && sacl_present()) {
        begin(12);
        write_acl(*sacl, out);
    }
    if (dacl && dacl_present()) {
        begin(16);
        write_acl(*dacl, out);
    }
    return out;
}

namespace {

using namespace security_information;

constexpr std::uint16_t dacl_bits = sd_control::dacl_present | sd_control::dacl_defaulted |
                                    sd_control::dacl_trusted |
                                    sd_control::dacl_auto_inherit_required |
                                    sd_control::dacl_auto_inherited | sd_control::dacl_protected;
constexpr std::uint16_t sacl_bits = sd_control::sacl_present | sd_control::sacl_defaulted |
                                    sd_control::sacl_auto_inherit_required |
                                    sd_control::sacl_auto_inherited | sd_control::sacl_protected;

// Which SECURITY_INFORMATION bit an ACE of a SACL belongs to.
std::uint32_t part_of(const Ace& ace) {
    switch (ace.type) {
        case AceType::system_mandatory_label:
            return label;
        case AceType::system_resource_attribute:
            return attribute;
        case AceType::system_scoped_policy_id:
            return scope;
        default:
            return security_information::sacl;
    }
}

constexpr std::uint32_t any_sacl = security_information::sacl | label | attribute | scope;

void take_bits(std::uint16_t& control, std::uint16_t from, std::uint16_t bits) {
    control = static_cast<std::uint16_t>((control & ~bits) | (from & bits));
}

// [MS-DTYP] 2.4.7: PROTECTED_x and UNPROTECTED_x set and clear the bit whatever the new descriptor
// says.
void protect(std::uint16_t& control, std::uint32_t information, std::uint32_t on, std::uint32_t off,
             std::uint16_t bit) {
    if ((information & on) != 0) control = static_cast<std::uint16_t>(control | bit);
    if ((information & off) != 0) control = static_cast<std::uint16_t>(control & ~bit);
}

}  // namespace

SecurityDescriptor SecurityDescriptor::only(std::uint32_t information) const {
    if ((information & backup) != 0) {
        information |= security_information::owner | security_information::group |
                       security_information::dacl | any_sacl;
    }
    SecurityDescriptor result;
    result.rm_control = rm_control;
    take_bits(result.control, control, sd_control::rm_control_valid);
    if ((information & security_information::owner) != 0) {
        result.owner = owner;
        take_bits(result.control, control, sd_control::owner_defaulted);
    }
    if ((information & security_information::group) != 0) {
        result.group = group;
        take_bits(result.control, control, sd_control::group_defaulted);
    }
    if ((information & security_information::dacl) != 0) {
        result.dacl = dacl;
        take_bits(result.control, control, dacl_bits);
    }
    if ((information & any_sacl) != 0) {
        take_bits(result.control, control, sacl_bits);
        if (sacl) {
            result.sacl.emplace();
            result.sacl->revision = sacl->revision;
            for (const Ace& ace : sacl->aces) {
                if ((information & part_of(ace)) != 0) result.sacl->aces.push_back(ace);
            }
        }
    }
    return result;
}

void SecurityDescriptor::replace(std::uint32_t information, const SecurityDescriptor& other) {
    if ((information & backup) != 0) {
        information |= security_information::owner | security_information::group |
                       security_information::dacl | any_sacl;
    }
    if ((information & security_information::owner) != 0) {
        owner = other.owner;
        take_bits(control, other.control, sd_control::owner_defaulted);
    }
    if ((information & security_information::group) != 0) {
        group = other.group;
        take_bits(control, other.control, sd_control::group_defaulted);
    }
    if ((information & security_information::dacl) != 0) {
        dacl = other.dacl;
        take_bits(control, other.control, dacl_bits);
    }
    if ((information & any_sacl) != 0) {
        Acl merged;  // ACEs of the parts that stay, then the new ones
        if (sacl) {
            merged.revision = sacl->revision;
            for (Ace& ace : sacl->aces) {
                if ((information & part_of(ace)) == 0) merged.aces.push_back(std::move(ace));
            }
        }
        if (other.sacl) {
            merged.revision = std::max(merged.revision, other.sacl->revision);
            for (const Ace& ace : other.sacl->aces) {
                if ((information & part_of(ace)) != 0) merged.aces.push_back(ace);
            }
        }
        take_bits(control, other.control, sacl_bits);
        sacl.reset();
        if (!merged.aces.empty() || other.sacl) set_sacl(std::move(merged));
    }
    protect(control, information, protected_dacl, unprotected_dacl, sd_control::dacl_protected);
    protect(control, information, protected_sacl, unprotected_sacl, sd_control::sacl_protected);
}

}  // namespace smb3d::dtyp
