// FILETIME <-> the system's times.
//
// Spec: [MS-DTYP] 2.3.3: 100 ns since 1601-01-01 UTC.
// Thread: any (pure functions).
// Errors: none; a time before 1601 becomes 0, one beyond the range the greatest value.
#pragma once

#include <cstdint>

#include <time.h>

namespace smb3d {

using FileTime = std::uint64_t;

inline constexpr std::uint64_t filetime_per_second = 10'000'000;
inline constexpr std::uint64_t filetime_unix_epoch = 116'444'736'000'000'000;  // 1970-01-01
inline constexpr FileTime filetime_never = 0x7FFF'FFFF'FFFF'FFFF;              // "does not expire"

constexpr FileTime to_filetime(std::int64_t seconds, std::int64_t nanoseconds) {
    constexpr auto lowest = -static_cast<std::int64_t>(filetime_unix_epoch / filetime_per_second);
    constexpr auto highest =
        static_cast<std::int64_t>((filetime_never - filetime_unix_epoch) / filetime_per_second) - 1;
    if (seconds < lowest) return 0;
    if (seconds > highest) return filetime_never;
    const std::int64_t ticks = seconds * static_cast<std::int64_t>(filetime_per_second) +
                               nanoseconds / 100 + static_cast<std::int64_t>(filetime_unix_epoch);
    return static_cast<FileTime>(ticks);
}
inline FileTime to_filetime(const ::timespec& time) {
    return to_filetime(time.tv_sec, time.tv_nsec);
}

inline ::timespec to_timespec(FileTime time) {
    if (time > filetime_never) time = filetime_never;
    const std::int64_t ticks =
        static_cast<std::int64_t>(time) - static_cast<std::int64_t>(filetime_unix_epoch);
    constexpr auto per_second = static_cast<std::int64_t>(filetime_per_second);
    std::int64_t seconds = ticks / per_second;
    std::int64_t rest = ticks % per_second;
    if (rest < 0) {
        rest += per_second;
        --seconds;
    }
    ::timespec result{};
    result.tv_sec = static_cast<decltype(result.tv_sec)>(seconds);
    result.tv_nsec = static_cast<decltype(result.tv_nsec)>(rest * 100);
    return result;
}

inline FileTime filetime_now() {
    ::timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return to_filetime(now);
}

// What [MS-FSCC] 2.4.7 says of a time that a client sets: 0 and -1, -2 are not times.
constexpr bool is_filetime(FileTime time) { return time != 0 && time <= filetime_never; }

}  // namespace smb3d
