// What the daemon keeps on disk for itself: its directories, its lock and its identity.
//
// Thread: the control thread.  Errors: sentences for the administrator.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>

namespace smb3d::daemon {

// Makes `path` (one level below an existing directory) with `mode` if it is missing.
std::expected<void, std::string> ensure_directory(const std::string& path, unsigned mode);

// Refuses a second instance on the same runtime directory.  The lock is the kernel's, so that it
// cannot go stale; the file holds the process id for people to read.
class InstanceLock {
  public:
    static std::expected<InstanceLock, std::string> take(const std::string& path);
    InstanceLock(InstanceLock&& other) noexcept;
    InstanceLock(const InstanceLock&) = delete;
    InstanceLock& operator=(const InstanceLock&) = delete;
    ~InstanceLock();

  private:
    explicit InstanceLock(int fd) : fd_(fd) {}
    int fd_;
};

// [MS-SMB2] 3.3.1.5 ServerGuid: made once, then the same for ever.
std::expected<std::array<std::uint8_t, 16>, std::string> server_guid(const std::string& path);

// "FILESRV" from "filesrv.example.org": upper case, at most 15 characters.
std::string netbios_name_of(const std::string& host);
std::string host_name();

// [proc(5)] How long the kernel lets somebody wait for a lease; 0: not known.
std::uint64_t lease_break_time_ms();

// Raises the limit on file descriptors towards `wanted`; returns what it is now.
std::uint64_t raise_file_limit(std::uint64_t wanted);

// How many of `wanted` files may be open with so many descriptors: what is left is for connections,
// and for the server's own work, so that a file can always be closed, deleted or renamed.
std::uint32_t open_files_that_fit(std::uint64_t descriptors, std::uint32_t wanted);

}  // namespace smb3d::daemon
