// LOCK.
//
// Spec: [MS-SMB2] 2.2.26, 2.2.27.
#pragma once

#include "base/limits.h"
#include "wire/header.h"

namespace smb3d::wire {

namespace lock_flags {
inline constexpr std::uint32_t shared_lock = 0x00000001;
inline constexpr std::uint32_t exclusive_lock = 0x00000002;
inline constexpr std::uint32_t unlock = 0x00000004;
inline constexpr std::uint32_t fail_immediately = 0x00000010;
}  // namespace lock_flags

// 2.2.26.1
struct LockElement {
    std::uint64_t offset{0};
    std::uint64_t length{0};
    std::uint32_t flags{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.offset);
        w.field(self.length);
        w.field(self.flags);
        w.reserved(4);
    }
};

struct LockRequest {
    static constexpr Command command = Command::lock;

    // 3.x, 2.1: LockSequenceNumber in the low four bits, LockSequenceIndex above.
    std::uint32_t lock_sequence{0};
    FileId file_id;
    std::vector<LockElement> locks;  // an empty list is the engine's to refuse

    std::uint8_t lock_sequence_number() const {
        return static_cast<std::uint8_t>(lock_sequence & 0xF);
    }
    std::uint32_t lock_sequence_index() const { return lock_sequence >> 4; }

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(48);
        w.count16(self.locks);
        w.field(self.lock_sequence);
        w.field(self.file_id);
        w.elements(self.locks, limits::max_locks_per_request);
    }
};

struct LockResponse {
    static constexpr Command command = Command::lock;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(4);
        w.reserved(2);
    }
};

}  // namespace smb3d::wire
