// Runs every caseNN.txt and notifyNN.txt of this folder and compares with the .ref of its name.
// With SMB3D_UPDATE_REF set in the environment it writes the .ref files instead: review the
// difference before committing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fsa/notify_script.h"
#include "fsa/script.h"

namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> cases(const std::string& prefix) {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(SMB3D_TEST_DATA)) {
        if (entry.path().extension() == ".txt" &&
            entry.path().stem().string().starts_with(prefix)) {
            names.push_back(entry.path().stem().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

using Runner = std::string (*)(std::string_view);

void compare(const std::string& name, Runner run) {
    const fs::path base = fs::path(SMB3D_TEST_DATA) / name;
    const std::string got = run(contents(base.string() + ".txt"));
    const std::string reference = base.string() + ".ref";
    if (std::getenv("SMB3D_UPDATE_REF") != nullptr) {
        std::ofstream(reference, std::ios::binary) << got;
        return;
    }
    ASSERT_TRUE(fs::exists(reference)) << reference;
    EXPECT_EQ(got, contents(reference));
    EXPECT_EQ(got.find("unknown command"), std::string::npos);
}

class FsaScript : public testing::TestWithParam<std::string> {};

TEST_P(FsaScript, GivesItsReference) { compare(GetParam(), smb3d::fsa::test::run_script); }

INSTANTIATE_TEST_SUITE_P(Cases, FsaScript, testing::ValuesIn(cases("case")),
                         [](const auto& test) { return test.param; });

class NotifyScript : public testing::TestWithParam<std::string> {};

TEST_P(NotifyScript, GivesItsReference) {
    compare(GetParam(), smb3d::fsa::test::run_notify_script);
}

INSTANTIATE_TEST_SUITE_P(Cases, NotifyScript, testing::ValuesIn(cases("notify")),
                         [](const auto& test) { return test.param; });

TEST(FsaScripts, AreThere) {
    EXPECT_GE(cases("case").size(), 25U);
    EXPECT_GE(cases("notify").size(), 8U);
}

}  // namespace
