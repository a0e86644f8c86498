// LOGOFF: request and response have no content.
//
// Spec: [MS-SMB2] 2.2.7, 2.2.8.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

struct LogoffRequest {
    static constexpr Command command = Command::logoff;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

struct LogoffResponse {
    static constexpr Command command = Command::logoff;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

}  // namespace smb3d::wire
