// Change notification records.
//
// Spec: [MS-FSCC] 2.7.1.
// Lifetime: the name is a view.
#pragma once

#include "fscc/file_info.h"
#include "wire/next_list.h"

namespace smb3d::fscc {

enum class NotifyAction : std::uint32_t {
    added = 1,
    removed = 2,
    modified = 3,
    renamed_old_name = 4,
    renamed_new_name = 5,
    added_stream = 6,
    removed_stream = 7,
    modified_stream = 8,
    removed_by_delete = 9,
    id_not_tunnelled = 10,
    tunnelled_id_collision = 11,
};

// An entry of the list (wire/next_list.h); alignment 4.
struct FileNotifyInformation {
    NotifyAction action{NotifyAction::modified};
    Bytes file_name;  // UTF-16LE, relative to the watched directory, '\' between components

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.action);
        w.length32(self.file_name);
        w.inline_utf16(self.file_name);
    }
};
inline constexpr std::size_t notify_alignment = 4;

}  // namespace smb3d::fscc
