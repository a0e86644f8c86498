#include <gtest/gtest.h>

#include "pipe/info_record.h"
#include "unit/pipe/pipe_fixture.h"

namespace smb3d::pipe::test {
namespace {

TEST(Ndr, AlignsPrimitives_C706_14_2_2) {
    ndr::Writer out;
    out.u8(1);
    out.u16(2);
    out.u8(3);
    out.u32(4);
    EXPECT_EQ(to_hex(out.view()), "010002000300000004000000");
    ndr::Reader in(out.view());
    EXPECT_EQ(in.u8(), 1);
    EXPECT_EQ(in.u16(), 2);
    EXPECT_EQ(in.u8(), 3);
    EXPECT_EQ(in.u32(), 4U);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.remaining(), 0U);
    EXPECT_EQ(in.u8(), 0);
    EXPECT_FALSE(in.ok());
}

TEST(Ndr, ReadsBothByteOrders_C706_14_1) {
    const Bits bits = from_hex("00000001 0002 0000 4b324fc8 1670 01d3 12785a47bf6ee188");
    ndr::Reader in(bits, true);
    EXPECT_EQ(in.u32(), 1U);
    EXPECT_EQ(in.u16(), 2);
    (void)in.u16();
    EXPECT_EQ(in.uuid(), srvsvc_interface().id.uuid);
    EXPECT_TRUE(in.ok());
}

TEST(Ndr, StringsOfBothByteOrders_C706_14_3_4) {
    ndr::Writer out;
    out.string("hé");
    EXPECT_EQ(to_hex(out.view()), "0300000000000000030000006800e9000000");
    ndr::Reader in(out.view());
    EXPECT_EQ(in.string(), "hé");
    const Bits big = from_hex("00000003 00000000 00000003 0068 00e9 0000");
    ndr::Reader other(big, true);
    EXPECT_EQ(other.string(), "hé");
}

TEST(Ndr, StringCountsAreCheckedBeforeTheyAreUsed) {
    for (const char* hex : {"ffffffff 00000000 ffffffff 6100 0000",       // more than there is
                            "02000000 00000000 03000000 6100 6200 0000",  // actual beyond maximum
                            "03000000 01000000 02000000 6100 0000",       // an offset
                            "02000000 00000000 02000000 6100 00",         // one byte short
                            "02000000 00000000",                          // no actual count
                            "ffffffff 00000000 00000080 6100 0000"}) {
        const Bits bits = from_hex(hex);
        ndr::Reader in(bits);
        EXPECT_EQ(in.string(), "") << hex;
        EXPECT_FALSE(in.ok()) << hex;
    }
}

TEST(Ndr, ConformanceIsBoundedByWhatRemains) {
    const Bits bits = from_hex("03000000 00000000 00000000");
    ndr::Reader fits(bits);
    EXPECT_EQ(fits.conformance(2), 3U);
    ndr::Reader too_many(bits);
    EXPECT_EQ(too_many.conformance(4), 0U);
    EXPECT_FALSE(too_many.ok());
}

TEST(Ndr, AStringThatIsNotUtf8DoesNotEndTheReply) {
    ndr::Writer out;
    out.string("a\xFF");
    ndr::Reader in(out.view());
    EXPECT_EQ(in.string(), "a\xEF\xBF\xBD");
}

TEST(InfoRecord, DefersWhatPointersLeadTo_C706_14_3_12) {
    ndr::Writer out;
    std::vector<InfoRecord> records(2);
    records[0].emplace_back(std::string("a"));
    records[0].emplace_back(7U);
    records[1].emplace_back(std::optional<std::string>());
    records[1].emplace_back(8U);
    write_array(out, records);
    EXPECT_EQ(to_hex(out.view()),
              "00000200"
              "02000000"  // pointer, maximum count
              "04000200"
              "07000000"  // first element: a pointer and its number
              "00000000"
              "08000000"  // second: null
              "02000000"
              "00000000"
              "02000000"
              "61000000");
}

TEST(InfoRecord, GetsOverElementsInARequest) {
    static constexpr LevelSchema table[] = {{1, "sds"}, {502, "sdb"}};
    ndr::Writer out;
    std::vector<InfoRecord> records(1);
    records[0].emplace_back(std::string("name"));
    records[0].emplace_back(3U);
    records[0].emplace_back(Blob(3, std::byte{9}));
    out.u32(502);
    out.u32(502);
    out.pointer(true);
    out.u32(1);
    write_array(out, records);
    out.u32(4096);
    out.unique_u32(5);
    const Bits bits = out.take();
    ndr::Reader in(bits);
    const EnumRequest request = read_enum_request(in, table);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(request.preferred_length, 4096U);
    EXPECT_EQ(request.resume, 5U);
    EXPECT_EQ(in.remaining(), 0U);
    for (std::size_t size = 0; size < bits.size(); ++size) {
        ndr::Reader cut(Bytes(bits).first(size));
        (void)read_enum_request(cut, table);
        EXPECT_FALSE(cut.ok()) << size;
    }
}

TEST(InfoRecord, HostileCountsOfARequestFail) {
    static constexpr LevelSchema table[] = {{0, "s"}};
    for (const char* hex :
         {// count and maximum count far beyond the data
          "00000000 00000000 04000200 ffffffff 08000200 ffffffff 00000000 00000000",
          // maximum count unlike the count
          "00000000 00000000 04000200 01000000 08000200 02000000 00000000 00000000",
          // a tag unlike the level
          "00000000 01000000 00000000 00000000 00000000"}) {
        const Bits bits = from_hex(hex);
        ndr::Reader in(bits);
        (void)read_enum_request(in, table);
        EXPECT_FALSE(in.ok()) << hex;
    }
}

}  // namespace
}  // namespace smb3d::pipe::test
