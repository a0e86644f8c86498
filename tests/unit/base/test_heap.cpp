#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/heap.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SMB3D_OTHER_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SMB3D_OTHER_HEAP 1
#endif
#endif

namespace smb3d {
namespace {

#ifndef SMB3D_OTHER_HEAP
std::size_t resident_kib() {
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    unsigned long size = 0;
    unsigned long resident = 0;
    if (file == nullptr || std::fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
    if (file != nullptr) std::fclose(file);
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}
#endif

#ifndef SMB3D_OTHER_HEAP
constexpr std::size_t count = 40'000;
constexpr std::size_t piece = 1000;

// What is resident while a burst's pieces are in use; they are free afterwards.
std::size_t burst() {
    std::vector<std::unique_ptr<char[]> > pieces;
    for (std::size_t i = 0; i < count; ++i) {
        pieces.push_back(std::make_unique<char[]>(piece));
        std::memset(pieces.back().get(), 1, piece);
    }
    return resident_kib();
}
#endif

TEST(HeapTrimmer, GivesBackWhatLiesBelowSomethingInUse) {
#ifdef SMB3D_OTHER_HEAP
    GTEST_SKIP() << "a sanitizer has its own heap";
#else
    std::vector<std::unique_ptr<char[]> > pieces;
    std::vector<std::unique_ptr<char[]> > later;
    for (std::size_t i = 0; i < count; ++i) {
        pieces.push_back(std::make_unique<char[]>(piece));
        std::memset(pieces.back().get(), 1, piece);
        if (i % 200 >= 100) later.push_back(std::move(pieces.back()));
    }
    // The last one keeps glibc from giving back the top.
    const std::unique_ptr<char[]> last = std::make_unique<char[]>(piece);
    const std::size_t full = resident_kib();
    pieces.clear();
    HeapTrimmer trimmer;
    EXPECT_TRUE(trimmer.trim());
    const std::size_t half = resident_kib();
    EXPECT_LT(half + count * piece / 1024 / 3, full);
    later.clear();  // what was in use
    EXPECT_TRUE(trimmer.trim());
    EXPECT_LT(resident_kib() + count * piece / 1024 / 3, half);
    EXPECT_FALSE(trimmer.trim());  // nothing has changed
    // As many pieces are free after a second burst as after the first.
    const std::size_t again = burst();
    EXPECT_TRUE(trimmer.trim());
    EXPECT_LT(resident_kib() + count * piece / 1024 / 2, again);
#endif
}

}  // namespace
}  // namespace smb3d
