#include "dtyp/inherit.h"

#include <gtest/gtest.h>

#include "dtyp/sddl.h"

namespace smb3d::dtyp {
namespace {

SecurityDescriptor sddl(std::string_view text) {
    auto result = from_sddl(text);
    EXPECT_TRUE(result) << text;
    return result.value_or(SecurityDescriptor{});
}

// The DACL of a new object below `parent`, made by BU with primary group BG.
std::string child(const char* parent, bool directory, const char* given = nullptr) {
    const SecurityDescriptor above = sddl(parent);
    const SecurityDescriptor asked = sddl(given == nullptr ? "" : given);
    Creation creation;
    creation.parent = &above;
    creation.creator = given == nullptr ? nullptr : &asked;
    creation.directory = directory;
    creation.owner = sids::users;
    creation.group = sids::guests;
    const auto result = create_descriptor(creation);
    EXPECT_TRUE(result);
    return to_sddl(result->only(security_information::dacl | security_information::sacl)).value();
}

TEST(Inherit, MsDtyp_2_5_3_4_3_FlagsForFiles) {
    EXPECT_EQ(child("D:(A;OI;FR;;;WD)", false), "D:AI(A;ID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;OICI;FR;;;WD)", false), "D:AI(A;ID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;OINP;FR;;;WD)", false), "D:AI(A;ID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;OIIO;FR;;;WD)", false), "D:AI(A;ID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;CI;FR;;;WD)(A;OI;FW;;;AU)", false), "D:AI(A;ID;FW;;;AU)");
}

TEST(Inherit, MsDtyp_2_5_3_4_3_FlagsForDirectories) {
    EXPECT_EQ(child("D:(A;CI;FR;;;WD)", true), "D:AI(A;CIID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;OICI;FR;;;WD)", true), "D:AI(A;OICIID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;OI;FR;;;WD)", true), "D:AI(A;OIIOID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;OICIIO;FR;;;WD)", true), "D:AI(A;OICIID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;OICINP;FR;;;WD)", true), "D:AI(A;ID;FR;;;WD)");
    EXPECT_EQ(child("D:(A;OINP;FR;;;WD)(A;CI;FW;;;AU)", true), "D:AI(A;CIID;FW;;;AU)");
}

TEST(Inherit, MsDtyp_2_5_3_4_7_CreatorOwnerAndGroup) {
    EXPECT_EQ(child("D:(A;OICIIO;GA;;;CO)", false), "D:AI(A;ID;FA;;;BU)");
    EXPECT_EQ(child("D:(A;OICIIO;GA;;;CO)", true), "D:AI(A;ID;FA;;;BU)(A;OICIIOID;GA;;;CO)");
    EXPECT_EQ(child("D:(A;CI;FR;;;CG)", true), "D:AI(A;ID;FR;;;BG)(A;CIIOID;FR;;;CG)");
    EXPECT_EQ(child("D:(A;CINP;FR;;;CG)", true), "D:AI(A;ID;FR;;;BG)");
    EXPECT_EQ(child("D:(A;OI;FR;;;CO)", true), "D:AI(A;OIIOID;FR;;;CO)");
}

TEST(Inherit, GenericRightsAreMappedWhereTheyCount) {
    EXPECT_EQ(child("D:(A;OICI;GR;;;WD)", true), "D:AI(A;ID;FR;;;WD)(A;OICIIOID;GR;;;WD)");
    EXPECT_EQ(child("D:(A;OICI;GR;;;WD)", false), "D:AI(A;ID;FR;;;WD)");
}

TEST(Inherit, MsDtyp_2_5_3_4_2_NothingToInherit) {
    EXPECT_EQ(child("D:(A;;FA;;;WD)", false), "D:(A;;FA;;;BU)(A;;FA;;;SY)");
    EXPECT_EQ(child("O:BA", true), "D:(A;;FA;;;BU)(A;;FA;;;SY)");
    const Acl token_default = *sddl("D:(A;;GA;;;AU)").dacl;
    Creation creation;
    creation.default_dacl = &token_default;
    creation.owner = sids::users;
    creation.group = sids::users;
    EXPECT_EQ(to_sddl(create_descriptor(creation).value()).value(), "O:BUG:BUD:(A;;FA;;;AU)");
}

TEST(Inherit, MsDtyp_2_5_3_4_2_GivenByTheCreator) {
    const char* parent = "D:(A;OICI;FR;;;WD)";
    EXPECT_EQ(child(parent, false, "D:(A;;FA;;;BA)"), "D:AI(A;;FA;;;BA)(A;ID;FR;;;WD)");
    EXPECT_EQ(child(parent, false, "D:P(A;;FA;;;BA)"), "D:P(A;;FA;;;BA)");
    EXPECT_EQ(child(parent, false, "D:(A;ID;FA;;;BA)"), "D:AI(A;ID;FR;;;WD)");
    EXPECT_EQ(child(parent, false, "D:P(A;ID;FA;;;BA)"), "D:P(A;;FA;;;BA)");
    EXPECT_EQ(child(parent, false, "D:"), "D:AI(A;ID;FR;;;WD)");
    EXPECT_EQ(child(parent, false, "D:NO_ACCESS_CONTROL"), "D:NO_ACCESS_CONTROL");
    EXPECT_EQ(child(parent, false, "D:P(A;OICI;GA;;;CO)"), "D:P(A;;FA;;;BU)");
    EXPECT_EQ(child(parent, true, "D:P(A;OICI;GA;;;CO)"), "D:P(A;;FA;;;BU)(A;OICIIO;GA;;;CO)");
    EXPECT_EQ(child(parent, false, "O:SY"), "D:AI(A;ID;FR;;;WD)");  // no DACL given
}

TEST(Inherit, OwnerAndGroupOfTheCreatorsDescriptor) {
    const SecurityDescriptor asked = sddl("O:SYG:BA");
    const SecurityDescriptor above = sddl("D:(A;OI;FA;;;CO)");
    Creation creation;
    creation.parent = &above;
    creation.creator = &asked;
    creation.owner = sids::users;
    creation.group = sids::users;
    EXPECT_EQ(to_sddl(create_descriptor(creation).value()).value(), "O:SYG:BAD:AI(A;ID;FA;;;SY)");
}

TEST(Inherit, SaclIsInheritedAsWell) {
    EXPECT_EQ(child("D:(A;OI;FA;;;WD)S:(AU;OISA;FA;;;WD)", false),
              "D:AI(A;ID;FA;;;WD)S:AI(AU;IDSA;FA;;;WD)");
}

TEST(Inherit, AsOneAcl) {
    const Acl parent = *sddl("D:(A;OI;FR;;;WD)(A;;FA;;;BA)").dacl;
    const Acl file = inherited_acl(parent, false, sids::users, sids::users);
    ASSERT_EQ(file.aces.size(), 1U);
    EXPECT_EQ(file.aces[0], allow(sids::everyone, file_generic_read, ace_flags::inherited));
}

TEST(Inherit, TooLong) {
    SecurityDescriptor parent;
    Acl acl;
    for (int i = 0; i < 2000; ++i) {
        acl.aces.push_back(allow(sids::creator_owner, generic_all,
                                 ace_flags::container_inherit | ace_flags::object_inherit));
    }
    parent.set_dacl(acl);
    Creation creation;
    creation.parent = &parent;
    creation.directory = true;
    EXPECT_EQ(create_descriptor(creation).error(), NtStatus::INVALID_SECURITY_DESCR);
}

}  // namespace
}  // namespace smb3d::dtyp
