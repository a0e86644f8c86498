// Runs every seed of every fuzz target once, without libFuzzer: the regression test of what fuzzing
// found.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

namespace {

struct Target {
    const char* name;
    int (*run)(const std::uint8_t*, std::size_t);
};

}  // namespace

#include "targets.inc"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    bool complete = true;
    for (const Target& target : targets) {
        std::size_t seeds = 0;
        std::error_code error;
        const std::filesystem::path folder = std::filesystem::path(argv[1]) / target.name;
        for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string bytes{std::istreambuf_iterator<char>(file),
                                    std::istreambuf_iterator<char>()};
            // A copy of exactly that size, for the address sanitizer to watch.
            const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
            std::printf("%s: %s\n", target.name, entry.path().filename().c_str());
            std::fflush(stdout);
            target.run(input.data(), input.size());
            ++seeds;
        }
        if (seeds == 0) {
            std::printf("%s: no seeds in %s\n", target.name, folder.c_str());
            complete = false;
        }
    }
    return complete ? 0 : 1;
}
