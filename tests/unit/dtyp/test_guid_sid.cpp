#include <set>
#include <unordered_set>

#include <gtest/gtest.h>

#include "dtyp/guid.h"
#include "dtyp/sid.h"
#include "support/hex.h"

namespace smb3d::dtyp {
namespace {

using test::hex;
using test::unhex;

TEST(Guid, MsDtyp_2_3_4_3_TextAndWire) {
    const auto guid = Guid::parse("4b324fc8-1670-01d3-1278-5a47bf6ee188");
    ASSERT_TRUE(guid);
    EXPECT_EQ(hex(guid->bytes), "c84f324b7016d30112785a47bf6ee188");
    EXPECT_EQ(guid->text(), "4b324fc8-1670-01d3-1278-5a47bf6ee188");
    EXPECT_EQ(Guid::parse("{4B324FC8-1670-01D3-1278-5A47BF6EE188}"), guid);
    EXPECT_EQ(Guid::from_bytes(std::span<const std::byte, 16>(guid->bytes)), *guid);
}

TEST(Guid, RefusesOtherText) {
    for (const char* text :
         {"", "4b324fc8", "4b324fc8-1670-01d3-1278-5a47bf6ee18",
          "{4b324fc8-1670-01d3-1278-5a47bf6ee188", "4b324fc8-1670-01d3-1278-5a47bf6ee18g",
          "4b324fc8+1670-01d3-1278-5a47bf6ee188", "4b324fc8-1670-01d3-1278-5a47bf6ee1889"}) {
        EXPECT_FALSE(Guid::parse(text)) << text;
    }
}

TEST(Guid, RandomOnesDiffer) {
    std::unordered_set<Guid> seen;
    for (int i = 0; i < 1000; ++i) {
        const Guid guid = Guid::random();
        EXPECT_TRUE(seen.insert(guid).second);
        EXPECT_EQ(guid.text()[14], '4');
        EXPECT_FALSE(guid.is_null());
    }
    EXPECT_TRUE(Guid{}.is_null());
}

TEST(Sid, MsDtyp_2_4_2_2_Packet) {
    const auto bytes = unhex("01020000000000052000000020020000");
    const auto sid = Sid::parse(bytes);
    ASSERT_TRUE(sid);
    EXPECT_EQ(*sid, sids::administrators);
    EXPECT_EQ(sid->text(), "S-1-5-32-544");
    EXPECT_EQ(sid->size(), 16U);
    std::vector<std::byte> out;
    sid->append_to(out);
    EXPECT_EQ(out, bytes);
    EXPECT_EQ(Sid::from_raw(sid->raw()), *sid);
    // What follows is not its business, unless it must be exact.
    const auto longer = unhex("0102000000000005200000002002000099");
    EXPECT_EQ(Sid::parse(longer), *sid);
    EXPECT_FALSE(Sid::parse_exact(longer));
}

TEST(Sid, MsDtyp_2_4_2_2_EveryTruncationIsRefused) {
    const auto bytes = unhex("010500000000000515000000010000000200000003000000f4010000");
    ASSERT_TRUE(Sid::parse(bytes));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_EQ(Sid::parse(Bytes(bytes).first(size)).error(), NtStatus::INVALID_SID) << size;
    }
    EXPECT_FALSE(Sid::parse(unhex("0200000000000005")));  // revision
    std::vector<std::byte> many(8 + 16 * 4);
    many[0] = std::byte{1};
    many[1] = std::byte{16};
    EXPECT_FALSE(Sid::parse(many));
    many[1] = std::byte{15};
    EXPECT_TRUE(Sid::parse(many));
}

TEST(Sid, MsDtyp_2_4_2_1_Text) {
    const char* same[] = {"S-1-0",
                          "S-1-0-0",
                          "S-1-1-0",
                          "S-1-5-21-1004336348-1177238915-682003330-512",
                          "S-1-22-1-4294967295",
                          "S-1-4294967295-7",
                          "S-1-0x0123456789AB-1-2",
                          "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15"};
    for (const char* text : same) {
        const auto sid = Sid::from_text(text);
        ASSERT_TRUE(sid) << text;
        EXPECT_EQ(sid->text(), text);
    }
    EXPECT_EQ(Sid::from_text("s-1-5-18"), sids::local_system);
    EXPECT_EQ(Sid::from_text("S-1-0x5-18"), sids::local_system);
    for (const char* text :
         {"", "S", "S-1", "S-1-", "S-2-5", "S-1-5-", "S-1-5--1", "S-1-5-4294967296", "S-1-5-x",
          "S-1-5-1 ", "S-1-0x1000000000000", "S-1-281474976710656", "S-1--5", "S-1-5-+1",
          "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"}) {
        EXPECT_FALSE(Sid::from_text(text)) << text;
    }
}

TEST(Sid, DomainsAndRids) {
    const Sid domain = Sid::from_text("S-1-5-21-1-2-3").value();
    const Sid user = domain.with_rid(1000);
    EXPECT_EQ(user.rid(), 1000U);
    EXPECT_EQ(user.domain(), domain);
    EXPECT_TRUE(user.is_in(domain));
    EXPECT_FALSE(domain.is_in(domain));
    EXPECT_FALSE(user.with_rid(1).is_in(domain));
    EXPECT_EQ(Sid{}.rid(), 0U);
    EXPECT_EQ(Sid{}.domain(), Sid{});
    EXPECT_EQ(sids::uid_of(sids::unix_user(1000)), 1000U);
    EXPECT_EQ(sids::gid_of(sids::unix_group(0)), 0U);
    EXPECT_FALSE(sids::uid_of(sids::unix_group(1000)));
    EXPECT_FALSE(sids::uid_of(sids::unix_users));
}

TEST(Sid, Names) {
    EXPECT_EQ(sids::well_known_name(sids::everyone), "Everyone");
    EXPECT_EQ(sids::well_known_domain(sids::administrators), "BUILTIN");
    EXPECT_EQ(sids::well_known_name(sids::unix_user(5)), "");
    EXPECT_EQ(sids::well_known_domain(sids::unix_user(5)), "Unix User");
}

TEST(Sid, OrderAndHash) {
    const std::set<Sid> ordered{sids::everyone, sids::users, sids::administrators, sids::null};
    EXPECT_EQ(ordered.size(), 4U);
    EXPECT_EQ(*ordered.begin(), sids::null);
    std::unordered_set<std::size_t> hashes;
    for (std::uint32_t i = 0; i < 10'000; ++i) hashes.insert(std::hash<Sid>{}(sids::unix_user(i)));
    EXPECT_GT(hashes.size(), 9'990U);
}

}  // namespace
}  // namespace smb3d::dtyp
