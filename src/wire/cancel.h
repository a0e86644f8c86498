// CANCEL: has no response of its own; the cancelled request is answered with STATUS_CANCELLED.
//
// Spec: [MS-SMB2] 2.2.30.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

struct CancelRequest {
    static constexpr Command command = Command::cancel;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

}  // namespace smb3d::wire
