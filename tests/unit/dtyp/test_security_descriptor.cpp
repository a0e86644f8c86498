#include "dtyp/security_descriptor.h"

#include <gtest/gtest.h>

#include "dtyp/guid.h"
#include "dtyp/sddl.h"
#include "support/hex.h"

namespace smb3d::dtyp {
namespace {

using test::hex;
using test::unhex;

// Owner and group BUILTIN\Administrators, a DACL of one ACE: Everyone, full access.
constexpr const char* simple =
    "01000480 14000000 24000000 00000000 34000000"
    "01020000000000052000000020020000"
    "01020000000000052000000020020000"
    "02001c0001000000 00001400ff011f00 010100000000000100000000";

SecurityDescriptor sddl(std::string_view text) {
    auto result = from_sddl(text);
    EXPECT_TRUE(result) << text;
    return result.value_or(SecurityDescriptor{});
}

TEST(SecurityDescriptor, MsDtyp_2_4_6_ParsesAndBuilds) {
    const auto bytes = unhex(simple);
    const auto parsed = SecurityDescriptor::parse(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->owner, sids::administrators);
    EXPECT_EQ(parsed->group, sids::administrators);
    EXPECT_FALSE(parsed->sacl);
    ASSERT_TRUE(parsed->dacl);
    ASSERT_EQ(parsed->dacl->aces.size(), 1U);
    EXPECT_EQ(parsed->dacl->aces[0], allow(sids::everyone, file_all_access));
    EXPECT_EQ(hex(parsed->build().value()), hex(bytes));
    EXPECT_EQ(parsed->size(), bytes.size());
}

TEST(SecurityDescriptor, MsDtyp_2_4_6_EveryTruncationIsRefused) {
    const auto bytes = unhex(simple);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(SecurityDescriptor::parse(Bytes(bytes).first(size))) << size;
    }
}

TEST(SecurityDescriptor, HostileOffsetsAndCounts) {
    const auto good = unhex(simple);
    const auto broken = [&](std::size_t at, std::initializer_list<unsigned> values) {
        auto bytes = good;
        for (const unsigned value : values) bytes[at++] = static_cast<std::byte>(value);
        return !SecurityDescriptor::parse(bytes);
    };
    EXPECT_TRUE(broken(0, {2}));                       // revision
    EXPECT_TRUE(broken(3, {0}));                       // not self-relative
    EXPECT_TRUE(broken(4, {0xFF, 0xFF, 0xFF, 0xFF}));  // offsets beyond the end
    EXPECT_TRUE(broken(4, {0x13}));                    // inside the header
    EXPECT_TRUE(broken(8, {0x50, 0, 0, 0}));           // exactly at the end
    EXPECT_TRUE(broken(16, {0xFC, 0xFF, 0xFF, 0xFF}));
    EXPECT_TRUE(broken(0x34, {1}));     // ACL revision
    EXPECT_TRUE(broken(0x36, {0x1D}));  // AclSize beyond the end
    EXPECT_TRUE(broken(0x36, {7}));     // smaller than its header
    EXPECT_TRUE(broken(0x38, {2}));     // one ACE too many
    EXPECT_TRUE(broken(0x38, {0xFF, 0xFF}));
    EXPECT_TRUE(broken(0x3E, {0x18}));  // AceSize beyond the ACL
    EXPECT_TRUE(broken(0x3E, {0x10}));  // too small for its SID
    EXPECT_TRUE(broken(0x3E, {0}));     // would not move on
    EXPECT_TRUE(broken(0x3E, {0x12}));  // not a multiple of four
    EXPECT_TRUE(broken(0x45, {15}));    // SID longer than its ACE
    EXPECT_FALSE(broken(0x39, {0}));
}

TEST(SecurityDescriptor, SizeLimit) {
    std::vector<std::byte> large(SecurityDescriptor::max_size + 1);
    const auto good = unhex(simple);
    std::copy(good.begin(), good.end(), large.begin());
    EXPECT_FALSE(SecurityDescriptor::parse(large));
    large.pop_back();
    EXPECT_TRUE(SecurityDescriptor::parse(large));

    SecurityDescriptor descriptor;
    Acl acl;
    for (int i = 0; i < 4000; ++i) acl.aces.push_back(allow(sids::everyone, 1));
    descriptor.set_dacl(acl);
    EXPECT_EQ(descriptor.build().error(), NtStatus::INVALID_SECURITY_DESCR);
    descriptor.dacl->aces.resize(3000);
    EXPECT_TRUE(descriptor.build());
}

// Both ACLs may lie at the same place; what they become when built must still fit.
TEST(SecurityDescriptor, OverlappingPartsAreCounted) {
    SecurityDescriptor descriptor;
    Acl acl;
    for (int i = 0; i < 2000; ++i) acl.aces.push_back(allow(sids::everyone, 1));
    descriptor.set_dacl(acl);
    auto bytes = descriptor.build().value();
    ASSERT_TRUE(SecurityDescriptor::parse(bytes));
    bytes[2] |= std::byte{0x10};  // SACL present
    bytes[12] = bytes[16];
    bytes[13] = bytes[17];
    EXPECT_FALSE(SecurityDescriptor::parse(bytes));
}

TEST(SecurityDescriptor, AbsentNullAndEmptyDaclDiffer) {
    const SecurityDescriptor absent;
    SecurityDescriptor null;
    null.control |= sd_control::dacl_present;
    SecurityDescriptor empty;
    empty.set_dacl({});
    for (const SecurityDescriptor& each : {absent, null, empty}) {
        const auto again = SecurityDescriptor::parse(each.build().value());
        ASSERT_TRUE(again);
        EXPECT_EQ(*again, each);
    }
    EXPECT_NE(absent, null);
    EXPECT_NE(null, empty);
}

TEST(SecurityDescriptor, MsDtyp_2_4_4_UnknownAndObjectAcesAreKept) {
    const Guid guid = Guid::random();
    SecurityDescriptor descriptor;
    Acl acl;
    acl.revision = Acl::revision_object;
    Ace object{AceType::access_allowed_object, 0, 1, sids::users, std::vector<std::byte>(20), {}};
    object.object[0] = std::byte{1};
    std::copy(guid.bytes.begin(), guid.bytes.end(), object.object.begin() + 4);
    acl.aces.push_back(object);
    acl.aces.push_back(
        {AceType::access_denied_callback, 3, 7, sids::users, {}, unhex("6172747800000000")});
    acl.aces.push_back({static_cast<AceType>(0x40), 0, 0, {}, {}, unhex("0011223344556677")});
    descriptor.set_dacl(acl);
    const auto again = SecurityDescriptor::parse(descriptor.build().value());
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, descriptor);
    EXPECT_FALSE(to_sddl(descriptor));
}

