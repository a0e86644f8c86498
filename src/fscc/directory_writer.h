// DirectoryWriter: the answer to a QUERY_DIRECTORY, written straight into the reply's buffer.
//
// Purpose: one writer for every FileXxxDirectoryInformation class; nothing is allocated for an
//   entry.
// Spec: [MS-FSCC] 2.4.8, 2.4.10, 2.4.15, 2.4.17 to 2.4.23, 2.4.32; [MS-FSA] 2.1.5.6.3.
// Thread: one.  Lifetime: writes into the caller's memory.
// Errors: create() INVALID_INFO_CLASS, INFO_LENGTH_MISMATCH (the buffer cannot hold an entry's
//   fixed part).
#pragma once

#include <string_view>

#include "fscc/info_class.h"
#include "smb3d/buffer.h"
#include "smb3d/status.h"
#include "smb3d/vfs.h"

namespace smb3d::fscc {

class DirectoryWriter {
  public:
    // What an answer without any entry that fits is ([MS-SMB2] 3.3.5.18; Windows and Samba agree on
    // it where [MS-FSA] 2.1.5.6.3 would have BUFFER_OVERFLOW and a cut entry).
    static constexpr NtStatus first_does_not_fit = NtStatus::INFO_LENGTH_MISMATCH;

    static Result<DirectoryWriter> create(std::uint8_t info_class, MutableBytes out);

    // Adds an entry; false if it does not fit, and then nothing has changed: it is the next
    // answer's first. `name`: UTF-8 (WTF-8) as the VFS gives it, converted in place.
    bool add(std::string_view name, const vfs::FileStat& stat);
    // The same with a name in UTF-16.
    bool add(std::u16string_view name, const vfs::FileStat& stat);

    std::size_t size() const { return size_; }  // bytes of the answer so far
    std::size_t count() const { return count_; }
    bool empty() const { return count_ == 0; }
    // False for FileNamesInformation: the listing then needs no stat.
    bool needs_stat() const { return info_class_ != FileInfoClass::names; }

  private:
    DirectoryWriter(const InfoClassRow& row, MutableBytes out)
        : info_class_(static_cast<FileInfoClass>(row.info_class)),
          fixed_size_(row.directory_size),
          out_(out) {}

    // Room for an entry with a name of `name_bytes`, padding of the one before included; null if
    // there is none.
    std::byte* begin(std::size_t name_bytes);
    void finish(std::byte* entry, std::size_t name_bytes, const vfs::FileStat& stat);

    FileInfoClass info_class_;
    std::size_t fixed_size_;
    MutableBytes out_;
    std::size_t size_{0};
    std::size_t last_{0};
    std::size_t count_{0};
};

}  // namespace smb3d::fscc
