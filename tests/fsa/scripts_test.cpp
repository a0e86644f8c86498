// Runs every caseNN.txt of this folder and compares with caseNN.ref.  With SMB3D_UPDATE_REF set in
// the environment it writes the .ref files instead: review the difference before committing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fsa/script.h"

namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> cases() {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(SMB3D_TEST_DATA)) {
        if (entry.path().extension() == ".txt" &&
            entry.path().stem().string().starts_with("case")) {
            names.push_back(entry.path().stem().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

class FsaScript : public testing::TestWithParam<std::string> {};

TEST_P(FsaScript, GivesItsReference) {
    const fs::path base = fs::path(SMB3D_TEST_DATA) / GetParam();
    const std::string got = smb3d::fsa::test::run_script(contents(base.string() + ".txt"));
    const std::string reference = base.string() + ".ref";
    if (std::getenv("SMB3D_UPDATE_REF") != nullptr) {
        std::ofstream(reference, std::ios::binary) << got;
        return;
    }
    ASSERT_TRUE(fs::exists(reference)) << reference;
    EXPECT_EQ(got, contents(reference));
    EXPECT_EQ(got.find("unknown command"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Cases, FsaScript, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param; });

TEST(FsaScripts, AreThere) { EXPECT_GE(cases().size(), 25U); }

}  // namespace
