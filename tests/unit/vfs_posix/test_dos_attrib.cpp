// user.DOSATTRIB.  The values were packed by Samba 4.17's own NDR code (python3-samba,
// dcerpc.xattr.DOSATTRIB), with every field different.
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "vfs_posix/dos_attrib.h"

namespace smb3d::vfs_posix {
namespace {

std::vector<std::byte> unhex(std::string_view text) {
    std::vector<std::byte> out;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        out.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
    }
    return out;
}

struct Vector {
    const char* name;
    const char* hex;
    std::optional<std::uint32_t> attributes;
    std::optional<std::uint64_t> creation_time;
};

const Vector vectors[] = {
    {"string only", "30783131313100", 0x1111, std::nullopt},
    {"version 1",
     "30783232323200000100010022220000555500006666000000000000111100000000000044440000000000003333"
     "000000000000",
     0x2222, 0x4444},
    {"version 2",
     "30783232323200000200020066660000222200005555000088880000000000001111000000000000444400000000"
     "0000333300000000000099990000000000006e616d6500",
     0x2222, 0x4444},
    {"version 3",
     "30783232323200000300030077770000222200005555000066660000000000001111000000000000444400000000"
     "00003333000000000000",
     0x2222, 0x4444},
    {"version 4, nothing valid", "0000040004000000444400001111000033330000000000002222000000000000",
     std::nullopt, std::nullopt},
    {"version 5", "000005000500000033330000111100002222000000000000", 0x1111, 0x2222},
};

TEST(DosAttrib, ReadsWhatSambaWrites) {
    for (const Vector& vector : vectors) {
        const auto value = unhex(vector.hex);
        const auto parsed = parse_dos_attrib(value);
        ASSERT_TRUE(parsed) << vector.name;
        EXPECT_EQ(parsed->attributes, vector.attributes) << vector.name;
        EXPECT_EQ(parsed->creation_time, vector.creation_time) << vector.name;
    }
}

TEST(DosAttrib, WritesVersionFive) {
    const auto built = build_dos_attrib({0x21, 0x01D9'0000'1234'5678});
    EXPECT_TRUE(std::vector<std::byte>(built.begin(), built.end()) ==
                unhex("0000050005000000110000002100000078563412"
                      "0000d901"));
    EXPECT_EQ(parse_dos_attrib(built), (DosAttrib{0x21, 0x01D9'0000'1234'5678}));
    const auto only_attributes = build_dos_attrib({0x02, std::nullopt});
    EXPECT_EQ(parse_dos_attrib(only_attributes), (DosAttrib{0x02, std::nullopt}));
}

TEST(DosAttrib, RefusesEveryTruncation) {
    for (const Vector& vector : vectors) {
        const auto value = unhex(vector.hex);
        for (std::size_t size = 0; size < value.size(); ++size) {
            const auto parsed = parse_dos_attrib(Bytes(value).first(size));
            // What is left may be the bare string of the old form, never more.
            if (parsed) {
                EXPECT_EQ(parsed->creation_time, std::nullopt) << vector.name << " " << size;
            }
        }
    }
}

TEST(DosAttrib, RefusesWhatIsNotOfTheFormat) {
    for (const char* hex : {
             "",                                                  // nothing
             "00",                                                // empty string, no version
             "78",                                                // no end of string
             "3132330000",                                        // not hexadecimal, no version
             "000006000600000033330000111100002222000000000000",  // a later version
             "000005000400000033330000111100002222000000000000",  // union arm of another version
         }) {
        EXPECT_FALSE(parse_dos_attrib(unhex(hex))) << hex;
    }
    const std::vector<std::byte> huge(dos_attrib_max_size + 1);
    EXPECT_FALSE(parse_dos_attrib(huge));
    // "Not set" times.
    EXPECT_EQ(
        parse_dos_attrib(unhex("000005000500000011000000200000000000000000000000"))->creation_time,
        std::nullopt);
    EXPECT_EQ(
        parse_dos_attrib(unhex("00000500050000001100000020000000ffffffffffffffff"))->creation_time,
        std::nullopt);
}

}  // namespace
}  // namespace smb3d::vfs_posix
