#include "daemon/systemd_notify.h"

#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <fmt/core.h>

namespace smb3d::daemon {

SystemdNotify::SystemdNotify() {
    std::uint64_t microseconds = 0;
    if (::sd_watchdog_enabled(0, &microseconds) > 0) interval_ms_ = microseconds / 1000 / 2;
}

void SystemdNotify::ready(const std::string& text) const {
    ::sd_notify(0, fmt::format("READY=1\nSTATUS={}", text).c_str());
}
void SystemdNotify::reloading() const {
    // sd_notify(3): Type=notify-reload wants the time as well; older versions ignore it.
    struct ::timespec now {};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    ::sd_notify(
        0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1000000 + now.tv_nsec / 1000)
               .c_str());
}
void SystemdNotify::stopping() const { ::sd_notify(0, "STOPPING=1\nSTATUS=stopping"); }
void SystemdNotify::status(const std::string& text) const {
    ::sd_notify(0, fmt::format("STATUS={}", text).c_str());
}
void SystemdNotify::alive() const { ::sd_notify(0, "WATCHDOG=1"); }

bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    if (stream == nullptr) return false;
    unsigned long long device = 0;
    unsigned long long inode = 0;
    if (std::sscanf(stream, "%llu:%llu", &device, &inode) != 2) return false;
    struct ::stat st {};
    return ::fstat(2, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

}  // namespace smb3d::daemon
