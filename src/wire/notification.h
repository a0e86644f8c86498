// SERVER_TO_CLIENT_NOTIFICATION.
//
// Spec: [MS-SMB2] 2.2.44.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

inline constexpr std::uint32_t notify_session_closed = 0x00000000;  // NotificationType

struct ServerToClientNotification {
    static constexpr Command command = Command::server_to_client_notification;

    std::uint32_t notification_type{notify_session_closed};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(4);
        w.reserved(2);
        w.field(self.notification_type);
        w.reserved(4);  // 2.2.44.1 SMB2_NOTIFY_SESSION_CLOSED
    }
};

}  // namespace smb3d::wire
