#include "dtyp/access_check.h"

#include <gtest/gtest.h>

#include "dtyp/sddl.h"

namespace smb3d::dtyp {
namespace {

const Sid alice = Sid::from_text("S-1-5-21-1-2-3-1001").value();
const Sid staff = Sid::from_text("S-1-5-21-1-2-3-2001").value();

SecurityDescriptor sddl(std::string_view text) {
    auto result = from_sddl(text);
    EXPECT_TRUE(result) << text;
    return result.value_or(SecurityDescriptor{});
}

Token token(std::uint64_t privileges = 0) {
    return {{alice, staff, sids::everyone, sids::authenticated_users}, privileges};
}
std::uint64_t bit(Privilege privilege) { return static_cast<std::uint64_t>(privilege); }

AccessMask most(std::string_view text) { return maximal_access(sddl(text), token()); }

TEST(AccessMask, MsDtyp_2_4_3_GenericMapping) {
    EXPECT_EQ(map_generic(generic_read), file_generic_read);
    EXPECT_EQ(map_generic(generic_write | generic_execute),
              file_generic_write | file_generic_execute);
    EXPECT_EQ(map_generic(generic_all), file_all_access);
    EXPECT_EQ(map_generic(maximum_allowed | delete_access), maximum_allowed | delete_access);
}

TEST(AccessCheck, MsDtyp_2_5_3_2_FirstAceDecides) {
    EXPECT_EQ(most("D:(A;;FR;;;WD)"), file_generic_read);
    EXPECT_EQ(most("D:(D;;0x1;;;WD)(A;;FR;;;WD)"), file_generic_read & ~1U);
    EXPECT_EQ(most("D:(A;;FR;;;WD)(D;;0x1;;;WD)"), file_generic_read);
    EXPECT_EQ(most("D:(D;;FA;;;BU)(A;;FA;;;WD)"), file_all_access);  // not hers
    EXPECT_EQ(most("D:(A;;0x1;;;S-1-5-21-1-2-3-1001)(A;;0x2;;;S-1-5-21-1-2-3-2001)"), 3U);
    EXPECT_EQ(most("D:(A;IO;FA;;;WD)"), 0U);  // inherit only
    EXPECT_EQ(most("D:(A;;GA;;;WD)"), file_all_access);
    EXPECT_EQ(most("D:(D;;GW;;;WD)(A;;FA;;;WD)"), file_all_access & ~file_generic_write);
}

TEST(AccessCheck, MsDtyp_2_5_3_2_NoDaclAndEmptyDacl) {
    EXPECT_EQ(most("O:BA"), file_all_access);
    EXPECT_EQ(most("D:NO_ACCESS_CONTROL"), file_all_access);
    EXPECT_EQ(most("D:"), 0U);
    EXPECT_EQ(access_check(sddl("D:"), token(), file_read_data).error(), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(access_check(sddl("D:"), token(), maximum_allowed).error(), NtStatus::ACCESS_DENIED);
}

TEST(AccessCheck, MsDtyp_2_5_3_2_Owner) {
    EXPECT_EQ(most("O:S-1-5-21-1-2-3-1001D:"), read_control | write_dac);
    EXPECT_EQ(most("O:S-1-5-21-1-2-3-2001D:"), read_control | write_dac);  // a group owns it
    EXPECT_EQ(most("O:BAD:"), 0U);
    // A deny ACE does not take an owner's own rights.
    EXPECT_EQ(most("O:S-1-5-21-1-2-3-1001D:(D;;FA;;;WD)"), read_control | write_dac);
}

TEST(AccessCheck, MsDtyp_2_5_1_4_OwnerRights) {
    EXPECT_EQ(most("O:S-1-5-21-1-2-3-1001D:(A;;FR;;;OW)"), file_generic_read);
    EXPECT_EQ(most("O:BAD:(A;;FR;;;OW)"), 0U);
    EXPECT_EQ(most("O:S-1-5-21-1-2-3-1001D:(D;;WD;;;OW)(A;;FA;;;WD)"),
              file_all_access & ~write_dac);
    // One that is only inherited does not count here.
    EXPECT_EQ(most("O:S-1-5-21-1-2-3-1001D:(A;CIIO;FR;;;OW)"), read_control | write_dac);
}

TEST(AccessCheck, MsDtyp_2_5_3_2_DesiredAccess) {
    const SecurityDescriptor descriptor = sddl("D:(A;;FR;;;WD)");
    EXPECT_EQ(access_check(descriptor, token(), generic_read).value(), file_generic_read);
    EXPECT_EQ(access_check(descriptor, token(), file_read_data).value(), file_read_data);
    EXPECT_EQ(access_check(descriptor, token(), file_write_data).error(), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(access_check(descriptor, token(), maximum_allowed).value(), file_generic_read);
    EXPECT_EQ(access_check(descriptor, token(), maximum_allowed | file_write_data).error(),
              NtStatus::ACCESS_DENIED);
    EXPECT_EQ(access_check(descriptor, token(), maximum_allowed | file_read_data).value(),
              file_generic_read);
}

TEST(AccessCheck, Privileges) {
    const SecurityDescriptor closed = sddl("O:BAD:");
    const auto check = [&](Privilege privilege, AccessMask desired, bool backup_intent) {
        return access_check(closed, token(bit(privilege)), desired, {backup_intent, nullptr});
    };
    EXPECT_EQ(access_check(closed, token(), access_system_security).error(),
              NtStatus::PRIVILEGE_NOT_HELD);
    EXPECT_EQ(access_check(closed, token(), access_system_security | file_read_data).error(),
              NtStatus::ACCESS_DENIED);
    EXPECT_TRUE(check(Privilege::security, access_system_security, false));
    EXPECT_FALSE(check(Privilege::security, file_read_data, false));
    EXPECT_TRUE(check(Privilege::take_ownership, write_owner, false));
    EXPECT_FALSE(check(Privilege::take_ownership, write_dac, false));
    EXPECT_TRUE(check(Privilege::backup, generic_read | file_traverse, true));
    EXPECT_FALSE(check(Privilege::backup, generic_read, false));
    EXPECT_FALSE(check(Privilege::backup, file_write_data, true));
    EXPECT_TRUE(check(Privilege::restore, generic_write | write_dac | write_owner, true));
    EXPECT_FALSE(check(Privilege::restore, file_read_data, true));
    EXPECT_FALSE(check(Privilege::restore, generic_write, false));
    // MAXIMUM_ALLOWED does not mean the SACL.
    const AccessMask all = maximal_access(sddl("D:(A;;FA;;;WD)"), token(bit(Privilege::security)));
    EXPECT_EQ(all, file_all_access);
}

TEST(AccessCheck, MsFsa_2_1_5_1_2_1_RightsThroughTheParent) {
    const SecurityDescriptor closed = sddl("O:BAD:");
    const SecurityDescriptor open_parent = sddl("D:(A;;0x41;;;WD)");
    const AccessOptions options{false, &open_parent};
    EXPECT_EQ(maximal_access(closed, token(), options), delete_access | file_read_attributes);
    EXPECT_TRUE(access_check(closed, token(), delete_access, options));
    EXPECT_FALSE(access_check(closed, token(), file_read_data, options));
    const AccessOptions closed_parent{false, &closed};
    EXPECT_FALSE(access_check(closed, token(), delete_access, closed_parent));
}

TEST(AccessCheck, MsDtyp_2_4_4_17_ConditionsGrantNothing) {
    SecurityDescriptor descriptor;
    Acl acl;
    acl.aces.push_back(
        {AceType::access_allowed_callback, 0, file_all_access, sids::everyone, {}, {}});
    descriptor.set_dacl(acl);
    EXPECT_EQ(maximal_access(descriptor, token()), 0U);
    descriptor.dacl->aces[0].type = AceType::access_denied_callback;
    descriptor.dacl->aces.push_back(allow(sids::everyone, file_generic_read));
    descriptor.dacl->aces[0].mask = file_read_data;
    EXPECT_EQ(maximal_access(descriptor, token()), file_generic_read & ~file_read_data);
    descriptor.dacl->aces[0].type = static_cast<AceType>(0x77);
    EXPECT_EQ(maximal_access(descriptor, token()), file_generic_read);
}

TEST(Token, FromCaller) {
    Caller caller;
    caller.uid = 1000;
    caller.gid = 100;
    caller.groups = {27, 44};
    caller.sids = {alice.raw(), staff.raw(), {1, 2, 3}};
    const Token own = Token::from(caller);
    EXPECT_EQ(own.user(), alice);
    for (const Sid& sid : {alice, staff, sids::unix_user(1000), sids::unix_group(100),
                           sids::unix_group(44), sids::everyone, sids::authenticated_users}) {
        EXPECT_TRUE(own.has(sid)) << sid.text();
    }
    EXPECT_FALSE(own.has(sids::anonymous));
    caller.anonymous = true;
    caller.sids.clear();
    const Token nobody = Token::from(caller);
    EXPECT_TRUE(nobody.has(sids::anonymous));
    EXPECT_FALSE(nobody.has(sids::authenticated_users));
    EXPECT_EQ(nobody.user(), sids::unix_user(1000));
    caller.anonymous = false;
    caller.guest = true;
    EXPECT_TRUE(Token::from(caller).has(sids::guests));
}

}  // namespace
}  // namespace smb3d::dtyp
