// Handlers: one function per command, each in the file of its name.
//
// A handler gets a Call whose session, tree and open are proven (see dispatch.cpp's table), the
// parsed request, and yields a response or the status to fail with.
#pragma once

#include "engine/request.h"
#include "wire/cancel.h"
#include "wire/change_notify.h"
#include "wire/close.h"
#include "wire/create.h"
#include "wire/echo.h"
#include "wire/flush.h"
#include "wire/ioctl.h"
#include "wire/lock.h"
#include "wire/logoff.h"
#include "wire/negotiate.h"
#include "wire/oplock_break.h"
#include "wire/query_directory.h"
#include "wire/query_info.h"
#include "wire/read.h"
#include "wire/session_setup.h"
#include "wire/set_info.h"
#include "wire/tree_connect.h"
#include "wire/tree_disconnect.h"
#include "wire/write.h"

namespace smb3d::engine {

using Reply = Task<Result<Response>>;

Reply negotiate(Call& call, wire::NegotiateRequest request);
Reply session_setup(Call& call, wire::SessionSetupRequest request);
Reply logoff(Call& call, wire::LogoffRequest request);
Reply tree_connect(Call& call, wire::TreeConnectRequest request);
Reply tree_disconnect(Call& call, wire::TreeDisconnectRequest request);
Reply create(Call& call, wire::CreateRequest request);
Reply close(Call& call, wire::CloseRequest request);
Reply flush(Call& call, wire::FlushRequest request);
Reply read(Call& call, wire::ReadRequest request);
Reply write(Call& call, wire::WriteRequest request);
Reply lock(Call& call, wire::LockRequest request);
Reply ioctl(Call& call, wire::IoctlRequest request);
Reply cancel(Call& call, wire::CancelRequest request);
Reply echo(Call& call, wire::EchoRequest request);
Reply query_directory(Call& call, wire::QueryDirectoryRequest request);
Reply change_notify(Call& call, wire::ChangeNotifyRequest request);
Reply query_info(Call& call, wire::QueryInfoRequest request);
Reply set_info(Call& call, wire::SetInfoRequest request);
Reply oplock_break(Call& call);  // parses itself: three structures share the command

}  // namespace smb3d::engine
