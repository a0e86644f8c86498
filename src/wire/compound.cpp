#include "wire/compound.h"

namespace smb3d::wire {

bool ChainReader::next(ChainPart& part) {
    if (done_) return false;
    const Bytes left = chain_.subspan(offset_);
    if (left.size() < header_size) return stop(ChainFault::truncated_header);
    if (parts_ == limits::max_compound_parts) return stop(ChainFault::too_many_parts);
    const Result<Header> header = parse<Header>(left);
    if (!header) return stop(ChainFault::bad_header);

    // [MS-SMB2] 3.3.5.2.7: NextCommand is the distance to the next header, 0 in the last part.
    std::size_t size = left.size();
    if (header->next_command != 0) {
        faulty_ = *header;
        if (header->next_command % message_alignment != 0) return stop(ChainFault::misaligned_next);
        if (header->next_command < header_size || header->next_command >= left.size()) {
            return stop(ChainFault::next_out_of_range);
        }
        size = header->next_command;
    }
    part.offset = offset_;
    part.message = left.first(size);
    part.header = *header;
    part.last = header->next_command == 0;
    offset_ += size;
    ++parts_;
    done_ = part.last;
    return true;
}

}  // namespace smb3d::wire
