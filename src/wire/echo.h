// ECHO: request and response have no content.
//
// Spec: [MS-SMB2] 2.2.28, 2.2.29.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

struct EchoRequest {
    static constexpr Command command = Command::echo;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

struct EchoResponse {
    static constexpr Command command = Command::echo;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

}  // namespace smb3d::wire
