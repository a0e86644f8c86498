// ECHO: [MS-SMB2] 3.3.5.17.
#include "engine/cmd/handlers.h"

namespace smb3d::engine {

Reply echo(Call& call, wire::EchoRequest) { co_return reply(call, wire::EchoResponse{}); }

}  // namespace smb3d::engine
