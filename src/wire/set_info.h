// SET_INFO.  InfoType and AdditionalInformation: query_info.h.
//
// Spec: [MS-SMB2] 2.2.39, 2.2.40.
// Lifetime: the buffer is a view into the message.
#pragma once

#include "wire/query_info.h"

namespace smb3d::wire {

struct SetInfoRequest {
    static constexpr Command command = Command::set_info;

    InfoType info_type{InfoType::file};
    std::uint8_t file_info_class{0};
    std::uint32_t additional_information{0};
    FileId file_id;
    Bytes buffer;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(33);
        w.field(self.info_type);
        w.field(self.file_info_class);
        w.length32(self.buffer);
        w.offset16(self.buffer);
        w.reserved(2);
        w.field(self.additional_information);
        w.field(self.file_id);
        w.payload(self.buffer);
    }
};

struct SetInfoResponse {
    static constexpr Command command = Command::set_info;

    template <class S, class W>
    static void wire(S&, W& w) {
        w.structure_size(2);
    }
};

}  // namespace smb3d::wire
