// The Win32 error codes and RPC faults that the services answer with.
//
// Spec: [MS-ERREF] 2.2 (Win32), [C706] Appendix E and [MS-RPCE] 2.2.2.6 (fault status codes).
// Thread: plain values.
#pragma once

#include <cstdint>

namespace smb3d::pipe {

enum class Win32 : std::uint32_t {
    success = 0,
    file_not_found = 2,
    access_denied = 5,
    not_supported = 50,
    invalid_parameter = 87,
    invalid_name = 123,
    invalid_level = 124,
    more_data = 234,
    name_not_found = 2310,        // NERR_NetNameNotFound
    device_not_shared = 2311,     // NERR_DeviceNotShared
    file_id_not_found = 2314,     // NERR_FileIdNotFound
    client_name_not_found = 2312  // NERR_ClientNameNotFound
};

// What ends a call without results.  `none` is no fault.
enum class Fault : std::uint32_t {
    none = 0,
    access_denied = 0x00000005,
    bad_stub_data = 0x000006F7,      // RPC_X_BAD_STUB_DATA
    context_mismatch = 0x1C00001A,   // nca_s_fault_context_mismatch
    remote_no_memory = 0x1C00001B,   // nca_s_fault_remote_no_memory
    op_range_error = 0x1C010002,     // nca_s_op_rng_error
    unknown_interface = 0x1C010003,  // nca_s_unk_if
    protocol_error = 0x1C01000B,     // nca_s_proto_error
};

}  // namespace smb3d::pipe
