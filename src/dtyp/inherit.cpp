#include "dtyp/inherit.h"

#include <algorithm>
#include <utility>

namespace smb3d::dtyp {

namespace {

using namespace ace_flags;

std::uint8_t without(std::uint8_t flags, std::uint8_t bits) {
    return static_cast<std::uint8_t>(flags & ~bits);
}
std::uint8_t with(std::uint8_t flags, std::uint8_t bits) {
    return static_cast<std::uint8_t>(flags | bits);
}
bool has(const Ace& ace, std::uint8_t bits) { return (ace.flags & bits) != 0; }

bool is_inheritable(const Acl& acl) {
    return std::any_of(acl.aces.begin(), acl.aces.end(),
                       [](const Ace& ace) { return has(ace, container_inherit | object_inherit); });
}

// Bits that mean the same for every kind of object need no mapping, and labels have rights of their
// own.
AccessMask map_mask(const Ace& ace) {
    return ace.type == AceType::system_mandatory_label ? ace.mask : map_generic(ace.mask);
}

class Builder {
  public:
    Builder(const Sid& owner, const Sid& group) : owner_(owner), group_(group) {}

    // [MS-DTYP] 2.5.3.4.7 PostProcessACL: placeholders become the new object's owner and group and
    // generic bits rights. Where such an ACE is passed on as well, it is split: one that counts
    // here, one that is only inherited further.
    void add(Ace ace) {
        if (has(ace, inherit_only) || ace.layout() == Ace::Layout::opaque) {
            acl_.aces.push_back(std::move(ace));
            return;
        }
        Ace effective = ace;
        effective.mask = map_mask(ace);
        if (ace.sid == sids::creator_owner) effective.sid = owner_;
        if (ace.sid == sids::creator_group) effective.sid = group_;
        const bool changed = effective != ace;
        if (changed && has(ace, container_inherit | object_inherit)) {
            effective.flags = without(effective.flags, inheritance);
            acl_.aces.push_back(std::move(effective));
            ace.flags = with(ace.flags, inherit_only);
            acl_.aces.push_back(std::move(ace));
            return;
        }
        acl_.aces.push_back(std::move(effective));
    }

    // [MS-DTYP] 2.5.3.4.3 ComputeInheritedACLFromParent: what one of the parent's ACEs becomes in a
    // child.
    void inherit(const Ace& from, bool directory) {
        Ace ace = from;
        ace.flags = with(without(ace.flags, inheritance), inherited);
        if (!directory) {
            if (has(from, object_inherit)) add(std::move(ace));
            return;
        }
        const bool goes_on = !has(from, no_propagate_inherit);
        const auto passed_on =
            static_cast<std::uint8_t>(from.flags & (container_inherit | object_inherit));
        if (has(from, container_inherit)) {
            if (goes_on) ace.flags = with(ace.flags, passed_on);
            add(std::move(ace));
        } else if (has(from, object_inherit) && goes_on) {
            ace.flags = with(ace.flags, passed_on | inherit_only);  // for files further down only
            add(std::move(ace));
        }
    }

    void revision(std::uint8_t value) { acl_.revision = std::max(acl_.revision, value); }
    Acl take() { return std::move(acl_); }

  private:
    Acl acl_;
    const Sid& owner_;
    const Sid& group_;
};

// One of the two ACLs of a descriptor, with the control bits that go with it.
struct Side {
    std::optional<Acl> SecurityDescriptor::*acl;
    std::uint16_t present;
    std::uint16_t is_protected;
    std::uint16_t auto_inherited;
};
constexpr Side dacl_side{&SecurityDescriptor::dacl, sd_control::dacl_present,
                         sd_control::dacl_protected, sd_control::dacl_auto_inherited};
constexpr Side sacl_side{&SecurityDescriptor::sacl, sd_control::sacl_present,
                         sd_control::sacl_protected, sd_control::sacl_auto_inherited};

const Acl* acl_of(const SecurityDescriptor* descriptor, const Side& side) {
    if (descriptor == nullptr || (descriptor->control & side.present) == 0) return nullptr;
    const std::optional<Acl>& acl = descriptor->*side.acl;
    return acl ? &*acl : nullptr;
}

// [MS-DTYP] 2.5.3.4.2 ComputeACL.
void compute_acl(const Creation& creation, const Side& side, const Sid& owner, const Sid& group,
                 SecurityDescriptor& result) {
    const auto set = [&](std::uint16_t bit) {
        result.control = static_cast<std::uint16_t>(result.control | bit);
    };
    const Acl* parent = acl_of(creation.parent, side);
    if (parent != nullptr && !is_inheritable(*parent)) parent = nullptr;
    const bool given =
        creation.creator != nullptr && (creation.creator->control & side.present) != 0;
    const bool is_protected = given && (creation.creator->control & side.is_protected) != 0;
    Builder builder(owner, group);

    if (given) {
        const Acl* explicit_acl = acl_of(creation.creator, side);
        set(side.present);
        if (explicit_acl == nullptr) return;  // a NULL ACL was asked for
        builder.revision(explicit_acl->revision);
        for (Ace ace : explicit_acl->aces) {
            // 2.5.3.4.5 PreProcessACLFromCreator: inherited ones come from the parent anew, unless
            // cut off from it.
            if (has(ace, inherited) && !is_protected && creation.auto_inherit) continue;
            ace.flags = without(ace.flags, inherited);
            if (!creation.directory) {
                if (has(ace, inherit_only)) continue;
                ace.flags = without(ace.flags, inheritance);
            }
            builder.add(std::move(ace));
        }
        if (is_protected) set(side.is_protected);
    }
    const bool inherits = parent != nullptr && !is_protected && (!given || creation.auto_inherit);
    if (inherits) {
        builder.revision(parent->revision);
        for (const Ace& ace : parent->aces) builder.inherit(ace, creation.directory);
        set(side.present);
        if (creation.auto_inherit) set(side.auto_inherited);
    }
    if (given || inherits) {
        result.*side.acl = builder.take();
        return;
    }
    if (side.acl != &SecurityDescriptor::dacl) return;

    // Neither given nor inherited: the token's default DACL ([MS-DTYP] 2.5.2), else Windows' usual
    // one.
    if (creation.default_dacl != nullptr) {
        builder.revision(creation.default_dacl->revision);
        for (const Ace& ace : creation.default_dacl->aces) builder.add(ace);
    } else {
        builder.add(allow(owner, file_all_access));
        builder.add(allow(sids::local_system, file_all_access));
    }
    set(sd_control::dacl_present);
    result.dacl = builder.take();
}

}  // namespace

Acl inherited_acl(const Acl& parent, bool directory, const Sid& owner, const Sid& group) {
    Builder builder(owner, group);
    builder.revision(parent.revision);
    for (const Ace& ace : parent.aces) builder.inherit(ace, directory);
    return builder.take();
}

Result<SecurityDescriptor> create_descriptor(const Creation& creation) {
    SecurityDescriptor result;
    const SecurityDescriptor* creator = creation.creator;
    const Sid owner = creator != nullptr && creator->owner ? *creator->owner : creation.owner;
    const Sid group = creator != nullptr && creator->group ? *creator->group : creation.group;
    result.owner = owner;
    result.group = group;
    compute_acl(creation, dacl_side, owner, group, result);
    compute_acl(creation, sacl_side, owner, group, result);
    // Splitting can make the child's ACL longer than the parent's.
    if (!result.build()) return fail(NtStatus::INVALID_SECURITY_DESCR);
    return result;
}

}  // namespace smb3d::dtyp
