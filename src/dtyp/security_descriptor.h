// SecurityDescriptor, Acl, Ace: parsed into checked values, built back into the self-relative form.
//
// Spec: [MS-DTYP] 2.4.4 (ACE), 2.4.5 (ACL), 2.4.6 (SECURITY_DESCRIPTOR).
// Thread: values.
// Errors: parse: INVALID_SECURITY_DESCR for anything malformed, longer than 64 KiB or with more
// than max_aces ACEs.
//   build: INVALID_SECURITY_DESCR if it would be longer than that.
// What parses can be built, and the result parses to an equal value: whatever a type is unknown for
// is kept as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dtyp/access_mask.h"
#include "dtyp/sid.h"
#include "smb3d/buffer.h"
#include "smb3d/status.h"

namespace smb3d::dtyp {

// [MS-DTYP] 2.4.4.1 AceType.
enum class AceType : std::uint8_t {
    access_allowed = 0x00,
    access_denied = 0x01,
    system_audit = 0x02,
    system_alarm = 0x03,
    access_allowed_compound = 0x04,
    access_allowed_object = 0x05,
    access_denied_object = 0x06,
    system_audit_object = 0x07,
    system_alarm_object = 0x08,
    access_allowed_callback = 0x09,
    access_denied_callback = 0x0A,
    access_allowed_callback_object = 0x0B,
    access_denied_callback_object = 0x0C,
    system_audit_callback = 0x0D,
    system_alarm_callback = 0x0E,
    system_audit_callback_object = 0x0F,
    system_alarm_callback_object = 0x10,
    system_mandatory_label = 0x11,
    system_resource_attribute = 0x12,
    system_scoped_policy_id = 0x13,
};

// [MS-DTYP] 2.4.4.1 AceFlags.
namespace ace_flags {
inline constexpr std::uint8_t object_inherit = 0x01;
inline constexpr std::uint8_t container_inherit = 0x02;
inline constexpr std::uint8_t no_propagate_inherit = 0x04;
inline constexpr std::uint8_t inherit_only = 0x08;
inline constexpr std::uint8_t inherited = 0x10;
inline constexpr std::uint8_t successful_access = 0x40;
inline constexpr std::uint8_t failed_access = 0x80;
inline constexpr std::uint8_t inheritance = 0x0F;  // the four that say how it is passed on
}  // namespace ace_flags

struct Ace {
    // How the body is laid out.
    enum class Layout : std::uint8_t {
        basic,   // Mask, Sid, data
        object,  // Mask, Flags and GUIDs, Sid, data
        opaque,  // data only
    };
    static Layout layout_of(AceType type);

    AceType type{AceType::access_allowed};
    std::uint8_t flags{0};
    AccessMask mask{0};
    Sid sid;
    std::vector<std::byte> object;  // Layout::object: Flags and the GUIDs they announce
    std::vector<std::byte> data;  // condition, attribute, padding; of Layout::opaque the whole body

    Layout layout() const { return layout_of(type); }
    std::size_t size() const;
    friend bool operator==(const Ace&, const Ace&) = default;
};
inline Ace allow(const Sid& sid, AccessMask mask, std::uint8_t flags = 0) {
    return {AceType::access_allowed, flags, mask, sid, {}, {}};
}
inline Ace deny(const Sid& sid, AccessMask mask, std::uint8_t flags = 0) {
    return {AceType::access_denied, flags, mask, sid, {}, {}};
}

struct Acl {
    static constexpr std::size_t header_size = 8;
    static constexpr std::size_t max_aces = 4096;
    static constexpr std::uint8_t revision_basic = 2;
    static constexpr std::uint8_t revision_object = 4;  // [MS-DTYP] 2.4.5 ACL_REVISION_DS

    std::uint8_t revision{revision_basic};
    std::vector<Ace> aces;

    std::size_t size() const;
    friend bool operator==(const Acl&, const Acl&) = default;
};

// [MS-DTYP] 2.4.6 Control.
namespace sd_control {
inline constexpr std::uint16_t owner_defaulted = 0x0001;
inline constexpr std::uint16_t group_defaulted = 0x0002;
inline constexpr std::uint16_t dacl_present = 0x0004;
inline constexpr std::uint16_t dacl_defaulted = 0x0008;
inline constexpr std::uint16_t sacl_present = 0x0010;
inline constexpr std::uint16_t sacl_defaulted = 0x0020;
inline constexpr std::uint16_t dacl_trusted = 0x0040;
inline constexpr std::uint16_t server_security = 0x0080;
inline constexpr std::uint16_t dacl_auto_inherit_required = 0x0100;
inline constexpr std::uint16_t sacl_auto_inherit_required = 0x0200;
inline constexpr std::uint16_t dacl_auto_inherited = 0x0400;
inline constexpr std::uint16_t sacl_auto_inherited = 0x0800;
inline constexpr std::uint16_t dacl_protected = 0x1000;
inline constexpr std::uint16_t sacl_protected = 0x2000;
inline constexpr std::uint16_t rm_control_valid = 0x4000;
inline constexpr std::uint16_t self_relative = 0x8000;
}  // namespace sd_control

// [MS-DTYP] 2.4.7 SECURITY_INFORMATION: which parts QUERY_INFO and SET_INFO are about.
namespace security_information {
inline constexpr std::uint32_t owner = 0x00000001;
inline constexpr std::uint32_t group = 0x00000002;
inline constexpr std::uint32_t dacl = 0x00000004;
inline constexpr std::uint32_t sacl = 0x00000008;
inline constexpr std::uint32_t label = 0x00000010;
inline constexpr std::uint32_t attribute = 0x00000020;
inline constexpr std::uint32_t scope = 0x00000040;
inline constexpr std::uint32_t backup = 0x00010000;
inline constexpr std::uint32_t unprotected_sacl = 0x10000000;
inline constexpr std::uint32_t unprotected_dacl = 0x20000000;
inline constexpr std::uint32_t protected_sacl = 0x40000000;
inline constexpr std::uint32_t protected_dacl = 0x80000000;
}  // namespace security_information

struct SecurityDescriptor {
    static constexpr std::size_t header_size = 20;
    static constexpr std::size_t max_size = 64 * 1024;

    std::uint8_t rm_control{0};  // Sbz1
    std::uint16_t control{sd_control::self_relative};
    std::optional<Sid> owner;
    std::optional<Sid> group;
    std::optional<Acl> sacl;
    std::optional<Acl> dacl;  // absent although dacl_present: a NULL DACL, which grants everything

    static Result<SecurityDescriptor> parse(Bytes bytes);
    Result<std::vector<std::byte>> build() const;
    std::size_t size() const;  // what build() yields

    bool dacl_present() const { return (control & sd_control::dacl_present) != 0; }
    bool sacl_present() const { return (control & sd_control::sacl_present) != 0; }
    void set_dacl(Acl acl) {
        dacl = std::move(acl);
        control |= sd_control::dacl_present;
    }
    void set_sacl(Acl acl) {
        sacl = std::move(acl);
        control |= sd_control::sacl_present;
    }
    // Only the parts that `information` names: what a QUERY_INFO answers with ([MS-FSA] 2.1.5.14).
    SecurityDescriptor only(std::uint32_t information) const;
    // Takes the parts that `information` names from `other`: what a SET_INFO does
    // ([MS-FSA] 2.1.5.17).
    void replace(std::uint32_t information, const SecurityDescriptor& other);

    friend bool operator==(const SecurityDescriptor&, const SecurityDescriptor&) = default;
};

}  // namespace smb3d::dtyp
