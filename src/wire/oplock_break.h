// OPLOCK_BREAK: notification, acknowledgment and response, for oplocks and for leases.
//
// Spec: [MS-SMB2] 2.2.23, 2.2.24, 2.2.25.  structure_size_of() tells the forms apart.
#pragma once

#include "wire/create.h"

namespace smb3d::wire {

namespace lease_state {
inline constexpr std::uint32_t none = 0x00;
inline constexpr std::uint32_t read_caching = 0x01;
inline constexpr std::uint32_t handle_caching = 0x02;
inline constexpr std::uint32_t write_caching = 0x04;
}  // namespace lease_state

inline constexpr std::uint32_t break_lease_flag_ack_required = 0x01;

inline constexpr std::uint16_t oplock_break_structure_size = 24;
inline constexpr std::uint16_t lease_break_acknowledgment_structure_size = 36;
inline constexpr std::uint16_t lease_break_notification_structure_size = 44;

// 2.2.23.1, 2.2.24.1 and 2.2.25.1 have the same form.
struct OplockBreak {
    static constexpr Command command = Command::oplock_break;

    OplockLevel oplock_level{OplockLevel::none};
    FileId file_id;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(oplock_break_structure_size);
        w.field(self.oplock_level);
        w.reserved(1);
        w.reserved(4);
        w.field(self.file_id);
    }
};
using OplockBreakNotification = OplockBreak;
using OplockBreakAcknowledgment = OplockBreak;
using OplockBreakResponse = OplockBreak;

// 2.2.23.2
struct LeaseBreakNotification {
    static constexpr Command command = Command::oplock_break;

    std::uint16_t new_epoch{0};
    std::uint32_t flags{0};
    LeaseKey lease_key{};
    std::uint32_t current_lease_state{0};
    std::uint32_t new_lease_state{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(lease_break_notification_structure_size);
        w.field(self.new_epoch);
        w.field(self.flags);
        w.field(self.lease_key);
        w.field(self.current_lease_state);
        w.field(self.new_lease_state);
        w.reserved(4);  // BreakReason
        w.reserved(4);  // AccessMaskHint
        w.reserved(4);  // ShareMaskHint
    }
};

// 2.2.24.2 and 2.2.25.2 have the same form.
struct LeaseBreakAcknowledgment {
    static constexpr Command command = Command::oplock_break;

    std::uint32_t flags{0};
    LeaseKey lease_key{};
    std::uint32_t lease_state{0};
    std::uint64_t lease_duration{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(lease_break_acknowledgment_structure_size);
        w.reserved(2);
        w.field(self.flags);
        w.field(self.lease_key);
        w.field(self.lease_state);
        w.field(self.lease_duration);
    }
};
using LeaseBreakResponse = LeaseBreakAcknowledgment;

}  // namespace smb3d::wire
