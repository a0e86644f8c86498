#include "fscc/info_class.h"

namespace smb3d::fscc {

namespace {

constexpr std::uint8_t id(FileInfoClass info_class) {
    return static_cast<std::uint8_t>(info_class);
}
constexpr std::uint8_t id(FsInfoClass info_class) { return static_cast<std::uint8_t>(info_class); }

constexpr InfoClassRow file_rows[] = {
    {id(FileInfoClass::directory), "FileDirectoryInformation", 0, 0, 64},
    {id(FileInfoClass::full_directory), "FileFullDirectoryInformation", 0, 0, 68},
    {id(FileInfoClass::both_directory), "FileBothDirectoryInformation", 0, 0, 94},
    {id(FileInfoClass::basic), "FileBasicInformation", 40, 40, 0},
    {id(FileInfoClass::standard), "FileStandardInformation", 24, 0, 0},
    {id(FileInfoClass::internal), "FileInternalInformation", 8, 0, 0},
    {id(FileInfoClass::ea), "FileEaInformation", 4, 0, 0},
    {id(FileInfoClass::access), "FileAccessInformation", 4, 0, 0},
    {id(FileInfoClass::name), "FileNameInformation", 8, 0, 0},
    {id(FileInfoClass::rename), "FileRenameInformation", 0, 20, 0},
    {id(FileInfoClass::link), "FileLinkInformation", 0, 20, 0},
    {id(FileInfoClass::names), "FileNamesInformation", 0, 0, 12},
    {id(FileInfoClass::disposition), "FileDispositionInformation", 0, 1, 0},
    {id(FileInfoClass::position), "FilePositionInformation", 8, 8, 0},
    {id(FileInfoClass::full_ea), "FileFullEaInformation", 8, 8, 0},
    {id(FileInfoClass::mode), "FileModeInformation", 4, 4, 0},
    {id(FileInfoClass::alignment), "FileAlignmentInformation", 4, 0, 0},
    {id(FileInfoClass::all), "FileAllInformation", 104, 0, 0},
    {id(FileInfoClass::allocation), "FileAllocationInformation", 0, 8, 0},
    {id(FileInfoClass::end_of_file), "FileEndOfFileInformation", 0, 8, 0},
    {id(FileInfoClass::alternate_name), "FileAlternateNameInformation", 8, 0, 0},
    {id(FileInfoClass::stream), "FileStreamInformation", 32, 0, 0},
    {id(FileInfoClass::pipe), "FilePipeInformation", 8, 8, 0},
    {id(FileInfoClass::pipe_local), "FilePipeLocalInformation", 40, 0, 0},
    {id(FileInfoClass::pipe_remote), "FilePipeRemoteInformation", 16, 16, 0},
    {id(FileInfoClass::compression), "FileCompressionInformation", 16, 0, 0},
    {id(FileInfoClass::object_id), "FileObjectIdInformation", 64, 0, 0},
    {id(FileInfoClass::quota), "FileQuotaInformation", 40, 40, 0},
    {id(FileInfoClass::reparse_point), "FileReparsePointInformation", 16, 0, 0},
    {id(FileInfoClass::network_open), "FileNetworkOpenInformation", 56, 0, 0},
    {id(FileInfoClass::attribute_tag), "FileAttributeTagInformation", 8, 0, 0},
    {id(FileInfoClass::id_both_directory), "FileIdBothDirectoryInformation", 0, 0, 104},
    {id(FileInfoClass::id_full_directory), "FileIdFullDirectoryInformation", 0, 0, 80},
    {id(FileInfoClass::valid_data_length), "FileValidDataLengthInformation", 0, 8, 0},
    {id(FileInfoClass::short_name), "FileShortNameInformation", 0, 4, 0},
    {id(FileInfoClass::hard_link), "FileHardLinkInformation", 8, 0, 0},
    {id(FileInfoClass::normalized_name), "FileNormalizedNameInformation", 8, 0, 0},
    {id(FileInfoClass::standard_link), "FileStandardLinkInformation", 12, 0, 0},
    {id(FileInfoClass::id), "FileIdInformation", 24, 0, 0},
    {id(FileInfoClass::id_extd_directory), "FileIdExtdDirectoryInformation", 0, 0, 88},
    {id(FileInfoClass::id_extd_both_directory), "FileIdExtdBothDirectoryInformation", 0, 0, 114},
    {id(FileInfoClass::disposition_ex), "FileDispositionInformationEx", 0, 4, 0},
    {id(FileInfoClass::rename_ex), "FileRenameInformationEx", 0, 20, 0},
    {id(FileInfoClass::stat), "FileStatInformation", 72, 0, 0},
    {id(FileInfoClass::case_sensitive), "FileCaseSensitiveInformation", 4, 4, 0},
    {id(FileInfoClass::link_ex), "FileLinkInformationEx", 0, 20, 0},
    {id(FileInfoClass::id_64_extd_directory), "FileId64ExtdDirectoryInformation", 0, 0, 80},
    {id(FileInfoClass::id_64_extd_both_directory), "FileId64ExtdBothDirectoryInformation", 0, 0,
     106},
    {id(FileInfoClass::id_all_extd_directory), "FileIdAllExtdDirectoryInformation", 0, 0, 96},
    {id(FileInfoClass::id_all_extd_both_directory), "FileIdAllExtdBothDirectoryInformation", 0, 0,
     122},
};

constexpr InfoClassRow fs_rows[] = {
    {id(FsInfoClass::volume), "FileFsVolumeInformation", 24, 0, 0},
    {id(FsInfoClass::label), "FileFsLabelInformation", 0, 4, 0},
    {id(FsInfoClass::size), "FileFsSizeInformation", 24, 0, 0},
    {id(FsInfoClass::device), "FileFsDeviceInformation", 8, 0, 0},
    {id(FsInfoClass::attribute), "FileFsAttributeInformation", 16, 0, 0},
    {id(FsInfoClass::control), "FileFsControlInformation", 48, 48, 0},
    {id(FsInfoClass::full_size), "FileFsFullSizeInformation", 32, 0, 0},
    {id(FsInfoClass::object_id), "FileFsObjectIdInformation", 64, 64, 0},
    {id(FsInfoClass::sector_size), "FileFsSectorSizeInformation", 28, 0, 0},
};

template <std::size_t n>
const InfoClassRow* find(const InfoClassRow (&rows)[n], std::uint8_t info_class) {
    for (const InfoClassRow& row : rows) {
        if (row.info_class == info_class) return &row;
    }
    return nullptr;
}

}  // namespace

const InfoClassRow* find_file_info_class(std::uint8_t info_class) {
    return find(file_rows, info_class);
}
const InfoClassRow* find_fs_info_class(std::uint8_t info_class) {
    return find(fs_rows, info_class);
}

}  // namespace smb3d::fscc
