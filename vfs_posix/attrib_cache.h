// AttribCache: what user.DOSATTRIB said, by inode and change time; another one knows the files that
// have no access control list (acl.h).
//
// Purpose: opening, asking and listing need the attribute of every file, and reading it costs as
//   much as the stat beside it (through /proc several times that).
// How it stays right: setting an extended attribute moves the inode's ctime, so that a value read
//   under one ctime holds for as long as a stat shows this ctime.  What could break that is a
//   change within the same tick of the clock as the one before it; such a value is not kept
//   (`lasting`).
// Thread: any.  Lifetime: the Share's.
// Errors: none.  Memory is bounded: a slot that is needed for another file is overwritten.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "vfs_posix/dir_cache.h"
#include "vfs_posix/dos_attrib.h"
#include "vfs_posix/locked.h"

namespace smb3d::vfs_posix {

class AttribCache {
  public:
    // `distinct_stamps`: the file system gives every change that follows a stat a ctime of its own
    // (multigrain timestamps, Linux 6.13).
    explicit AttribCache(bool distinct_stamps) : distinct_stamps_(distinct_stamps) {}

    // Nothing: not known.  Empty: the file has no such attribute.
    std::optional<std::optional<DosAttrib>> find(const DirKey& file, std::int64_t ctime_ns);
    // `value` was read after the stat that gave `ctime_ns`.
    void store(const DirKey& file, std::int64_t ctime_ns, const std::optional<DosAttrib>& value);

  private:
    struct Slot {
        DirKey file;
        std::int64_t ctime_ns{0};
        std::uint64_t creation_time{0};
        std::uint32_t attributes{0};
        bool used{false};
        bool has_value{false};
        bool has_attributes{false};
        bool has_creation_time{false};
    };
    static constexpr std::size_t shard_count = 16;
    static constexpr std::size_t first_size = 512;      // slots of a shard
    static constexpr std::size_t last_size = 8 * 1024;  // about 6 MB in all
    struct Shard {
        std::unique_ptr<Slot[]> slots;
        std::size_t size{0};
        std::size_t used{0};

        Slot& place(std::uint64_t hash, const DirKey& file);
        void grow();
    };
    // Files of one directory mostly have inodes in a row: theirs are slots in a row, which a
    // listing goes through as the processor reads ahead.
    static constexpr unsigned row_bits = 6;
    static std::uint64_t hash_of(const DirKey& file) {
        return file.inode + file.device * 0x9E3779B97F4A7C15ULL;
    }
    static std::size_t shard_of(std::uint64_t hash) { return (hash >> row_bits) % shard_count; }
    static std::size_t slot_of(std::uint64_t hash) {
        constexpr std::uint64_t in_row = (1U << row_bits) - 1;
        return static_cast<std::size_t>((hash >> row_bits) / shard_count << row_bits |
                                        (hash & in_row));
    }
    bool lasting(std::int64_t ctime_ns) const;

    const bool distinct_stamps_;
    std::array<Locked<Shard>, shard_count> shards_;
};

}  // namespace smb3d::vfs_posix
