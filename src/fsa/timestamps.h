// Time rules: what a FileBasicInformation changes, and which times a handle has taken over.
//
// Purpose: [MS-FSA] has per-open flags (UserSetModificationTime ...) that end the automatic update
//   of a time for what is done through that open.  A POSIX file system updates regardless, so that
//   TimePins keeps the value that must be put back after a write through such an open.
// Spec: [MS-FSA] 2.1.1.6, 2.1.5.15.2; [MS-FSCC] 2.4.7 (0 keeps, -1 suspends, -2 resumes).
// Thread: TimePins belongs to its open's loop, or the caller locks.
// Lifetime: the open's.
// Errors: INVALID_PARAMETER for times below -2 and for attributes as in attributes.h.
#pragma once

#include <cstdint>
#include <optional>

#include "smb3d/status.h"
#include "smb3d/vfs.h"

namespace smb3d::fsa {

// FileBasicInformation as signed 100 ns counts.
struct BasicInformation {
    std::int64_t creation_time{0};
    std::int64_t last_access_time{0};
    std::int64_t last_write_time{0};
    std::int64_t change_time{0};
    std::uint32_t attributes{0};
};

class TimePins {
  public:
    // Does what `info` says: yields what to store, remembers what is pinned from now on.
    // `now_stored` are the file's present times and attributes.
    Result<vfs::StatChange> apply(const BasicInformation& info, const vfs::FileStat& now_stored);

    bool any() const { return access_.has_value() || write_.has_value() || change_.has_value(); }
    // What to store after data or size was changed through this open; nullopt: nothing.
    std::optional<vfs::StatChange> after_write() const;
    // What to store after data was read through this open; nullopt: nothing.
    std::optional<vfs::StatChange> after_read() const;

  private:
    std::optional<vfs::FileTime> access_;
    std::optional<vfs::FileTime> write_;
    std::optional<vfs::FileTime> change_;
};

}  // namespace smb3d::fsa
