// OwnChanges: what the shares of this process have just done themselves, so that what the kernel
// tells of it is not taken for somebody else's doing.
//
// Purpose: inotify does not say who.  For watched directories every own change of a name is noted
//   and every event that matches a note is dropped; for files the time of the last own change of
//   data or attributes is kept, and events within `touch_window` of it are dropped.
//   There may be several monitors of a directory, of overlapping shares: each uses up notes for
//   itself.
// Thread: any.  Lifetime: as long as there is a share.
// Cost: one relaxed load while nothing is watched.
// Bounds: notes are dropped after `note_life`; 4096 files are remembered, later ones take the
//   places of earlier ones (their events are then told twice, which is harmless).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vfs_posix/dir_cache.h"
#include "vfs_posix/locked.h"

namespace smb3d::vfs_posix {

class OwnChanges {
  public:
    static constexpr std::uint64_t note_life_ns = 2'000'000'000;
    static constexpr std::uint64_t touch_window_ns = 1'000'000'000;
    // The kernel stamps files by a clock that goes in steps of up to 10 ms.
    static constexpr std::uint64_t birth_error_ns = 20'000'000;

    // Of the monitor that asks.
    using Monitor = const void*;

    OwnChanges();
    // The one of this process.
    static std::shared_ptr<OwnChanges> of_process();

    // -- the monitor
    void watch(Monitor monitor, const DirKey& directory);
    void unwatch(Monitor monitor, const DirKey& directory);
    // Is a change of the directory's names under way, whose note may still come?
    bool under_way(const DirKey& directory);
    // True if the event is an own change; its note is used up.
    bool take(Monitor monitor, const DirKey& directory, std::string_view name, bool added);
    // Is there a note of it?
    bool noted(Monitor monitor, const DirKey& directory, std::string_view name, bool added);
    // What this monitor has told already.
    void note(Monitor monitor, const DirKey& directory, std::string_view name, bool added);
    // Was it changed by us then, or not long before?  A change since then counts, too; one before
    // the file was born was another file's, which had its inode number.  `born_ns`: 0 if not known.
    bool touched_lately(const DirKey& file, std::uint64_t then_ns, std::uint64_t born_ns) const;

    // -- the share
    bool active() const { return watched_.load(std::memory_order_relaxed) != 0; }
    // Around a change of names; true if end() must follow.
    bool begin(const DirKey& directory);
    void end(const DirKey& directory, const DirCache::Change* changes, std::size_t count);
    // Data or attributes of this file are about to change.
    void touch(const DirKey& file) {
        if (active()) remember(file);
    }
    // A name of this file was removed: its inode number may be another file's next.
    void forget(const DirKey& file);

  private:
    struct Note {
        std::string name;
        bool added{false};
        std::uint64_t at_ns{0};
        std::vector<Monitor> unused;  // by these
    };
    // Also of a directory that is not watched, while a change of it is under way: it may be watched
    // before the change is made, as a directory that has just been made itself.
    struct Directory {
        std::vector<Monitor> watched;  // by these
        std::uint32_t under_way{0};
        std::vector<Note> notes;
    };
    struct KeyHash {
        std::size_t operator()(const DirKey& key) const {
            return static_cast<std::size_t>((key.inode * 0x9E3779B97F4A7C15ULL) ^ key.device);
        }
    };
    struct Touch {
        std::atomic<std::uint64_t> file{0};  // tag()
        std::atomic<std::uint64_t> at_ns{0};
    };
    static constexpr std::size_t touch_count = 4096;

    static bool matches(const Note& note, Monitor monitor, std::string_view name, bool added);
    static void add_note(Directory& directory, std::string_view name, bool added,
                         std::vector<Monitor> monitors);
    void remember(const DirKey& file);
    // Of inode number and device; not 0.
    static std::uint64_t tag(const DirKey& file) {
        return ((file.inode * 0x9E3779B97F4A7C15ULL) ^ (file.device * 0xC2B2AE3D27D4EB4FULL)) | 1U;
    }
    static Touch& place(std::array<Touch, touch_count>& touches, std::uint64_t tag) {
        return touches[(tag >> 20U) % touch_count];
    }

    std::atomic<std::uint32_t> watched_{0};
    Locked<std::unordered_map<DirKey, Directory, KeyHash>> directories_;
    std::unique_ptr<std::array<Touch, touch_count>> touches_;
};

}  // namespace smb3d::vfs_posix
