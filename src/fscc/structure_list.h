// The type list of everything that src/fscc declares: round-trip, truncation and fuzz tests come
// from it.
//
// A new structure is added here and nowhere else.
#pragma once

#include "fscc/file_info.h"
#include "fscc/fs_info.h"
#include "fscc/fsctl.h"
#include "fscc/notify.h"
#include "wire/type_list.h"

namespace smb3d::fscc {

using FileStructures = wire::TypeList<
    FileBasicInformation, FileStandardInformation, FileInternalInformation, FileEaInformation,
    FileAccessInformation, FilePositionInformation, FileModeInformation, FileAlignmentInformation,
    FileNameInformation, FileAllInformation, FileRenameInformation, FileRenameInformationEx,
    FileDispositionInformation, FileDispositionInformationEx, FileAllocationInformation,
    FileEndOfFileInformation, FileValidDataLengthInformation, FileStreamInformation,
    FileFullEaInformation, FileGetEaInformation, FilePipeInformation, FilePipeLocalInformation,
    FilePipeRemoteInformation, FileCompressionInformation, FileNetworkOpenInformation,
    FileAttributeTagInformation, FileLinkEntryInformation, FileHardLinkInformation,
    FileStandardLinkInformation, FileIdInformation, FileStatInformation,
    FileCaseSensitiveInformation, FileObjectIdBuffer>;

using FsStructures =
    wire::TypeList<FileFsVolumeInformation, FileFsLabelInformation, FileFsSizeInformation,
                   FileFsDeviceInformation, FileFsAttributeInformation, FileFsControlInformation,
                   FileFsFullSizeInformation, FileFsObjectIdInformation,
                   FileFsSectorSizeInformation>;

using FsctlStructures =
    wire::TypeList<ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse, SockaddrStorage,
                   NetworkInterfaceInfo, SrvRequestResumeKey, SrvCopychunk, SrvCopychunkCopy,
                   SrvCopychunkResponse, NetworkResiliencyRequest, SrvSnapshotArray,
                   FileSetSparseBuffer, FileZeroDataInformation, FileAllocatedRangeBuffer,
                   CompressionState, IntegrityInformationBuffer, DuplicateExtentsData,
                   FileLevelTrimRange, FileLevelTrim, FileLevelTrimOutput, ReparseDataBuffer,
                   PipeWait, PipePeekReply, FileNotifyInformation>;

}  // namespace smb3d::fscc
