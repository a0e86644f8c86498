// TypeList: what tests and fuzzers iterate over.
#pragma once

#include <cstddef>

namespace smb3d::wire {

template <class... T>
struct TypeList {
    static constexpr std::size_t size = sizeof...(T);
    // Calls f.template operator()<T>() for each.
    template <class F>
    static void for_each(F&& f) {
        (f.template operator()<T>(), ...);
    }
};

}  // namespace smb3d::wire
