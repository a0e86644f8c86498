// TREE_DISCONNECT: request and response have no content.
//
// Spec: [MS-SMB2] 2.2.11, 2.2.12.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

struct TreeDisconnectRequest {
    static constexpr Command command = Command::tree_disconnect;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

struct TreeDisconnectResponse {
    static constexpr Command command = Command::tree_disconnect;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

}  // namespace smb3d::wire
