// The information classes and what each demands of a buffer.
//
// Spec: [MS-FSCC] 2.4, 2.5; [MS-SMB2] 3.3.5.20.1, 3.3.5.20.2, 3.3.5.21.1 (INFO_LENGTH_MISMATCH).
// Thread: constants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace smb3d::fscc {

enum class FileInfoClass : std::uint8_t {
    directory = 1,
    full_directory = 2,
    both_directory = 3,
    basic = 4,
    standard = 5,
    internal = 6,
    ea = 7,
    access = 8,
    name = 9,
    rename = 10,
    link = 11,
    names = 12,
    disposition = 13,
    position = 14,
    full_ea = 15,
    mode = 16,
    alignment = 17,
    all = 18,
    allocation = 19,
    end_of_file = 20,
    alternate_name = 21,
    stream = 22,
    pipe = 23,
    pipe_local = 24,
    pipe_remote = 25,
    compression = 28,
    object_id = 29,
    quota = 32,
    reparse_point = 33,
    network_open = 34,
    attribute_tag = 35,
    id_both_directory = 37,
    id_full_directory = 38,
    valid_data_length = 39,
    short_name = 40,
    hard_link = 46,
    normalized_name = 48,
    standard_link = 54,
    id = 59,
    id_extd_directory = 60,
    id_extd_both_directory = 63,
    disposition_ex = 64,
    rename_ex = 65,
    stat = 68,
    case_sensitive = 71,
    link_ex = 72,
    id_64_extd_directory = 78,
    id_64_extd_both_directory = 79,
    id_all_extd_directory = 80,
    id_all_extd_both_directory = 81,
    posix = 100,  // the SMB3 POSIX extensions
};

enum class FsInfoClass : std::uint8_t {
    volume = 1,
    label = 2,
    size = 3,
    device = 4,
    attribute = 5,
    control = 6,
    full_size = 7,
    object_id = 8,
    sector_size = 11,
    posix = 100,
};

// 0: the class cannot be queried (set, listed).  The query size is that of the C structure, as
// Windows checks it: a one-character name and the structure's alignment included.  Below it the
// answer is INFO_LENGTH_MISMATCH; from it on up to the real size BUFFER_OVERFLOW with what fits.
struct InfoClassRow {
    std::uint8_t info_class;
    std::string_view name;
    std::size_t query_size;
    std::size_t set_size;
    std::size_t directory_size;  // of an entry without its name
};

// Null if the class is not known.
const InfoClassRow* find_file_info_class(std::uint8_t info_class);
const InfoClassRow* find_fs_info_class(std::uint8_t info_class);

}  // namespace smb3d::fscc
