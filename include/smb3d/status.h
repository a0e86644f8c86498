// NtStatus and Result<T>: how every folder of smb3d says that something failed.
//
// Spec: [MS-ERREF] 2.3.1 (the values).
// Thread: plain values, any thread.
// Errors: this is them.  A peer's fault is a status, a programmer's an assert, protocol abuse a
//   disconnect.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <utility>

namespace smb3d {

// One row a status: name without STATUS_, value.  smb3d::status_name() and the tests read the same
//   rows.
#define SMB3D_STATUS_ROWS(X)                             \
    X(SUCCESS, 0x00000000)                               \
    X(PENDING, 0x00000103)                               \
    X(NOTIFY_CLEANUP, 0x0000010B)                        \
    X(NOTIFY_ENUM_DIR, 0x0000010C)                       \
    X(SOME_NOT_MAPPED, 0x00000107)                       \
    X(OPLOCK_BREAK_IN_PROGRESS, 0x00000108)              \
    X(BUFFER_OVERFLOW, 0x80000005)                       \
    X(NO_MORE_FILES, 0x80000006)                         \
    X(NO_MORE_EAS, 0x80000012)                           \
    X(EA_LIST_INCONSISTENT, 0x80000014)                  \
    X(NO_MORE_ENTRIES, 0x8000001A)                       \
    X(STOPPED_ON_SYMLINK, 0x8000002D)                    \
    X(UNSUCCESSFUL, 0xC0000001)                          \
    X(NOT_IMPLEMENTED, 0xC0000002)                       \
    X(INVALID_INFO_CLASS, 0xC0000003)                    \
    X(INFO_LENGTH_MISMATCH, 0xC0000004)                  \
    X(INVALID_HANDLE, 0xC0000008)                        \
    X(INVALID_PARAMETER, 0xC000000D)                     \
    X(NO_SUCH_DEVICE, 0xC000000E)                        \
    X(NO_SUCH_FILE, 0xC000000F)                          \
    X(INVALID_DEVICE_REQUEST, 0xC0000010)                \
    X(END_OF_FILE, 0xC0000011)                           \
    X(MORE_PROCESSING_REQUIRED, 0xC0000016)              \
    X(NO_MEMORY, 0xC0000017)                             \
    X(INVALID_VIEW_SIZE, 0xC000001F)                     \
    X(ACCESS_DENIED, 0xC0000022)                         \
    X(BUFFER_TOO_SMALL, 0xC0000023)                      \
    X(OBJECT_TYPE_MISMATCH, 0xC0000024)                  \
    X(OBJECT_NAME_INVALID, 0xC0000033)                   \
    X(OBJECT_NAME_NOT_FOUND, 0xC0000034)                 \
    X(OBJECT_NAME_COLLISION, 0xC0000035)                 \
    X(OBJECT_PATH_INVALID, 0xC0000039)                   \
    X(OBJECT_PATH_NOT_FOUND, 0xC000003A)                 \
    X(OBJECT_PATH_SYNTAX_BAD, 0xC000003B)                \
    X(DATA_ERROR, 0xC000003E)                            \
    X(CRC_ERROR, 0xC000003F)                             \
    X(SHARING_VIOLATION, 0xC0000043)                     \
    X(QUOTA_EXCEEDED, 0xC0000044)                        \
    X(INVALID_PAGE_PROTECTION, 0xC0000045)               \
    X(EA_TOO_LARGE, 0xC0000050)                          \
    X(NONEXISTENT_EA_ENTRY, 0xC0000051)                  \
    X(NO_EAS_ON_FILE, 0xC0000052)                        \
    X(EA_CORRUPT_ERROR, 0xC0000053)                      \
    X(FILE_LOCK_CONFLICT, 0xC0000054)                    \
    X(LOCK_NOT_GRANTED, 0xC0000055)                      \
    X(DELETE_PENDING, 0xC0000056)                        \
    X(CTL_FILE_NOT_SUPPORTED, 0xC0000057)                \
    X(REVISION_MISMATCH, 0xC0000059)                     \
    X(INVALID_OWNER, 0xC000005A)                         \
    X(PRIVILEGE_NOT_HELD, 0xC0000061)                    \
    X(BAD_IMPERSONATION_LEVEL, 0xC00000A5)               \
    X(EAS_NOT_SUPPORTED, 0xC000004F)                     \
    X(NO_SUCH_USER, 0xC0000064)                          \
    X(WRONG_PASSWORD, 0xC000006A)                        \
    X(LOGON_FAILURE, 0xC000006D)                         \
    X(ACCOUNT_RESTRICTION, 0xC000006E)                   \
    X(PASSWORD_EXPIRED, 0xC0000071)                      \
    X(ACCOUNT_DISABLED, 0xC0000072)                      \
    X(NONE_MAPPED, 0xC0000073)                           \
    X(INVALID_SID, 0xC0000078)                           \
    X(INVALID_SECURITY_DESCR, 0xC0000079)                \
    X(RANGE_NOT_LOCKED, 0xC000007E)                      \
    X(DISK_FULL, 0xC000007F)                             \
    X(INTEGER_OVERFLOW, 0xC0000095)                      \
    X(INSUFFICIENT_RESOURCES, 0xC000009A)                \
    X(MEDIA_WRITE_PROTECTED, 0xC00000A2)                 \
    X(PIPE_NOT_AVAILABLE, 0xC00000AC)                    \
    X(PIPE_BUSY, 0xC00000AE)                             \
    X(ILLEGAL_FUNCTION, 0xC00000AF)                      \
    X(PIPE_DISCONNECTED, 0xC00000B0)                     \
    X(PIPE_CLOSING, 0xC00000B1)                          \
    X(PIPE_BROKEN, 0xC000014B)                           \
    X(PIPE_EMPTY, 0xC00000D9)                            \
    X(IO_TIMEOUT, 0xC00000B5)                            \
    X(FILE_IS_A_DIRECTORY, 0xC00000BA)                   \
    X(NOT_SUPPORTED, 0xC00000BB)                         \
    X(DUPLICATE_NAME, 0xC00000BD)                        \
    X(NETWORK_NAME_DELETED, 0xC00000C9)                  \
    X(NETWORK_ACCESS_DENIED, 0xC00000CA)                 \
    X(BAD_NETWORK_NAME, 0xC00000CC)                      \
    X(REQUEST_NOT_ACCEPTED, 0xC00000D0)                  \
    X(INVALID_OPLOCK_PROTOCOL, 0xC00000E3)               \
    X(INTERNAL_ERROR, 0xC00000E5)                        \
    X(UNEXPECTED_IO_ERROR, 0xC00000E9)                   \
    X(DIRECTORY_NOT_EMPTY, 0xC0000101)                   \
    X(NOT_A_DIRECTORY, 0xC0000103)                       \
    X(NAME_TOO_LONG, 0xC0000106)                         \
    X(CONNECTION_RESET, 0xC000020D)                      \
    X(CONNECTION_DISCONNECTED, 0xC000020C)               \
    X(TOO_MANY_OPENED_FILES, 0xC000011F)                 \
    X(CANCELLED, 0xC0000120)                             \
    X(CANNOT_DELETE, 0xC0000121)                         \
    X(FILE_DELETED, 0xC0000123)                          \
    X(FILE_CLOSED, 0xC0000128)                           \
    X(INVALID_LEVEL, 0xC0000148)                         \
    X(FS_DRIVER_REQUIRED, 0xC000019C)                    \
    X(USER_SESSION_DELETED, 0xC0000203)                  \
    X(RESOURCE_LANG_NOT_FOUND, 0xC0000204)               \
    X(INSUFF_SERVER_RESOURCES, 0xC0000205)               \
    X(INVALID_BUFFER_SIZE, 0xC0000206)                   \
    X(INVALID_ADDRESS_COMPONENT, 0xC0000207)             \
    X(NOT_FOUND, 0xC0000225)                             \
    X(ACCOUNT_LOCKED_OUT, 0xC0000234)                    \
    X(CONNECTION_ABORTED, 0xC0000241)                    \
    X(PATH_NOT_COVERED, 0xC0000257)                      \
    X(VOLUME_DISMOUNTED, 0xC000026E)                     \
    X(NOT_A_REPARSE_POINT, 0xC0000275)                   \
    X(IO_REPARSE_TAG_INVALID, 0xC0000276)                \
    X(IO_REPARSE_TAG_MISMATCH, 0xC0000277)               \
    X(IO_REPARSE_DATA_INVALID, 0xC0000278)               \
    X(IO_REPARSE_TAG_NOT_HANDLED, 0xC0000279)            \
    X(NETWORK_SESSION_EXPIRED, 0xC000035C)               \
    X(SMB_TOO_MANY_UIDS, 0xC000205A)                     \
    X(SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP, 0xC05D0000) \
    X(SMB_BAD_CLUSTER_DIALECT, 0xC05D0001)               \
    X(HASH_NOT_SUPPORTED, 0xC000A100)                    \
    X(HASH_NOT_PRESENT, 0xC000A101)                      \
    X(OFFLOAD_READ_FLT_NOT_SUPPORTED, 0xC000A2A1)        \
    X(NO_RANGES_PROCESSED, 0xC0000460)                   \
    X(FILE_NOT_AVAILABLE, 0xC0000467)                    \
    X(FILE_FORCED_CLOSED, 0xC00000B6)                    \
    X(DUPLICATE_OBJECTID, 0xC000022A)                    \
    X(INVALID_LOCK_RANGE, 0xC00001A1)                    \
    X(INVALID_DEVICE_STATE, 0xC0000184)                  \
    X(INVALID_NETWORK_RESPONSE, 0xC00000C3)              \
    X(INVALID_COMPUTER_NAME, 0xC0000122)                 \
    X(LOGON_TYPE_NOT_GRANTED, 0xC000015B)                \
    X(NOT_SAME_DEVICE, 0xC00000D4)                       \
    X(FILE_RENAMED, 0xC00000D5)                          \
    X(TOO_MANY_LINKS, 0xC0000265)                        \
    X(DOWNGRADE_DETECTED, 0xC0000388)                    \
    X(REQUEST_OUT_OF_SEQUENCE, 0xC000042A)               \
    X(FILE_TOO_LARGE, 0xC0000904)

enum class NtStatus : std::uint32_t {
#define SMB3D_STATUS_ENUM(name, value) name = value,
    SMB3D_STATUS_ROWS(SMB3D_STATUS_ENUM)
#undef SMB3D_STATUS_ENUM
};

// "STATUS_ACCESS_DENIED"; "STATUS_?" for a value without a row.
constexpr std::string_view status_name(NtStatus status) {
    switch (status) {
#define SMB3D_STATUS_CASE(name, value) \
    case NtStatus::name:               \
        return "STATUS_" #name;
        SMB3D_STATUS_ROWS(SMB3D_STATUS_CASE)
#undef SMB3D_STATUS_CASE
    }
    return "STATUS_?";
}

// [MS-ERREF] 2.3: the two top bits are the severity; 3 is an error.
constexpr bool is_error(NtStatus status) { return (static_cast<std::uint32_t>(status) >> 30) == 3; }

// What an operation yields: a value, or the status that says why there is none.
template <class T>
using Result = std::expected<T, NtStatus>;

using Fail = std::unexpected<NtStatus>;

inline Fail fail(NtStatus status) { return Fail(status); }

// Returns early with the error of a Result<void> or Result<T> whose value is not needed.
#define SMB3D_TRY(expression)                                                                      \
    do {                                                                                           \
        if (auto smb3d_try_ = (expression); !smb3d_try_) return ::smb3d::fail(smb3d_try_.error()); \
    } while (false)

}  // namespace smb3d