TEST(SecurityDescriptor, BuildPadsAces) {
    SecurityDescriptor descriptor;
    Acl acl;
    acl.aces.push_back(
        {AceType::access_allowed_callback, 0, 1, sids::everyone, {}, unhex("010203")});
    descriptor.set_dacl(acl);
    const auto bytes = descriptor.build().value();
    EXPECT_EQ(bytes.size() % 4, 0U);
    EXPECT_EQ(bytes.back(), std::byte{0});
    EXPECT_TRUE(SecurityDescriptor::parse(bytes));
}

TEST(SecurityDescriptor, MsDtyp_2_4_7_OnlyWhatIsAskedFor) {
    const SecurityDescriptor all =
        sddl("O:BAG:BUD:PAI(A;;FA;;;WD)S:AI(AU;SA;FA;;;WD)(ML;;0x1;;;ME)");
    EXPECT_EQ(to_sddl(all.only(security_information::owner)).value(), "O:BA");
    EXPECT_EQ(to_sddl(all.only(security_information::group)).value(), "G:BU");
    EXPECT_EQ(to_sddl(all.only(security_information::dacl)).value(), "D:PAI(A;;FA;;;WD)");
    EXPECT_EQ(to_sddl(all.only(security_information::label)).value(), "S:AI(ML;;0x1;;;ME)");
    EXPECT_EQ(to_sddl(all.only(security_information::sacl)).value(), "S:AI(AU;SA;FA;;;WD)");
    EXPECT_EQ(all.only(security_information::backup), all);
    EXPECT_EQ(to_sddl(all.only(0)).value(), "");
}

TEST(SecurityDescriptor, MsFsa_2_1_5_17_ReplacesWhatIsNamed) {
    SecurityDescriptor now = sddl("O:BAG:BUD:AI(A;;FA;;;WD)S:(AU;SA;FA;;;WD)(ML;;0x1;;;ME)");
    const SecurityDescriptor other = sddl("O:SYG:SYD:(A;;FR;;;BU)S:(ML;;0x2;;;HI)");
    now.replace(security_information::dacl, other);
    EXPECT_EQ(to_sddl(now).value(), "O:BAG:BUD:(A;;FR;;;BU)S:(AU;SA;FA;;;WD)(ML;;0x1;;;ME)");
    now.replace(security_information::owner | security_information::label, other);
    EXPECT_EQ(to_sddl(now).value(), "O:SYG:BUD:(A;;FR;;;BU)S:(AU;SA;FA;;;WD)(ML;;0x2;;;HI)");
    now.replace(security_information::dacl | security_information::protected_dacl, other);
    EXPECT_EQ(to_sddl(now.only(security_information::dacl)).value(), "D:P(A;;FR;;;BU)");
    now.replace(security_information::unprotected_dacl, other);
    EXPECT_EQ(to_sddl(now.only(security_information::dacl)).value(), "D:(A;;FR;;;BU)");
    now.replace(security_information::sacl | security_information::label, SecurityDescriptor{});
    EXPECT_FALSE(now.sacl);
}

}  // namespace
}  // namespace smb3d::dtyp
