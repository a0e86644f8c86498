#include "daemon/directories.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <fmt/core.h>

namespace smb3d::daemon {

namespace {

std::unexpected<std::string> failed(const char* doing, const std::string& path, int error) {
    return std::unexpected(fmt::format("cannot {} {}: {}", doing, path, std::strerror(error)));
}

}  // namespace

std::expected<void, std::string> ensure_directory(const std::string& path, unsigned mode) {
    if (::mkdir(path.c_str(), static_cast<::mode_t>(mode)) == 0) return {};
    if (errno != EEXIST) return failed("make the directory", path, errno);
    struct ::stat st {};
    if (::stat(path.c_str(), &st) != 0) return failed("look at", path, errno);
    if (!S_ISDIR(st.st_mode)) return std::unexpected(fmt::format("{} is not a directory", path));
    // Who may write there may replace the lock, the socket and the account file.
    if (st.st_uid != ::geteuid() && st.st_uid != 0) {
        return std::unexpected(fmt::format(
            "{} belongs to user {}: it must belong to root or to the user that smb3d runs as", path,
            st.st_uid));
    }
    if ((st.st_mode & S_IWOTH) != 0) {
        return std::unexpected(
            fmt::format("{} can be written by everybody: chmod o-w {}", path, path));
    }
    return {};
}

std::expected<InstanceLock, std::string> InstanceLock::take(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return failed("open", path, errno);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char text[32]{};
        const bool readable = ::read(fd, text, sizeof text - 1) > 0;
        ::close(fd);
        const int pid = readable ? std::atoi(text) : 0;
        return std::unexpected(
            fmt::format("another smb3d{} uses this runtime directory ({} is locked)",
                        pid > 0 ? fmt::format(" (process {})", pid) : "", path));
    }
    const std::string text = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd, 0) != 0 ||
        ::pwrite(fd, text.data(), text.size(), 0) != static_cast<::ssize_t>(text.size())) {
        const int error = errno;
        ::close(fd);
        return failed("write", path, error);
    }
    return InstanceLock(fd);
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
InstanceLock::~InstanceLock() {
    if (fd_ >= 0) ::close(fd_);
}

std::expected<std::array<std::uint8_t, 16>, std::string> server_guid(const std::string& path) {
    std::array<std::uint8_t, 16> guid{};
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ::ssize_t count = ::read(fd, guid.data(), guid.size());
        ::close(fd);
        if (count == static_cast<::ssize_t>(guid.size())) return guid;
        return std::unexpected(fmt::format("{} is damaged: remove it to get a new identity", path));
    }
    if (errno != ENOENT) return failed("open", path, errno);
    if (::getrandom(guid.data(), guid.size(), 0) != static_cast<::ssize_t>(guid.size())) {
        return failed("get random bytes for", path, errno);
    }
    // RFC 4122 version 4.
    guid[7] = static_cast<std::uint8_t>((guid[7] & 0x0f) | 0x40);
    guid[8] = static_cast<std::uint8_t>((guid[8] & 0x3f) | 0x80);
    const std::string fresh = path + ".new";
    fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return failed("make", fresh, errno);
    const bool written =
        ::write(fd, guid.data(), guid.size()) == static_cast<::ssize_t>(guid.size()) &&
        ::fsync(fd) == 0;
    const int error = errno;
    ::close(fd);
    if (!written) return failed("write", fresh, error);
    if (::rename(fresh.c_str(), path.c_str()) != 0) return failed("make", path, errno);
    return guid;
}

std::string netbios_name_of(const std::string& host) {
    std::string name = host.substr(0, std::min<std::size_t>(host.find('.'), 15));
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name.empty() ? "SMB3D" : name;
}

std::string host_name() {
    char name[256]{};
    if (::gethostname(name, sizeof name - 1) != 0) return "smb3d";
    return name;
}

std::uint64_t lease_break_time_ms() {
    std::ifstream file("/proc/sys/fs/lease-break-time");
    std::uint64_t seconds = 0;
    return file >> seconds ? seconds * 1000 : 0;
}

std::uint64_t raise_file_limit(std::uint64_t wanted) {
    struct ::rlimit limit {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_cur >= wanted) return limit.rlim_cur;
    struct ::rlimit raised = limit;
    raised.rlim_cur = wanted;
    raised.rlim_max = std::max<::rlim_t>(limit.rlim_max, wanted);
    // Raising the hard limit takes a privilege; without it the hard limit is what there is.
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
    raised.rlim_cur = limit.rlim_max;
    raised.rlim_max = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
    return limit.rlim_cur;
}

std::uint32_t open_files_that_fit(std::uint64_t descriptors, std::uint32_t wanted) {
    constexpr std::uint64_t own = 256;
    constexpr std::uint64_t fewest = 16;
    const std::uint64_t kept = own + descriptors / 8;
    const std::uint64_t fit = descriptors > kept + fewest ? descriptors - kept : fewest;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, fit));
}

}  // namespace smb3d::daemon
