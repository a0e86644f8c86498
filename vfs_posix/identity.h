// Identity: on whose behalf this thread's system calls run.
//
// Purpose: the kernel checks permissions with the thread's fsuid, fsgid and supplementary groups.
// Each thread
//   remembers what it wears and switches only on change; it stays in it until the next operation
//   wants another. Capabilities that would let a user's operation do what the user may not (ignore
//   quotas and reserved blocks, keep set-user-id bits on write) are dropped from every thread that
//   comes by.
// Thread: any; all state is the calling thread's.  The credentials are the kernel's per-thread
// ones, set by raw system
//   calls (glibc's wrappers would change every thread).
// Lifetime: an Identity refers to its groups; it must not outlive the Caller.
// Errors: a failed switch leaves the thread unusable for file access until the next successful one:
// the operation
//   must end with ACCESS_DENIED and never go on as somebody else.
// A thread that wears a user and then opens files of the server's own must say AsRoot first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "smb3d/status.h"

namespace smb3d::vfs_posix {

struct Identity {
    std::uint32_t uid{0};
    std::uint32_t gid{0};
    std::span<const std::uint32_t> groups;
};

// True if this process can take other identities (it runs as root); if not, everything runs as
// itself.
bool can_switch_identity();

// Makes this thread wear `identity`.  ACCESS_DENIED if that fails.
[[nodiscard]] Result<void> wear(const Identity& identity);

// The user whom this thread wears; nullopt if nobody yet, or if this process cannot switch.
std::optional<std::uint32_t> worn_uid();

// Drops the capabilities named above from this thread; for operations on descriptors, which need no
// identity.
void prepare_thread();

// Root for a scope, for the few calls that are right although the caller could not make them; then
// the identity from before again.  Aborts the process if going back fails: there is no safe way on.
class AsRoot {
  public:
    AsRoot();
    AsRoot(const AsRoot&) = delete;
    AsRoot& operator=(const AsRoot&) = delete;
    ~AsRoot();
    bool ok() const { return ok_; }

  private:
    bool ok_{false};
    std::uint32_t uid_{0};
    std::uint32_t gid_{0};
};

}  // namespace smb3d::vfs_posix
