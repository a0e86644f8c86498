#include "dtyp/sddl.h"

#include <gtest/gtest.h>

namespace smb3d::dtyp {
namespace {

TEST(Sddl, MsDtyp_2_5_1_WhatIsWrittenIsReadBack) {
    const char* same[] = {
        "",
        "O:BA",
        "G:SY",
        "O:BAG:SYD:",
        "D:NO_ACCESS_CONTROL",
        "D:PARAI(A;OICI;FA;;;BA)(A;OICIIO;GA;;;CO)(D;;0x40;;;WD)",
        "O:S-1-22-1-1000G:S-1-22-2-100D:(A;;0x1f019f;;;S-1-22-1-1000)(A;;FR;;;WD)",
        "D:(A;CINPID;FX;;;AU)S:(AU;SAFA;FW;;;WD)(ML;;0x1;;;ME)",
        "D:(OA;;0x100;ab721a53-1e2f-11d0-9819-00aa0040529b;;PS)",
        "D:(OA;CI;0x10;;bf967aba-0de6-11d0-a285-00aa003049e2;RU)",
        ("D:(OD;;0x10;ab721a53-1e2f-11d0-9819-00aa0040529b;"
         "bf967aba-0de6-11d0-a285-00aa003049e2;AN)"),
        "O:S-1-5-21-1-2-3-500D:(A;;GA;;;S-1-5-21-1-2-3-512)",
    };
    for (const char* text : same) {
        const auto parsed = from_sddl(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(to_sddl(*parsed).value(), text);
        const auto again = SecurityDescriptor::parse(parsed->build().value());
        ASSERT_TRUE(again) << text;
        EXPECT_EQ(*again, *parsed) << text;
    }
}

TEST(Sddl, MsDtyp_2_5_1_1_OtherSpellings) {
    const std::pair<const char*, const char*> rows[] = {
        {"D:(A;;CCDCLC;;;WD)", "D:(A;;0x7;;;WD)"},
        {"D:(A;;RCSDWDWO;;;WD)", "D:(A;;0xf0000;;;WD)"},
        {"D:(A;;2032127;;;S-1-1-0)", "D:(A;;FA;;;WD)"},
        {"D:(A;;017;;;WD)", "D:(A;;0xf;;;WD)"},
        {"D:(A;;;;;WD)", "D:(A;;0x0;;;WD)"},
        {"D:AI (A;;FA;;;WD) (A;;FR;;;BU) ", "D:AI(A;;FA;;;WD)(A;;FR;;;BU)"},
        {"S:(ML;;NWNR;;;LW)", "S:(ML;;0x3;;;LW)"},
        {"D:(A;;FA;;;WD)O:BA", "O:BAD:(A;;FA;;;WD)"},
    };
    for (const auto& [from, to] : rows) {
        const auto parsed = from_sddl(from);
        ASSERT_TRUE(parsed) << from;
        EXPECT_EQ(to_sddl(*parsed).value(), to);
    }
}

TEST(Sddl, DomainAliases) {
    const Sid domain = Sid::from_text("S-1-5-21-1-2-3").value();
    EXPECT_EQ(to_sddl(from_sddl("O:DAG:DU", &domain).value()).value(),
              "O:S-1-5-21-1-2-3-512G:S-1-5-21-1-2-3-513");
    EXPECT_FALSE(from_sddl("O:DA"));
}

TEST(Sddl, RefusesWhatIsNot) {
    for (const char* text : {"X:BA",
                             "O",
                             "O:",
                             "O:XX",
                             "BA",
                             "O:BAO:BA",
                             "D:D:",
                             "D:(A;;FA;;;WD",
                             "D:A;;FA;;;WD)",
                             "D:(A;;FA;;WD)",
                             "D:(A;;FA;;;;WD)",
                             "D:(A;;FA;;;)",
                             "D:(Q;;FA;;;WD)",
                             "D:(A;ZZ;FA;;;WD)",
                             "D:(A;O;FA;;;WD)",
                             "D:(A;;F;;;WD)",
                             "D:(A;;0x;;;WD)",
                             "D:(A;;0x1ffffffff;;;WD)",
                             "D:(A;;0xg;;;WD)",
                             "D:(A;;9x;;;WD)",
                             "D:Q(A;;FA;;;WD)",
                             "D:(A;;FA;123;;WD)",
                             "D:NO_ACCESS_CONTROL(A;;FA;;;WD)",
                             ":",
                             "D:)",
                             "D:(A;;FA;ab721a53-1e2f-11d0-9819-00aa0040529b;;WD)"}) {
        const auto parsed = from_sddl(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error(), NtStatus::INVALID_PARAMETER) << text;
    }
    EXPECT_EQ(from_sddl("D:(XA;;FX;;;WD;(@User.Title==\"VP\"))").error(),
              NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(from_sddl("D:(XA;;FX;;;WD)").error(), NtStatus::NOT_SUPPORTED);
}

TEST(Sddl, TooLong) {
    std::string text = "D:";
    for (int i = 0; i < 4096; ++i) text += "(A;;FA;;;WD)";
    EXPECT_FALSE(from_sddl(text));  // 80 KiB when built
    EXPECT_FALSE(from_sddl(std::string(2'000'000, ' ')));
}

}  // namespace
}  // namespace smb3d::dtyp
