#include "base/guarded.h"

#ifndef NDEBUG
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace smb3d::detail {

namespace {
thread_local std::vector<Rank> held;
}

void rank_acquired(Rank rank) {
    if (!held.empty() && held.back() >= rank) {
        std::fprintf(stderr, "lock order: rank %d taken while holding rank %d\n",
                     static_cast<int>(rank), static_cast<int>(held.back()));
        std::abort();
    }
    held.push_back(rank);
}

void rank_released(Rank rank) {
    for (auto it = held.rbegin(); it != held.rend(); ++it) {
        if (*it == rank) {
            held.erase(std::next(it).base());
            return;
        }
    }
    std::abort();
}

}  // namespace smb3d::detail
#endif
