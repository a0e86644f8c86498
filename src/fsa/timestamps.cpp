#include "fsa/timestamps.h"

#include "fsa/attributes.h"

namespace smb3d::fsa {

namespace {

constexpr std::int64_t keep_and_suspend = -1;
constexpr std::int64_t keep_and_resume = -2;

// What one time field means: the value to store if any; `pin` is what the open holds on to from now
// on.
std::optional<vfs::FileTime> apply_time(std::int64_t value, vfs::FileTime stored,
                                        std::optional<vfs::FileTime>& pin) {
    if (value == 0) return std::nullopt;
    if (value == keep_and_suspend) {
        pin = stored;
        return std::nullopt;
    }
    if (value == keep_and_resume) {
        pin.reset();
        return std::nullopt;
    }
    pin = static_cast<vfs::FileTime>(value);
    return pin;
}

}  // namespace

Result<vfs::StatChange> TimePins::apply(const BasicInformation& info,
                                        const vfs::FileStat& now_stored) {
    // [MS-FSA] 2.1.5.15.2
    for (const std::int64_t time :
         {info.creation_time, info.last_access_time, info.last_write_time, info.change_time}) {
        if (time < keep_and_resume) return fail(NtStatus::INVALID_PARAMETER);
    }
    const bool is_directory = now_stored.kind == vfs::FileKind::directory;
    const Result<std::uint32_t> attributes =
        attributes_set_by_user(now_stored.attributes, info.attributes, is_directory);
    if (!attributes) return fail(attributes.error());

    vfs::StatChange change;
    if (info.attributes != 0) change.attributes = *attributes;
    if (info.creation_time > 0) {
        change.creation_time = static_cast<vfs::FileTime>(info.creation_time);
    }
    change.last_access_time =
        apply_time(info.last_access_time, now_stored.last_access_time, access_);
    change.last_write_time = apply_time(info.last_write_time, now_stored.last_write_time, write_);
    change.change_time = apply_time(info.change_time, now_stored.change_time, change_);
    return change;
}

std::optional<vfs::StatChange> TimePins::after_write() const {
    if (!write_ && !change_) return std::nullopt;
    vfs::StatChange change;
    change.last_write_time = write_;
    change.change_time = change_;
    return change;
}

std::optional<vfs::StatChange> TimePins::after_read() const {
    if (!access_) return std::nullopt;
    vfs::StatChange change;
    change.last_access_time = access_;
    return change;
}

}  // namespace smb3d::fsa
