// PosixFile: an open file or directory.
//
// Spec: smb3d/vfs.h; [MS-FSA] 2.1.5.3 (read) to 2.1.5.15 (set information).
// Thread: any; the descriptor and the traits do not change.  A listing's position belongs to the
// one list() under way. Lifetime: holds its share.  Errors: NtStatus, by errno_map.h.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "smb3d/vfs.h"
#include "vfs_posix/dir_reader.h"
#include "vfs_posix/share.h"
#include "vfs_posix/unique_fd.h"

namespace smb3d::vfs_posix {

struct FileTraits {
    vfs::FileKind kind{vfs::FileKind::file};
    bool path_only{false};  // an O_PATH descriptor: attributes and names only
    bool writable{false};
    std::uint32_t access{0};
    bool write_through{false};
    bool tracked{false};                 // OpenFiles has it
    std::optional<std::uint8_t> rights;  // see vfs::FileStat
    DirKey key;
};

class PosixFile final : public vfs::File {
  public:
    PosixFile(std::shared_ptr<PosixShare> share, UniqueFd fd, const FileTraits& traits,
              std::string path_on_disk);
    ~PosixFile() override;

    void close(const vfs::OpContext&, vfs::Done<void>) override;
    void stat(const vfs::OpContext&, vfs::Done<vfs::FileStat>) override;
    void set_stat(const vfs::OpContext&, const vfs::StatChange&, vfs::Done<void>) override;
    void read(const vfs::OpContext&, std::uint64_t offset, std::span<const ::iovec> into,
              vfs::Done<std::size_t>) override;
    void write(const vfs::OpContext&, std::uint64_t offset, std::span<const ::iovec> from,
               bool through, vfs::Done<std::size_t>) override;
    void flush(const vfs::OpContext&, vfs::Done<void>) override;
    void set_size(const vfs::OpContext&, std::uint64_t end_of_file, vfs::Done<void>) override;
    void allocate(const vfs::OpContext&, std::uint64_t allocation_size, vfs::Done<void>) override;
    void allocated_ranges(const vfs::OpContext&, vfs::Range within, std::size_t max_ranges,
                          vfs::Done<std::vector<vfs::Range>>) override;
    void zero_range(const vfs::OpContext&, vfs::Range, vfs::Done<void>) override;
    void list(const vfs::OpContext&, const vfs::ListRequest&, vfs::Done<vfs::DirBatch>) override;

    void copy_range(const vfs::OpContext&, const vfs::CopyRequest&,
                    vfs::Done<std::uint64_t>) override;
    void guard(const vfs::OpContext&, const vfs::GuardRequest&,
               vfs::Done<vfs::GuardState>) override;
    void host_lock(const vfs::OpContext&, const vfs::HostLock&, vfs::Done<void>) override;
    void host_unlock(const vfs::OpContext&, const vfs::HostLock&, vfs::Done<void>) override;

    int fd() const { return fd_.get(); }
    const FileTraits& traits() const { return traits_; }

  private:
    ssize_t write_inline(const vfs::OpContext&, std::span<const ::iovec> from, off_t offset,
                         int flags);
    // Before data or attributes change: the event is not for our own watches.
    void touch() { share_->resolver().own().touch(traits_.key); }
    Result<vfs::FileStat> stat_blocking() const;
    Result<void> set_stat_blocking(const vfs::OpContext&, const vfs::StatChange&);
    Result<void> store_attributes(const vfs::StatChange&);
    Result<void> store_times(const vfs::StatChange&);
    bool may_change_as_root(std::uint32_t owner) const;

    Result<void> flush_blocking();
    Result<void> set_size_blocking(std::uint64_t end_of_file);
    Result<void> allocate_blocking(std::uint64_t allocation_size);
    Result<std::vector<vfs::Range>> ranges_blocking(vfs::Range within, std::size_t max_ranges);
    Result<void> zero_blocking(vfs::Range range);
    Result<void> write_zeros(vfs::Range range);
    // A descriptor that can be written to: the own one, or a second one in `extra` if the file was
    // opened for less.
    Result<int> writable_fd(UniqueFd& extra) const;

    // Those that OpenFiles knows it by must be told before it is closed.
    void leave_open_files();

    Result<vfs::DirBatch> list_blocking(const vfs::OpContext&, const vfs::ListRequest&);

    struct Listing {
        enum class Phase : std::uint8_t { dot, dotdot, entries, end } phase{Phase::dot};
        DirReader reader;
    };
    class Lister;

    std::shared_ptr<PosixShare> share_;
    UniqueFd fd_;
    const FileTraits traits_;
    const std::string path_;  // on disk, as opened
    std::atomic<bool> tracked_{false};
    std::unique_ptr<Listing> listing_;
};

}  // namespace smb3d::vfs_posix
