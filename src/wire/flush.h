// FLUSH.
//
// Spec: [MS-SMB2] 2.2.17, 2.2.18.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

struct FlushRequest {
    static constexpr Command command = Command::flush;

    std::uint16_t reserved1{0};  // [AAPL]: 0xFFFF asks for a full sync (F_FULLFSYNC)
    FileId file_id;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(24);
        w.field(self.reserved1);
        w.reserved(4);
        w.field(self.file_id);
    }
};

struct FlushResponse {
    static constexpr Command command = Command::flush;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

}  // namespace smb3d::wire
