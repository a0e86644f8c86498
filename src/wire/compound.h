// The splitter of a compound chain.
//
// Purpose: cuts a message into its parts by NextCommand and reads each part's header.
// Spec: [MS-SMB2] 3.3.5.2.7.
// Thread: one.  Lifetime: parts are views into the message.
// Errors: next() false with fault() not none; the parts given before are sound.
#pragma once

#include "base/limits.h"
#include "wire/header.h"

namespace smb3d::wire {

enum class ChainFault : std::uint8_t {
    none,
    truncated_header,   // less than a header is left
    bad_header,         // ProtocolId or StructureSize
    misaligned_next,    // NextCommand is no multiple of eight
    next_out_of_range,  // NextCommand points into this header or beyond the message
    too_many_parts,     // more than limits::max_compound_parts
};

struct ChainPart {
    std::size_t offset{0};  // in the chain
    Bytes message;          // header to the end of the part, padding included
    Header header;
    bool last{false};
};

class ChainReader {
  public:
    explicit ChainReader(Bytes chain) : chain_(chain) {}

    // The next part.  False at the end and on a fault; it only moves forward, so it ends.
    bool next(ChainPart& part);
    ChainFault fault() const { return fault_; }
    // Of a part whose NextCommand is at fault: its header was read, the reply can name its
    // MessageId.
    const Header& faulty_header() const { return faulty_; }

  private:
    bool stop(ChainFault fault) {
        fault_ = fault;
        done_ = true;
        return false;
    }

    Bytes chain_;
    std::size_t offset_{0};
    std::size_t parts_{0};
    ChainFault fault_{ChainFault::none};
    Header faulty_;
    bool done_{false};
};

}  // namespace smb3d::wire
