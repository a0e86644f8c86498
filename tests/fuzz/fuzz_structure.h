// The property of every wire structure: what parses can be built again, and then parses to the
// same.
#pragma once

#include <vector>

#include "fuzz_bytes.h"
#include "wire/codec.h"

namespace smb3d::fuzz {

template <class T>
void parse_and_rebuild(Bytes bytes) {
    const Result<T> parsed = wire::parse<T>(bytes);
    if (!parsed) return;
    std::vector<std::byte> built(wire::origin_of<T>);
    // Parts that overlapped in the message may not fit their offsets when laid out one after
    // another.
    if (!wire::append(*parsed, built)) return;
    const Result<T> again = wire::parse<T>(built);
    require(again.has_value());
    std::vector<std::byte> rebuilt(wire::origin_of<T>);
    require(wire::append(*again, rebuilt).has_value());
    require(built == rebuilt);
}

// Runs the structure of a type list that `index` selects.
template <class List>
bool run_selected(std::size_t index, Bytes bytes) {
    std::size_t i = 0;
    List::for_each([&]<class T>() {
        if (i++ == index) parse_and_rebuild<T>(bytes);
    });
    return index < List::size;
}

}  // namespace smb3d::fuzz
