// The type lists of everything that src/wire declares: round-trip, truncation and fuzz tests come
// from them.
//
// A new structure is added here and nowhere else.
#pragma once

#include "wire/cancel.h"
#include "wire/change_notify.h"
#include "wire/close.h"
#include "wire/create.h"
#include "wire/create_context.h"
#include "wire/echo.h"
#include "wire/error.h"
#include "wire/flush.h"
#include "wire/header.h"
#include "wire/ioctl.h"
#include "wire/lock.h"
#include "wire/logoff.h"
#include "wire/negotiate.h"
#include "wire/notification.h"
#include "wire/oplock_break.h"
#include "wire/query_directory.h"
#include "wire/query_info.h"
#include "wire/read.h"
#include "wire/session_setup.h"
#include "wire/set_info.h"
#include "wire/tree_connect.h"
#include "wire/tree_disconnect.h"
#include "wire/type_list.h"
#include "wire/write.h"

namespace smb3d::wire {

using Requests = TypeList<NegotiateRequest, SessionSetupRequest, LogoffRequest, TreeConnectRequest,
                          TreeDisconnectRequest, CreateRequest, CloseRequest, FlushRequest,
                          ReadRequest, WriteRequest, LockRequest, IoctlRequest, CancelRequest,
                          EchoRequest, QueryDirectoryRequest, ChangeNotifyRequest, QueryInfoRequest,
                          SetInfoRequest, OplockBreakAcknowledgment, LeaseBreakAcknowledgment>;

using Responses =
    TypeList<NegotiateResponse, SessionSetupResponse, LogoffResponse, TreeConnectResponse,
             TreeDisconnectResponse, CreateResponse, CloseResponse, FlushResponse, ReadResponse,
             WriteResponse, LockResponse, IoctlResponse, EchoResponse, QueryDirectoryResponse,
             ChangeNotifyResponse, QueryInfoResponse, SetInfoResponse, LeaseBreakNotification,
             ServerToClientNotification, ErrorResponse>;

// What stands outside a body or inside a variable part.
using Structures =
    TypeList<Header, TransformHeader, CompressionTransformHeader, FileId, NegotiateContext,
             PreauthIntegrityCapabilities, EncryptionCapabilities, CompressionCapabilities,
             NetnameNegotiateContext, TransportCapabilities, RdmaTransformCapabilities,
             SigningCapabilities, TreeConnectContext, ErrorContext, ErrorContexts,
             MinimumBufferLength, SymbolicLinkErrorResponse, CreateContext, DurableHandleRequest,
             DurableHandleResponse, DurableHandleReconnect, QueryMaximalAccessRequest,
             QueryMaximalAccessResponse, AllocationSize, TimewarpToken, QueryOnDiskIdResponse,
             Lease, LeaseV2, DurableHandleRequestV2, DurableHandleResponseV2,
             DurableHandleReconnectV2, AppInstanceId, AppInstanceVersion, AaplRequest, AaplResponse,
             PosixRequest, PosixResponse>;

}  // namespace smb3d::wire
